//! Mask files.

use crate::exponents::graph;
use vta_net::sparse::{apply, layers, masks, read, write};

pub(crate) fn run(data: &[u8]) {
    graph(|graph| {
        let known = layers(graph);
        let found = match read(data, &known) {
            Ok(found) => found,
            Err(e) => return assert!(!e.to_string().is_empty()),
        };
        let again = read(&write(&found), &known);
        assert!(again.is_ok_and(|m| m == found), "other masks come back");
        let mut graph = graph.clone();
        if apply(&mut graph, &found).is_ok() {
            let now = masks(&graph);
            for (name, mask) in &found {
                let kept = now.get(name).map_or(mask.blocks(), |m| m.count_kept());
                assert!(kept <= mask.count_kept(), "{name} keeps more than its mask");
            }
        }
    });
}
