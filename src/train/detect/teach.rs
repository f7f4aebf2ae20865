//! Detectors that teach others.
