//! Properties of words and numbers of configurations; the strategies themselves.

mod limits;
mod strategies;
mod words;
