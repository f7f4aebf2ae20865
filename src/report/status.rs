//! How programs ended, as JSON.

use crate::simulate::{LaunchFailure, LaunchReport};
use serde_json::{Value, json};
use vta_sim::golden::Status;

/// The status, and with a hang or an assertion who waits for what.
pub fn add_status(object: &mut Value, failure: Option<&LaunchFailure>) {
    let Some(LaunchFailure { launch, report }) = failure else {
        object["status"] = json!(Status::Ok);
        return;
    };
    object["status"] = json!(report.status);
    object["launch"] = json!(launch);
    add_end(object, report);
}

/// How it ended, where that is not the finish.
pub fn add_end(object: &mut Value, report: &LaunchReport) {
    if let Some(reason) = &report.reason {
        object["reason"] = json!(reason);
    }
    if let Some(place) = &report.where_ {
        object["where"] = json!(place);
    }
    if let Some(instruction) = report.instruction {
        object["instruction"] = json!(instruction);
    }
    match (report.status, report.waits.as_slice()) {
        (_, []) => {}
        (Status::Assert, why) => object["cause"] = json!(why.join("; ")),
        (_, waits) => object["waits"] = json!(waits),
    }
}
