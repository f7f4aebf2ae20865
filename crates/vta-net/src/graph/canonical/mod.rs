//! What importer and quantiser both know of networks that mean the same:
//! who reads a tensor, what is an affine step of channels, what is padding
//! of a map. Each of them folds with it what it may: the importer nodes of
//! the graph, the quantiser steps of its plan.

mod affine;
mod padding;
mod readers;

pub(crate) use affine::Affine;
pub(crate) use padding::map_padding;
pub(crate) use readers::Readers;
