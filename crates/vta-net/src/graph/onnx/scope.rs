//! Nodes that hold other nodes: functions of a model, and graphs in the
//! attributes of `If` and `Loop`. Their nodes are put where they stand, under
//! names of their own.

use super::error::{Fault, Problem, Res};
use super::proto::{AttributeProto, FunctionProto, GraphProto, NodeProto};
use std::collections::{HashMap, HashSet};

/// Most nodes that a model has with everything in its place.
const MOST_NODES: usize = 1 << 20;

/// Functions in functions, graphs in graphs.
const MOST_LEVELS: usize = 64;

/// The names that nodes give to their results.
fn defined(nodes: &[NodeProto]) -> impl Iterator<Item = &str> {
    let outputs = nodes.iter().flat_map(|n| &n.output);
    outputs.map(String::as_str).filter(|o| !o.is_empty())
}

/// Names of tensors that a node reads; those that the graphs in it read from outside among them.
pub(super) fn reads(node: &NodeProto) -> Vec<&str> {
    fn of<'a>(node: &'a NodeProto, level: usize, to: &mut Vec<&'a str>) {
        let inputs = node.input.iter().map(String::as_str);
        to.extend(inputs.filter(|i| !i.is_empty()));
        for g in node.attribute.iter().filter_map(|a| a.g.as_ref()) {
            if level >= MOST_LEVELS {
                return;
            }
            let mut inner = Vec::new();
            g.node.iter().for_each(|n| of(n, level + 1, &mut inner));
            inner.extend(g.output.iter().map(|o| o.name.as_str()));
            let mut own: HashSet<&str> = defined(&g.node).collect();
            own.extend(g.initializer.iter().map(|t| t.name.as_str()));
            own.extend(g.input.iter().map(|i| i.name.as_str()));
            to.extend(inner.into_iter().filter(|name| !own.contains(name)));
        }
    }
    let mut all = Vec::new();
    of(node, 0, &mut all);
    all
}

/// New names for tensors; what is not there keeps its own.
type Renamed = HashMap<String, String>;

fn rename(name: &mut String, renamed: &Renamed) {
    if let Some(new) = renamed.get(name) {
        name.clone_from(new);
    }
}

fn rename_node(node: &mut NodeProto, renamed: &Renamed, level: usize) {
    for name in node.input.iter_mut().chain(&mut node.output) {
        rename(name, renamed);
    }
    for g in node.attribute.iter_mut().filter_map(|a| a.g.as_mut()) {
        if level < MOST_LEVELS {
            rename_graph(g, renamed, level + 1);
        }
    }
}

/// Renames what a graph reads from outside; names of its own hide others.
fn rename_graph(g: &mut GraphProto, renamed: &Renamed, level: usize) {
    let mut own: HashSet<String> = defined(&g.node).map(str::to_owned).collect();
    own.extend(g.initializer.iter().map(|t| t.name.clone()));
    own.extend(g.input.iter().map(|i| i.name.clone()));
    let outside: Renamed = renamed
        .iter()
        .filter(|(from, _)| !own.contains(*from))
        .map(|(from, to)| (from.clone(), to.clone()))
        .collect();
    for node in &mut g.node {
        rename_node(node, &outside, level);
    }
    for output in &mut g.output {
        rename(&mut output.name, &outside);
    }
}

/// A graph of an attribute as part of the model: its tensors are called
/// `PREFIX/NAME`, and its inputs are other tensors.
pub(super) fn inlined(graph: &GraphProto, prefix: &str, inputs: &[String]) -> GraphProto {
    let mut renamed: Renamed = defined(&graph.node)
        .chain(graph.initializer.iter().map(|t| t.name.as_str()))
        .map(|name| (name.to_owned(), format!("{prefix}/{name}")))
        .collect();
    let formal = graph.input.iter().map(|i| i.name.clone());
    renamed.extend(formal.zip(inputs.iter().cloned()));
    let mut graph = graph.clone();
    for node in &mut graph.node {
        rename_node(node, &renamed, 0);
        node.name = match node.name.as_str() {
            "" => String::new(),
            name => format!("{prefix}/{name}"),
        };
    }
    for tensor in &mut graph.initializer {
        rename(&mut tensor.name, &renamed);
    }
    for output in &mut graph.output {
        rename(&mut output.name, &renamed);
    }
    graph
}

