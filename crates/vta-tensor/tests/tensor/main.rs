//! Host operators, windows and NumPy files.

mod host;
mod npy;
mod window;
