//! What hosts and tools print, as it is kept and shown.

use crate::input::Input;
use crate::properties::harmless;
use mosip_prov_engine::fuzzing::kept;
use mosip_prov_engine::sanitize;
use mosip_prov_report::text::{cut, neutral, neutral_line, width};
use mosip_prov_terraform::text::clean;

/// Whatever is printed, what is shown of it steers no terminal, is bounded, and is shown the same when it is sanitised once more.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let columns = usize::from(input.byte());
    let text = input.text();

    let plain = sanitize(&text);
    harmless(&plain);
    assert!(plain.len() <= 3 * text.len());
    assert_eq!(plain, sanitize(&plain));

    for kept in kept(&plain) {
        assert!(kept.len() <= 64 * 1024 + 100, "{} bytes", kept.len());
        harmless(&kept);
    }

    let shown = neutral(&text);
    harmless(&shown);
    assert!(shown.len() <= 8 * text.len());
    assert_eq!(shown, neutral(&shown));
    let line = neutral_line(&text);
    harmless(&line);
    assert!(!line.contains('\n'), "{line:?}");

    let short = cut(&line, columns);
    assert!(width(&short) <= columns, "{} of {columns}", width(&short));

    let message = clean(&text, columns);
    harmless(&message);
    assert!(message.chars().count() <= columns + 1);
    assert_eq!(clean(&message, columns + 1), message);
}
