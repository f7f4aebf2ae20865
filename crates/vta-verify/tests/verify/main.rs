//! The verifier: what it proves, what it finds, and properties.

mod checks;
mod properties;
