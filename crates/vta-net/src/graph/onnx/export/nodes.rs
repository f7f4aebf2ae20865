//! Several nodes of the file for one of the graph.

use super::{AttributeProto, Writer, int};

/// Nodes that are written for one of the graph, which has the name of the last.
pub(super) struct Nodes<'a, 'w> {
    pub w: &'a mut Writer<'w>,
    pub name: &'a str,
    /// Names that were given out.
    pub count: usize,
}

impl<'a, 'w> Nodes<'a, 'w> {
    pub fn new(w: &'a mut Writer<'w>, name: &'a str) -> Self {
        Self { w, name, count: 0 }
    }

    /// A node; the last one, whose output has a name, has that of the graph's.
    pub fn node(
        &mut self,
        op: &str,
        input: Vec<String>,
        output: Option<String>,
        attributes: Vec<AttributeProto>,
    ) -> String {
        let (name, output) = match output {
            Some(output) => (self.name.to_owned(), output),
            None => {
                let name = format!("{}.{}", self.name, self.count);
                self.count += 1;
                let output = self.w.names.fresh(&name);
                (name, output)
            }
        };
        self.w.push(&name, op, input, output.clone(), attributes);
        output
    }

    pub fn cast(&mut self, x: String, to: i32, output: Option<String>) -> String {
        let to = vec![int("to", to.unsigned_abs() as usize)];
        self.node("Cast", vec![x], output, to)
    }
}
