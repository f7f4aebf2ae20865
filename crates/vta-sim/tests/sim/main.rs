//! The simulators: rules of time, properties, attribution, golden cases.

mod golden;
mod profile;
mod programs;
mod properties;
mod timeline;
mod timing;
