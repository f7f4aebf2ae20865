//! One annotation: the size of an image, and the objects in it.

use super::super::{BBox, Boxes, DataError, Fault, Files};
use roxmltree::{Document, Node, ParsingOptions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Most nodes of an annotation.
const MAX_NODES: u32 = 1 << 20;

/// An annotation as it is written.
#[derive(Debug)]
pub(super) struct Annotation {
    path: PathBuf,
    /// Height and width that it says.
    pub(super) size: [usize; 2],
    pub(super) objects: Vec<Object>,
}

/// An object as it is written.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) class: String,
    line: u32,
    difficult: bool,
    /// `xmin`, `ymin`, `xmax`, `ymax`.
    edges: [f32; 4],
    /// The same as written.
    text: String,
}

const EDGES: [&str; 4] = ["xmin", "ymin", "xmax", "ymax"];

impl Annotation {
    /// Reads a file.
    pub(super) fn read(files: &dyn Files, path: &Path, limit: u64) -> Result<Self, DataError> {
        let bytes = files.read(path, limit)?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let fault = Fault::Xml(e.utf8_error().to_string());
            DataError::of(path, fault)
        })?;
        let options = ParsingOptions {
            nodes_limit: MAX_NODES,
            ..ParsingOptions::default()
        };
        let xml = Document::parse_with_options(&text, options).map_err(|e| {
            use roxmltree::Error::{NoRootNode, NodesLimitReached, UnclosedRootNode};
            let fault = Fault::Xml(e.to_string());
            match e {
                // These have no place.
                NoRootNode | NodesLimitReached | UnclosedRootNode => DataError::of(path, fault),
                e => DataError::at(path, e.pos().row, fault),
            }
        })?;
        let root = xml.root_element();
        let at = |node: Node<'_, '_>| xml.text_pos_at(node.range().start).row;
        let fail = |(node, fault): (Node<'_, '_>, Fault)| DataError::at(path, at(node), fault);
        let size = child(root, "size").map_err(fail)?;
        let side = |name| -> Result<usize, DataError> {
            let (node, text) = value(size, name).map_err(fail)?;
            let side = text.parse::<usize>().ok().filter(|n| *n > 0);
            side.ok_or_else(|| fail((node, bad(name, text, "a number of pixels"))))
        };
        let size = [side("height")?, side("width")?];
        let mut objects = Vec::new();
        for node in root.children().filter(|n| n.has_tag_name("object")) {
            objects.push(object(node, at(node)).map_err(fail)?);
        }
        let path = path.to_owned();
        Ok(Self {
            path,
            size,
            objects,
        })
    }

    /// Its boxes, and what is wrong with those that were left out or cut.
    pub(super) fn boxes(
        &self,
        index: &BTreeMap<&String, u16>,
        classes: &[String],
    ) -> Result<(Boxes, Vec<DataError>), DataError> {
        let (mut boxes, mut bad) = (Vec::new(), Vec::new());
        let [height, width] = self.size;
        for o in &self.objects {
            let error = |fault| DataError::at(&self.path, o.line, fault);
            let Some(&class) = index.get(&o.class) else {
                let (name, classes) = (o.class.clone(), classes.to_vec());
                return Err(error(Fault::ClassName { name, classes }));
            };
            let [x0, y0, x1, y1] = o.edges;
            let edges = || o.text.clone();
            if x0 >= x1 || y0 >= y1 {
                bad.push(error(Fault::EmptyBox { edges: edges() }));
                continue;
            }
            let outside = x0 < 0.0 || y0 < 0.0 || x1 > width as f32 || y1 > height as f32;
            let b = BBox {
                class,
                x0: (x0 - 1.0).max(0.0),
                y0: (y0 - 1.0).max(0.0),
                x1,
                y1,
                difficult: o.difficult,
            };
            let cut = b.clipped(width as f32, height as f32);
            if outside {
                bad.push(error(Fault::BoxOutside {
                    edges: edges(),
                    width,
                    height,
                }));
            }
            if cut.area() > 0.0 {
                boxes.push(cut);
            }
        }
        Ok((boxes, bad))
    }
}

/// What is wrong at a node.
type Wrong<'a, 'i> = (Node<'a, 'i>, Fault);

fn object<'a, 'i>(node: Node<'a, 'i>, line: u32) -> Result<Object, Wrong<'a, 'i>> {
    let class = value(node, "name")?.1.to_owned();
    let difficult = match value(node, "difficult") {
        Ok((_, "0")) | Err(_) => false,
        Ok((_, "1")) => true,
        Ok((at, text)) => return Err((at, bad("difficult", text, "0 or 1"))),
    };
    let bounds = child(node, "bndbox")?;
    let mut edges = [0.0; 4];
    let mut texts = [""; 4];
    for ((edge, kept), name) in edges.iter_mut().zip(&mut texts).zip(EDGES) {
        let (at, text) = value(bounds, name)?;
        let number = text.parse::<f32>().ok().filter(|v| v.is_finite());
        *edge = number.ok_or_else(|| (at, bad(name, text, "a number")))?;
        *kept = text;
    }
    let [x0, y0, x1, y1] = texts;
    Ok(Object {
        class,
        line,
        difficult,
        edges,
        text: format!("{x0},{y0} to {x1},{y1}"),
    })
}

fn bad(name: &'static str, text: &str, want: &'static str) -> Fault {
    let text = text.chars().take(40).collect();
    Fault::Value { name, text, want }
}

/// The first child of this name.
fn child<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> Result<Node<'a, 'i>, Wrong<'a, 'i>> {
    let found = node.children().find(|n| n.has_tag_name(name));
    found.ok_or_else(|| {
        let of = node.tag_name().name().to_owned();
        (node, Fault::Missing { name, of })
    })
}

/// The text of the first child of this name, without blanks around it.
fn value<'a, 'i>(
    node: Node<'a, 'i>,
    name: &'static str,
) -> Result<(Node<'a, 'i>, &'a str), Wrong<'a, 'i>> {
    let node = child(node, name)?;
    match node.text().map(str::trim) {
        Some(text) if !text.is_empty() => Ok((node, text)),
        _ => Err((node, bad(name, "", "a text"))),
    }
}
