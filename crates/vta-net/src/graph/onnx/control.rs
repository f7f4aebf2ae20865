//! `If` with a constant condition and `Loop` with constant trips: the nodes of
//! the branch, or of each trip, are lowered in their place.

use super::constant::Const;
use super::error::{Fault, Problem, Res};
use super::import::Importer;
use super::node::{OnnxNode, Value};
use super::proto::GraphProto;
use super::scope::inlined;
use std::rc::Rc;

/// Branches and loops in each other.
const MOST_LEVELS: usize = 32;

/// Most trips of a loop.
const MOST_TRIPS: i64 = 4096;

/// Whether a node is one of these.
pub(super) fn is_control(n: &OnnxNode<'_>) -> bool {
    matches!(n.op(), "If" | "Loop")
}

/// Lowers a branch or a loop.
pub(super) fn lower(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    im.level += 1;
    if im.level > MOST_LEVELS {
        return Err(Fault::form(
            "branches and loops that are too deep in each other",
        ));
    }
    match n.op() {
        "If" => branch(im, n)?,
        _ => trips(im, n)?,
    }
    im.level -= 1;
    Ok(())
}

fn graph<'a>(n: &'a OnnxNode<'_>, name: &str) -> Res<&'a GraphProto> {
    let found = n.proto.attribute.iter().find(|a| a.name == name);
    let graph = found.and_then(|a| a.g.as_ref());
    graph.ok_or_else(|| Fault::form(format!("the graph {name} is missing")))
}

/// A single truth value.
fn truth(c: &Const) -> Res<bool> {
    match c.to_ints()?.as_slice() {
        [v] => Ok(*v != 0),
        all => Err(Fault::value("the number of conditions", all.len())),
    }
}

/// Lowers the nodes of a graph, and gives what its outputs stand for.
fn results(im: &mut Importer, graph: GraphProto) -> Res<Vec<Value>> {
    im.store(graph.initializer)?;
    let outputs: Vec<&str> = graph.output.iter().map(|o| o.name.as_str()).collect();
    im.nodes(&graph.node, &outputs)?;
    let mut values = Vec::with_capacity(outputs.len());
    for name in outputs {
        let value = im.lookup(name)?;
        values.push(value.ok_or_else(|| Fault::at(name, Problem::Undefined))?);
    }
    Ok(values)
}

fn branch(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let condition = n.constant(0).map_err(|_| {
        Fault::form("the condition is computed: branches are taken when the model is read")
    })?;
    let name = match truth(condition)? {
        true => "then_branch",
        false => "else_branch",
    };
    let graph = inlined(graph(n, name)?, &n.name, &[]);
    for (i, value) in results(im, graph)?.into_iter().enumerate() {
        im.bind(n, i, value);
    }
    Ok(())
}

fn trips(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let computed =
        || Fault::form("its trips are computed: loops are unrolled when the model is read");
    let constant = |im: &mut Importer, i: usize| -> Res<Option<Rc<Const>>> {
        let name = n.input_name(i).to_owned();
        if name.is_empty() {
            return Ok(None);
        }
        match im.lookup(&name)? {
            Some(Value::Const(c)) => Ok(Some(c)),
            _ => Err(computed()),
        }
    };
    let most = match constant(im, 0)? {
        Some(c) => match c.to_ints()?.as_slice() {
            [trips] => *trips,
            all => return Err(Fault::value("the number of trip counts", all.len())),
        },
        None => i64::MAX,
    };
    let mut goes_on = match constant(im, 1)? {
        Some(c) => truth(&c)?,
        None => true,
    };
    let body = graph(n, "body")?;
    let carried = body.input.len().saturating_sub(2);
    if body.output.len() != carried + 1 || n.proto.input.len() != carried + 2 {
        return Err(Fault::form(
            "a loop that collects results of its trips is not supported",
        ));
    }
    let mut names: Vec<String> = n.proto.input.iter().skip(2).cloned().collect();
    let mut trip = 0;
    while goes_on && trip < most {
        if trip == MOST_TRIPS {
            return Err(Fault::form(format!("more than {MOST_TRIPS} trips")));
        }
        let prefix = format!("{}/{trip}", n.name);
        let own = |name: &str| format!("{prefix}:{name}");
        let mut inputs = vec![own("trip"), own("condition")];
        let number = Const::ints(&inputs[0], vec![trip]);
        im.set(&inputs[0], Value::Const(Rc::new(number.as_scalar())));
        let condition = Const::ints(&inputs[1], vec![1]);
        im.set(&inputs[1], Value::Const(Rc::new(condition.as_scalar())));
        inputs.extend(names.iter().cloned());
        let values = results(im, inlined(body, &prefix, &inputs))?;
        let mut values = values.into_iter();
        goes_on = match values.next() {
            Some(Value::Const(c)) => truth(&c)?,
            _ => return Err(computed()),
        };
        for (name, value) in names.iter_mut().zip(values) {
            *name = own(name);
            im.set(name, value);
        }
        trip += 1;
    }
    for (i, name) in names.iter().enumerate() {
        let value = im.lookup(name)?;
        let value = value.ok_or_else(|| Fault::at(name, Problem::Undefined))?;
        im.bind(n, i, value);
    }
    Ok(())
}
