//! Doors for the fuzz targets in `tests/fuzz`. No API.

/// The objects in the output of `kubectl diff`: name, before, after.
pub fn difference(output: &str) -> Vec<[String; 3]> {
    crate::manifest::objects_of(output)
        .into_iter()
        .map(|object| [object.name, object.before, object.after])
        .collect()
}

/// Whether `text` is a manifest with Rancher's agent.
///
/// # Errors
/// What it is instead, with nothing of it.
pub fn agent(text: &str) -> Result<(), String> {
    crate::import::agent_in(text).map(drop)
}
