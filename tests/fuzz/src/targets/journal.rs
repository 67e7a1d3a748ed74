//! Journals of earlier runs, as they are after a crash or with lines of other programs.

use mosip_prov_engine::fuzzing::journal;
use mosip_prov_events::Event;

/// A journal is read the same way each time; one that a crash tore in its last line is what it was without that line; lines are written
/// as they are read; one that a later run appends to says at least as much.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        if let Ok(event) = serde_json::from_str::<Event>(line) {
            let written = serde_json::to_string(&event).expect("JSON");
            assert_eq!(serde_json::from_str::<Event>(&written).ok(), Some(event));
        }
    }
    let Ok((entries, past)) = journal(&text) else {
        return;
    };
    assert!(entries.len() <= text.lines().count());
    assert_eq!(journal(&text).ok().map(|(_, past)| past).as_ref(), Some(&past));
    let mut written = String::new();
    for entry in &entries {
        written.push_str(&serde_json::to_string(entry).expect("JSON"));
        written.push('\n');
    }
    let (again, same) = journal(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
    assert_eq!((&again, &same), (&entries, &past));
    let torn = format!("{written}{{\"v\":1,\"ti");
    let (again, same) = journal(&torn).expect("a torn journal");
    assert_eq!((&again, &same), (&entries, &past));
}
