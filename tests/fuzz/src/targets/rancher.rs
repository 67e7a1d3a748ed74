//! What Rancher's API answers, and URLs that it names.

use crate::input::Input;
use crate::properties;
use mosip_prov_rancher::{ServerUrl, fuzzing};

/// The first byte chooses: an answer's body, of which nothing is told that steers a terminal or goes on for long; a URL, which is read
/// as it is written, and of which errors show neither user nor path.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    if !input.byte().is_multiple_of(4) {
        let told = fuzzing::told(input.rest());
        assert_eq!(told, fuzzing::told(input.rest()));
        for line in &told {
            properties::harmless(line);
            assert!(line.chars().count() <= 400, "{line}");
        }
        return;
    }
    let text = input.text();
    let shown = fuzzing::shown(&text);
    properties::harmless(&shown);
    assert!(shown.chars().count() <= 93 && !shown.contains('@'), "{shown}");
    if let Ok(server) = ServerUrl::parse(&text) {
        let again = ServerUrl::parse(server.as_str()).expect("a URL");
        assert_eq!(server.as_str(), again.as_str());
        assert!(server.has(&format!("{server}/v3/clusters")), "{server}");
        assert_eq!(
            ServerUrl::of(&format!("{server}/v3")).map(|url| url.to_string()),
            Some(server.to_string())
        );
        // A longer name that begins so is another server.
        assert!(!server.has(&format!("{server}.example.net/v3")), "{server}");
        assert!(!server.has(&format!("{server}@example.net/v3")), "{server}");
    }
    let _ = ServerUrl::of(&text);
}
