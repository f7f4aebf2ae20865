//! The simulators: rules of time, properties, attribution, golden cases.

mod closed_forms;
mod golden;
mod profile;
mod programs;
mod properties;
mod sinks;
mod stops;
mod timeline;
mod timing;