/// The functions of a model by domain, name and overload.
pub(super) struct Functions<'a>(HashMap<(&'a str, &'a str, &'a str), &'a FunctionProto>);

impl<'a> Functions<'a> {
    pub fn new(all: &'a [FunctionProto]) -> Self {
        let keyed = all.iter().map(|f| {
            let key = (f.domain.as_str(), f.name.as_str(), f.overload.as_str());
            (key, f)
        });
        Self(keyed.collect())
    }

    /// The nodes, with those of functions where they are called.
    ///
    /// # Errors
    /// Functions that call themselves, more nodes than a model may have.
    pub fn inline(&self, nodes: Vec<NodeProto>) -> Res<Vec<NodeProto>> {
        if self.0.is_empty() {
            return Ok(nodes);
        }
        let mut all = Vec::with_capacity(nodes.len());
        self.inline_to(nodes, 0, &mut 0, &mut all)?;
        Ok(all)
    }

    fn inline_to(
        &self,
        nodes: Vec<NodeProto>,
        level: usize,
        calls: &mut usize,
        to: &mut Vec<NodeProto>,
    ) -> Res<()> {
        if level > MOST_LEVELS {
            return Err(Fault::form("functions that call each other without an end"));
        }
        for mut node in nodes {
            let key = (
                node.domain.as_str(),
                node.op_type.as_str(),
                node.overload.as_str(),
            );
            let Some(function) = self.0.get(&key) else {
                for g in node.attribute.iter_mut().filter_map(|a| a.g.as_mut()) {
                    let mut inner = Vec::new();
                    self.inline_to(std::mem::take(&mut g.node), level + 1, calls, &mut inner)?;
                    g.node = inner;
                }
                to.push(node);
                if to.len() > MOST_NODES {
                    return Err(Problem::Nodes(MOST_NODES).into());
                }
                continue;
            };
            *calls += 1;
            if *calls > MOST_NODES {
                return Err(Problem::Nodes(MOST_NODES).into());
            }
            let called = called(function, &node, *calls);
            self.inline_to(called, level + 1, calls, to)?;
        }
        Ok(())
    }
}

/// The nodes of a function in the place of a node that calls it.
fn called(function: &FunctionProto, node: &NodeProto, call: usize) -> Vec<NodeProto> {
    let prefix = match node.name.as_str() {
        "" => format!("{}_{call}", function.name),
        name => name.to_owned(),
    };
    let mut renamed: Renamed = defined(&function.node)
        .map(|name| (name.to_owned(), format!("{prefix}/{name}")))
        .collect();
    let operand = |given: &[String], i: usize| given.get(i).cloned().unwrap_or_default();
    for (i, formal) in function.input.iter().enumerate() {
        renamed.insert(formal.clone(), operand(&node.input, i));
    }
    for (i, formal) in function.output.iter().enumerate() {
        match operand(&node.output, i) {
            // Nobody wants it: it keeps a name of its own.
            given if given.is_empty() => {}
            given => {
                renamed.insert(formal.clone(), given);
            }
        }
    }
    let given = |name: &str| {
        let mut own = node.attribute.iter().chain(&function.attribute_proto);
        own.find(|a| a.name == name)
    };
    let mut nodes = function.node.clone();
    for (i, inner) in nodes.iter_mut().enumerate() {
        rename_node(inner, &renamed, 0);
        substitute(inner, &given, 0);
        inner.name = match inner.name.as_str() {
            "" => format!("{prefix}/{}_{i}", inner.op_type),
            name => format!("{prefix}/{name}"),
        };
    }
    nodes
}

/// Gives attributes that name one of the call its value; those that the call
/// does not give are left to their defaults.
fn substitute<'a>(
    node: &mut NodeProto,
    given: &impl Fn(&str) -> Option<&'a AttributeProto>,
    level: usize,
) {
    node.attribute.retain_mut(|a| {
        if a.ref_attr_name.is_empty() {
            return true;
        }
        let Some(value) = given(&a.ref_attr_name) else {
            return false;
        };
        let name = std::mem::take(&mut a.name);
        *a = AttributeProto {
            name,
            ..value.clone()
        };
        true
    });
    for g in node.attribute.iter_mut().filter_map(|a| a.g.as_mut()) {
        if level < MOST_LEVELS {
            g.node
                .iter_mut()
                .for_each(|n| substitute(n, given, level + 1));
        }
    }
}
