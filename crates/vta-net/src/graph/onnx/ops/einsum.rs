//! `Einsum` of one or two operands: transpositions, one product of matrices,
//! sums over what is left.

use super::super::error::{Fault, Res};
use super::super::import::Importer;
use super::super::node::OnnxNode;
use crate::graph::{HostOp, Op, TensorId};
use vta_tensor::host::Reduction;

/// An operand with a letter for each dimension.
struct Term {
    tensor: TensorId,
    letters: Vec<char>,
}

/// The letters of the operands and of the result.
fn parse(n: &OnnxNode<'_>, ranks: &[usize]) -> Res<(Vec<Vec<char>>, Vec<char>)> {
    let text = n.string("equation", "")?;
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let wrong = || Fault::form(format!("equation {text:?} is not supported"));
    let (left, right) = match text.split_once("->") {
        Some((l, r)) => (l, Some(r)),
        None => (text.as_str(), None),
    };
    let terms: Vec<&str> = left.split(',').collect();
    if terms.len() != ranks.len() {
        return Err(wrong());
    }
    // Dimensions of an ellipsis get letters that no equation has.
    let hidden = |i: usize| char::from_digit(i as u32, 10);
    let spread = |term: &str, rank: Option<usize>, most: usize| -> Res<Vec<char>> {
        let Some((before, after)) = term.split_once("...") else {
            return Ok(term.chars().collect());
        };
        let named = before.chars().count() + after.chars().count();
        let count = match rank {
            Some(rank) => rank.checked_sub(named).ok_or_else(wrong)?,
            None => most,
        };
        if count > 10 || most < count {
            return Err(wrong());
        }
        let middle = (most - count..most).filter_map(hidden);
        Ok(before.chars().chain(middle).chain(after.chars()).collect())
    };
    let named = |t: &str| t.chars().filter(char::is_ascii_alphabetic).count();
    let dots = |(t, rank): (&&str, &usize)| match t.contains("...") {
        true => rank.checked_sub(named(t)),
        false => Some(0),
    };
    let most = terms
        .iter()
        .zip(ranks)
        .map(dots)
        .max()
        .flatten()
        .unwrap_or(0);
    let mut all = Vec::new();
    for (term, rank) in terms.iter().zip(ranks) {
        let letters = spread(term, Some(*rank), most)?;
        let mut sorted = letters.clone();
        sorted.sort_unstable();
        let fits = letters.iter().all(char::is_ascii_alphanumeric);
        if letters.len() != *rank || !fits || sorted.windows(2).any(|w| w[0] == w[1]) {
            return Err(wrong());
        }
        all.push(letters);
    }
    let out = match right {
        Some(r) => spread(r, None, most)?,
        None => {
            // Letters that are there once, in the order of the alphabet.
            let mut letters: Vec<char> = all.iter().flatten().copied().collect();
            letters.sort_unstable();
            let once =
                |c: &char| c.is_ascii_digit() || letters.iter().filter(|l| *l == c).count() == 1;
            let mut out: Vec<char> = letters.iter().copied().filter(once).collect();
            out.dedup();
            out
        }
    };
    if out.iter().any(|c| !all.iter().any(|t| t.contains(c))) {
        return Err(wrong());
    }
    Ok((all, out))
}

impl Term {
    /// Its letters in this order, which has all of them.
    fn ordered(self, im: &mut Importer, n: &OnnxNode<'_>, order: &[char]) -> Res<Self> {
        if self.letters == order {
            return Ok(self);
        }
        let place = |c: &char| self.letters.iter().position(|l| l == c);
        let perm: Vec<usize> = order.iter().filter_map(place).collect();
        let tensor = im.step(n, Op::Transpose { perm }, &[self.tensor])?;
        Ok(Self {
            tensor,
            letters: order.to_vec(),
        })
    }

