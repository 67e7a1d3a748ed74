//! Doors for the fuzz targets in `tests/fuzz`: the reader of terraform's stream, fed in any pieces. No API.

use crate::event::{Progress, TerraformEvent};
use crate::plan::{Plan, PlannedChange};
use crate::process::Reading;

/// What the reader tells of a stream that comes in these pieces.
pub fn stream(pieces: &[&[u8]]) -> (Vec<TerraformEvent>, Progress) {
    let mut reading = Reading::default();
    let mut events = Vec::new();
    let mut on_event = |event| events.push(event);
    for piece in pieces {
        reading.take(piece, &mut on_event);
    }
    reading.finish(&mut on_event);
    let progress = reading.progress;
    (events, progress)
}

/// A plan of changes to these resources, with the attributes that `json`, as the output of `show -json`, has of them.
///
/// # Errors
/// As reading a real one.
pub fn show(addresses: &[String], json: &[u8]) -> Result<Plan, String> {
    let change = |address: &String| PlannedChange {
        address: address.clone(),
        action: crate::event::Action::Update,
        reason: None,
        previous_address: None,
        attributes: None,
    };
    let mut plan = Plan {
        resources: addresses.iter().map(change).collect(),
        ..Plan::default()
    };
    crate::show::add_attributes(&mut plan, json)?;
    Ok(plan)
}
