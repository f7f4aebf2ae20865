//! Dimensions of inputs: the model's, and what is given where it leaves them open.

use super::error::{Problem, Res};
use super::import::ImportOptions;
use super::proto::tensor_shape_proto::dimension::Value as Dim;
use super::proto::{GraphProto, TensorShapeProto, ValueInfoProto};

fn shape(input: &ValueInfoProto) -> Option<&TensorShapeProto> {
    let tensor = input.r#type.as_ref()?.tensor_type.as_ref()?;
    tensor.shape.as_ref()
}

/// Checks that what is given is there.
pub(super) fn check(inputs: &[&ValueInfoProto], options: &ImportOptions) -> Res<()> {
    let list = |names: Vec<&str>| match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    };
    let mut open: Vec<&str> = Vec::new();
    for dim in inputs.iter().filter_map(|i| shape(i)).flat_map(|s| &s.dim) {
        if let Some(Dim::DimParam(name)) = &dim.value
            && !open.contains(&name.as_str())
        {
            open.push(name);
        }
    }
    if let Some(name) = options.dims.keys().find(|d| !open.contains(&d.as_str())) {
        return Err(Problem::Given {
            what: format!("a size for dimension {name}"),
            there: format!("the open dimensions {}", list(open)),
        }
        .into());
    }
    let names: Vec<&str> = inputs.iter().map(|i| i.name.as_str()).collect();
    let mut given = options.input_shapes.keys();
    let unnamed = |n: &str| n.is_empty() && names.len() == 1;
    if let Some(name) = given.find(|n| !names.contains(&n.as_str()) && !unnamed(n)) {
        return Err(Problem::Given {
            what: format!("a shape for input {name}"),
            there: format!("the inputs {}", list(names)),
        }
        .into());
    }
    Ok(())
}

/// The batch, where all inputs have the same size above 1 in front.
pub(super) fn batch(graph: &GraphProto, options: &ImportOptions) -> Option<usize> {
    let stored = |name: &str| graph.initializer.iter().any(|t| t.name == name);
    let inputs = graph.input.iter().filter(|i| !stored(&i.name));
    let mut sizes = inputs.map(|i| {
        let dims = dims(&i.name, shape(i)?, options).ok()?;
        dims.first().copied().filter(|_| dims.len() > 1)
    });
    let first = sizes.next().flatten().filter(|n| *n > 1)?;
    sizes.all(|s| s == Some(first)).then_some(first)
}

/// Dimensions of an input; an open batch is 1.
pub(super) fn dims(
    name: &str,
    shape: &TensorShapeProto,
    options: &ImportOptions,
) -> Result<Vec<usize>, Problem> {
    let shapes = &options.input_shapes;
    let given = shapes.get(name).or_else(|| shapes.get(""));
    if let Some(given) = given.filter(|g| g.len() != shape.dim.len()) {
        return Err(Problem::Given {
            what: format!("the shape {given:?} for input {name}"),
            there: format!("{} dimensions there", shape.dim.len()),
        });
    }
    let mut dims = Vec::with_capacity(shape.dim.len());
    for (axis, dim) in shape.dim.iter().enumerate() {
        let wanted = given.map(|g| g[axis]);
        let (fixed, by_name, text) = match &dim.value {
            Some(Dim::DimValue(v)) => (usize::try_from(*v).unwrap_or(0), None, v.to_string()),
            Some(Dim::DimParam(p)) => (0, options.dims.get(p).copied(), p.clone()),
            None => (0, None, "?".to_owned()),
        };
        let size = match (fixed, wanted.or(by_name)) {
            (0, Some(n)) => n,
            (n, Some(w)) if w != n => {
                return Err(Problem::Given {
                    what: format!("{w} for dimension {axis} of input {name}"),
                    there: format!("{n} there"),
                });
            }
            (0, None) if axis == 0 => 1,
            (n, _) => n,
        };
        if size == 0 {
            return Err(Problem::Dimension { axis, dim: text });
        }
        dims.push(size);
    }
    Ok(dims)
}