    /// Without the letters that nobody else needs: their dimensions are summed over.
    fn summed(
        self,
        im: &mut Importer,
        n: &OnnxNode<'_>,
        keep: impl Fn(&char) -> bool,
    ) -> Res<Self> {
        let axes: Vec<usize> = (0..self.letters.len())
            .filter(|i| !keep(&self.letters[*i]))
            .collect();
        if axes.is_empty() {
            return Ok(self);
        }
        let dims = im.dims(self.tensor).to_vec();
        let kept: Vec<usize> = (0..dims.len()).filter(|i| !axes.contains(i)).collect();
        let op = HostOp::Reduce {
            reduction: Reduction::Sum,
            axes,
        };
        let y = im.step(n, Op::Host(op), &[self.tensor])?;
        let to: Vec<usize> = kept.iter().map(|i| dims[*i]).collect();
        Ok(Self {
            tensor: im.step_to(n, Op::Reshape, &[y], Some(&to))?,
            letters: kept.iter().map(|i| self.letters[*i]).collect(),
        })
    }
}

pub(super) fn einsum(im: &mut Importer, n: &OnnxNode<'_>) -> Res<()> {
    let count = n.inputs.len();
    if count == 0 || count > 2 {
        return Err(Fault::form(format!(
            "{count} operands are not supported, one or two are"
        )));
    }
    let tensors = (0..count).map(|i| im.tensor_of(n, i));
    let tensors = tensors.collect::<Res<Vec<_>>>()?;
    let ranks: Vec<usize> = tensors.iter().map(|t| im.dims(*t).len()).collect();
    let (letters, out) = parse(n, &ranks)?;
    let mut terms = tensors.into_iter().zip(letters);
    let mut next = || {
        terms
            .next()
            .map(|(tensor, letters)| Term { tensor, letters })
    };
    let Some(a) = next() else { return Ok(()) };
    let result = match next() {
        None => a.summed(im, n, |c| out.contains(c))?,
        Some(b) => product(im, n, a, b, &out)?,
    };
    let result = result.ordered(im, n, &out)?;
    let dims = im.dims(result.tensor).to_vec();
    im.reshape(n, result.tensor, &dims)
}

/// `[batch, rows, inner]` times `[batch, inner, columns]`.
fn product(im: &mut Importer, n: &OnnxNode<'_>, a: Term, b: Term, out: &[char]) -> Res<Term> {
    let other = b.letters.clone();
    let a = a.summed(im, n, |c| out.contains(c) || other.contains(c))?;
    let other = a.letters.clone();
    let b = b.summed(im, n, |c| out.contains(c) || other.contains(c))?;
    let both = |c: &&char| a.letters.contains(c) && b.letters.contains(c);
    let batch: Vec<char> = a
        .letters
        .iter()
        .filter(both)
        .filter(|c| out.contains(c))
        .copied()
        .collect();
    let inner: Vec<char> = a
        .letters
        .iter()
        .filter(both)
        .filter(|c| !out.contains(c))
        .copied()
        .collect();
    let alone = |of: &Term, than: &Term| -> Vec<char> {
        let mine = of.letters.iter().filter(|c| !than.letters.contains(c));
        mine.copied().collect()
    };
    let (rows, columns) = (alone(&a, &b), alone(&b, &a));
    let a = a.ordered(im, n, &[&batch[..], &rows, &inner].concat())?;
    let b = b.ordered(im, n, &[&batch[..], &inner, &columns].concat())?;
    let (da, db) = (im.dims(a.tensor).to_vec(), im.dims(b.tensor).to_vec());
    let (nb, nr) = (batch.len(), rows.len());
    let size = |dims: &[usize]| dims.iter().product::<usize>();
    // Ones in an ellipsis stretch: the product's batches are broadcast.
    let lead = |d: &[usize]| d[..nb].to_vec();
    let to_a = [
        lead(&da),
        vec![size(&da[nb..nb + nr]), size(&da[nb + nr..])],
    ]
    .concat();
    let middle = nb + inner.len();
    let to_b = [lead(&db), vec![size(&db[nb..middle]), size(&db[middle..])]].concat();
    let x = im.step_to(n, Op::Reshape, &[a.tensor], Some(&to_a))?;
    let y = im.step_to(n, Op::Reshape, &[b.tensor], Some(&to_b))?;
    let z = im.step(n, Op::MatMul, &[x, y])?;
    let shared = im.dims(z)[..nb].to_vec();
    let dims = [shared, da[nb..nb + nr].to_vec(), db[middle..].to_vec()].concat();
    Ok(Term {
        tensor: im.step_to(n, Op::Reshape, &[z], Some(&dims))?,
        letters: [batch, rows, columns].concat(),
    })
}
