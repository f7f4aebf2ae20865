//! Cost tables.

use std::collections::BTreeMap;
use vta_prune::cost::CostTable;

pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let table = match CostTable::from_json(&text) {
        Ok(table) => table,
        Err(e) => return assert!(!e.to_string().is_empty()),
    };
    let again = CostTable::from_json(&table.to_json());
    assert!(again.is_ok_and(|t| t == table), "another table comes back");
    let number = |n: f64| assert!(n.is_finite() && n >= 0.0, "{n}: {table:?}");
    for kept in [0, 1, 5, u64::MAX] {
        let of = |l: &vta_prune::cost::LayerCost| (l.weight_name.clone(), kept);
        let kept: BTreeMap<String, u64> = table.layers.iter().map(of).collect();
        number(table.total(&kept));
        table.by_weight(&kept).into_values().for_each(number);
    }
}
