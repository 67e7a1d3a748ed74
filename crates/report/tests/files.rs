//! The files that a run leaves behind.

mod common;

use common::{at, check_sample, sample, task};
use mosip_prov_events::{Event, EventKind, TaskStatus};
use mosip_prov_report::{HtmlReport, JsonLines, JunitReport, RenderError, Renderer, Renderers};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn jsonl_is_written_line_by_line_and_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    fs::write(&path, "of an earlier run").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let mut jsonl = JsonLines::create(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    let events = sample();
    for (i, event) in events.iter().enumerate() {
        jsonl.event(event).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), i + 1);
    }
    let text = fs::read_to_string(&path).unwrap();
    let back: Vec<Event> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(back, events);
}

#[test]
fn a_file_that_cannot_be_created_is_named() {
    let Err(error) = JsonLines::create(Path::new("/nonexistent/events.jsonl")) else {
        panic!("created");
    };
    assert_eq!(
        error.to_string(),
        "cannot write /nonexistent/events.jsonl: No such file or directory (os error 2)"
    );
}

/// Keeps the warnings it is handed.
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Renderer for Warnings {
    fn event(&mut self, event: &Event) -> Result<(), RenderError> {
        if let EventKind::Warning { message, .. } = &event.kind {
            self.0.lock().unwrap().push(message.clone());
        }
        Ok(())
    }
    fn finish(&mut self) -> Result<(), RenderError> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_reported_once_and_the_run_goes_on() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut renderers = Renderers::new();
    renderers.push(Warnings(seen.clone()));
    renderers.push(JsonLines::create(Path::new("/dev/full")).unwrap());
    for event in check_sample() {
        renderers.event(&event);
    }
    assert_eq!(renderers.finish().len(), 1);
    assert_eq!(
        *seen.lock().unwrap(),
        ["cannot write /dev/full: No space left on device (os error 28); it is written no further, the run goes on"]
    );
}

fn written(events: &[Event], make: impl Fn(&Path) -> Box<dyn Renderer>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report");
    let mut renderer = make(&path);
    for event in events {
        renderer.event(event).unwrap();
    }
    renderer.finish().unwrap();
    assert_eq!(mode(&path), 0o600);
    fs::read_to_string(&path).unwrap()
}

#[test]
fn junit() {
    insta::assert_snapshot!(written(&sample(), |p| Box::new(JunitReport::create(p).unwrap())));
}

#[test]
fn html() {
    insta::assert_snapshot!(written(&sample(), |p| Box::new(HtmlReport::create(p).unwrap())));
}

#[test]
fn what_a_host_says_is_escaped_in_both() {
    let mut events = check_sample();
    events.insert(
        2,
        at(
            9,
            common::finished(
                task("nginx-node-1", "<script>alert(1)</script>"),
                TaskStatus::Changed,
                "\"quoted\" & 'so' \x1b[2J\x00",
            ),
        ),
    );
    for text in [
        written(&events, |p| Box::new(HtmlReport::create(p).unwrap())),
        written(&events, |p| Box::new(JunitReport::create(p).unwrap())),
    ] {
        assert!(!text.contains("<script>alert"), "{text}");
        assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{text}");
        assert!(
            text.contains("&quot;quoted&quot; &amp; &#39;so&#39; \\x1b[2J\\x00"),
            "{text}"
        );
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text}");
    }
}

#[test]
fn a_run_cut_short_says_so_in_the_page() {
    let events = sample();
    let text = written(&events[..8], |p| Box::new(HtmlReport::create(p).unwrap()));
    assert!(text.contains("The run did not come to its end."), "{text}");
}
