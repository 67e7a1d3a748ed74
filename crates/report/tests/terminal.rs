//! What a person sees, kept as files: piped, on a terminal, in check mode, interrupted.

mod common;

use common::{at, changed, check_sample, ended, interrupted_sample, sample, started, task};
use indicatif::TermLike;
use mosip_prov_events::{Counts, Event, EventKind, HostProfile};
use mosip_prov_report::{Renderer, Terminal, TerminalOptions};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn options() -> TerminalOptions {
    TerminalOptions {
        command: Some("mosip-prov run deploy-nginx".into()),
        same_command: Some("mosip-prov run deploy-nginx --limit all".into()),
        apply_command: Some("mosip-prov run deploy-nginx".into()),
        ..TerminalOptions::default()
    }
}

#[test]
fn a_profile_is_shown_when_it_is_asked_for() {
    let mut end = ended(
        &[("vm1", Counts::default(), 1), ("vm2", Counts::default(), 2)],
        300,
        false,
    );
    if let EventKind::RunFinished { profile, .. } = &mut end {
        for (host, wall_us) in [("vm1", 120_000), ("vm2", 80_000)] {
            let of_host = HostProfile {
                wall_us,
                remote_us: 60_000,
                connect_us: 2_500,
                exchanges: 1,
                bytes_out: 12_345,
                ..HostProfile::default()
            };
            profile.insert(host.to_owned(), of_host.balanced());
        }
    }
    let events = [
        at(0, started(&["vm1", "vm2"], false)),
        at(1, changed(task("vm1", "slow"), "r", Vec::new(), 90)),
        at(2, changed(task("vm2", "quick"), "r", Vec::new(), 3)),
        at(3, end),
    ];
    let shown = plain(&events, options());
    assert!(!shown.contains("PROFILE"), "{shown}");
    let shown = plain(
        &events,
        TerminalOptions {
            profile: true,
            ..options()
        },
    );
    let (_, profile) = shown.split_once("PROFILE\n").expect("a profile");
    let words: Vec<Vec<&str>> = profile.lines().map(|line| line.split_whitespace().collect()).collect();
    let of = |row: &[&str], name: &str| {
        let column = words[0].iter().position(|heading| *heading == name).expect("a column");
        row[column].to_owned()
    };
    assert_eq!(of(&words[1], "host"), "vm1");
    assert_eq!(
        (of(&words[1], "wall"), of(&words[1], "remote")),
        ("120ms".into(), "60ms".into())
    );
    assert_eq!(
        (of(&words[1], "other"), of(&words[1], "sent")),
        ("58ms".into(), "12k".into())
    );
    // "all 2" is two words.
    assert_eq!(words[3][..3], ["all", "2", "200ms"]);
    let slowest: Vec<&str> = profile
        .lines()
        .filter(|line| line.contains("vm") && line.starts_with("  "))
        .collect();
    assert!(slowest[0].contains("slow") && slowest[1].contains("quick"), "{profile}");
}

fn plain(events: &[Event], options: TerminalOptions) -> String {
    let buffer = Buffer::default();
    let mut terminal = Terminal::plain(buffer.clone(), options);
    for event in events {
        terminal.event(event).unwrap();
    }
    terminal.finish().unwrap();
    let bytes = buffer.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn piped() {
    let text = plain(&sample(), options());
    assert!(!text.contains('\x1b'), "control sequences in a pipe");
    insta::assert_snapshot!(text);
}

#[test]
fn piped_with_all_there_is() {
    insta::assert_snapshot!(plain(
        &sample(),
        TerminalOptions {
            verbosity: 2,
            diff: true,
            ..options()
        }
    ));
}

#[test]
fn reasons_with_v() {
    insta::assert_snapshot!(plain(
        &sample()[..13],
        TerminalOptions {
            verbosity: 1,
            ..options()
        }
    ));
}

#[test]
fn check_mode() {
    insta::assert_snapshot!(plain(&check_sample(), options()));
}

#[test]
fn interrupted() {
    insta::assert_snapshot!(plain(&interrupted_sample(), options()));
}

#[test]
fn colours_wrap_words_and_nothing_else() {
    let text = plain(
        &sample(),
        TerminalOptions {
            color: true,
            ..options()
        },
    );
    assert!(text.contains("\x1b[33mchanged     \x1b[0m"), "{text}");
    let mut bare = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('\x1b') {
        bare.push_str(before);
        rest = after.split_once('m').expect("a colour").1;
    }
    bare.push_str(rest);
    let strip = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    assert_eq!(strip(&bare), strip(&plain(&sample(), options())));
}

#[test]
fn every_line_of_a_host_begins_with_the_host() {
    let text = plain(
        &sample(),
        TerminalOptions {
            verbosity: 2,
            diff: true,
            ..options()
        },
    );
    let (run, _) = text.split_once("RECAP").unwrap();
    for line in run.lines() {
        let general = line.is_empty()
            || ["deploy-nginx on", "warning:", "PLAY "]
                .iter()
                .any(|p| line.starts_with(p));
        let of_host = ["nginx-node-1", "nginx-node-2", "vm3 "]
            .iter()
            .any(|p| line.starts_with(p));
        assert!(general || of_host, "{line:?}");
    }
}

#[test]
fn what_is_said_of_several_hosts_is_said_once_with_all_of_them() {
    let hosts = ["vm1", "vm2", "vm3"];
    let error = |free: &str| common::failure(&format!("/ has {free} MiB free"), None, None, Some("make room"));
    let mut events = vec![common::at(0, common::started(&hosts, false))];
    for (host, free) in hosts.iter().zip(["7", "7", "9"]) {
        let failed = common::failed(common::task(host, "See that there is room"), error(free), false);
        events.push(common::at(1, failed));
    }
    let ends = hosts.map(|host| (host, common::counts(0, 0, 1, 0), 2));
    events.push(common::at(2, common::ended(&ends, 2, false)));
    let shown = plain(&events, options());
    let told: Vec<&str> = shown.lines().filter(|line| line.starts_with("FAILED")).collect();
    assert_eq!(
        told,
        [
            "FAILED  vm1, vm2  nginx : See that there is room",
            "FAILED  vm3  nginx : See that there is room"
        ],
        "{shown}"
    );
}

#[test]
fn nothing_to_do_says_so() {
    let events = [
        common::at(0, common::started(&["vm1"], false)),
        common::at(9, common::ended(&[("vm1", common::counts(23, 0, 0, 0), 1)], 9, false)),
    ];
    let text = plain(&events, options());
    assert!(text.contains("changed=0"), "{text}");
    assert!(text.contains("Nothing to do: every host is as it should be."), "{text}");
}

/// A terminal in memory: rows of text and a cursor.
#[derive(Debug, Default)]
struct Screen {
    rows: Vec<String>,
    row: usize,
    column: usize,
    /// Everything that was ever written.
    log: String,
}

#[derive(Debug, Clone, Default)]
struct FakeTerminal {
    screen: Arc<Mutex<Screen>>,
    width: u16,
    height: u16,
}

impl FakeTerminal {
    fn text(&self) -> String {
        let screen = self.screen.lock().unwrap();
        let rows: Vec<_> = screen.rows.iter().map(|r| r.trim_end()).collect();
        rows.join("\n").trim_end().to_owned()
    }
}

impl TermLike for FakeTerminal {
    fn width(&self) -> u16 {
        self.width
    }
    fn height(&self) -> u16 {
        self.height
    }
    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        let mut s = self.screen.lock().unwrap();
        s.row = s.row.saturating_sub(n);
        Ok(())
    }
    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.screen.lock().unwrap().row += n;
        Ok(())
    }
    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.screen.lock().unwrap().column += n;
        Ok(())
    }
    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        let mut s = self.screen.lock().unwrap();
        s.column = s.column.saturating_sub(n);
        Ok(())
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)?;
        self.write_str("\n")
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut s = self.screen.lock().unwrap();
        s.log.push_str(text);
        for c in text.chars() {
            match c {
                '\n' => {
                    s.row += 1;
                    s.column = 0;
                }
                '\r' => s.column = 0,
                c => {
                    if s.column == usize::from(self.width) {
                        s.row += 1;
                        s.column = 0;
                    }
                    let (row, column) = (s.row, s.column);
                    if s.rows.len() <= row {
                        s.rows.resize(row + 1, String::new());
                    }
                    let mut chars: Vec<char> = s.rows[row].chars().collect();
                    if chars.len() <= column {
                        chars.resize(column + 1, ' ');
                    }
                    chars[column] = c;
                    s.rows[row] = chars.into_iter().collect();
                    s.column += 1;
                }
            }
        }
        Ok(())
    }
    fn clear_line(&self) -> io::Result<()> {
        let mut s = self.screen.lock().unwrap();
        let row = s.row;
        if let Some(text) = s.rows.get_mut(row) {
            text.clear();
        }
        s.column = 0;
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

/// The screen after each of the named events.
fn screens(events: &[Event], fake: &FakeTerminal, options: TerminalOptions, after: &[usize]) -> String {
    let mut terminal = Terminal::live_on(Box::new(fake.clone()), options);
    let mut out = String::new();
    for (i, event) in events.iter().enumerate() {
        terminal.event(event).unwrap();
        if after.contains(&i) {
            out.push_str(&format!("=== after event {i}\n{}\n", fake.text()));
        }
    }
    terminal.finish().unwrap();
    out.push_str(&format!("=== at the end\n{}\n", fake.text()));
    out
}

fn live_options() -> TerminalOptions {
    TerminalOptions {
        width: Some(100),
        height: 24,
        ..options()
    }
}

#[test]
fn live() {
    let fake = FakeTerminal {
        width: 100,
        height: 24,
        ..FakeTerminal::default()
    };
    let text = screens(&sample(), &fake, live_options(), &[4, 8, 11]);
    assert!(
        !fake.screen.lock().unwrap().log.contains("\x1b[2J"),
        "a host steered the terminal"
    );
    insta::assert_snapshot!(text);
}

#[test]
fn a_low_terminal_shows_some_hosts_and_counts_the_rest() {
    let hosts = ["vm1", "vm2", "vm3", "vm4", "vm5", "vm6"];
    let mut events = vec![
        common::at(0, common::started(&hosts, false)),
        common::at(1, common::play(&hosts)),
    ];
    events.extend(hosts.iter().map(|host| {
        common::at(
            2,
            EventKind::HostConnected {
                host: (*host).into(),
                milliseconds: 20,
            },
        )
    }));
    let fake = FakeTerminal {
        width: 60,
        height: 8,
        ..FakeTerminal::default()
    };
    let options = TerminalOptions {
        width: Some(60),
        height: 8,
        ..options()
    };
    let mut terminal = Terminal::live_on(Box::new(fake.clone()), options);
    for event in &events {
        terminal.event(event).unwrap();
    }
    let text = fake.text();
    assert!(
        text.contains("vm4 connected") && !text.contains("vm5 connected"),
        "{text}"
    );
    assert!(
        text.contains("0 of 6 hosts done, 0 changed, 0 failed; 2 more at work"),
        "{text}"
    );
    terminal
        .event(&common::at(
            9,
            EventKind::HostFinished {
                host: "vm1".into(),
                play: "nginx front".into(),
                complete: true,
            },
        ))
        .unwrap();
    terminal
        .event(&common::at(
            10,
            EventKind::TaskStarted {
                task: common::task("vm5", "Install nginx"),
                action: "install nginx".into(),
            },
        ))
        .unwrap();
    let text = fake.text();
    assert!(text.contains("vm5 nginx : Install nginx: install nginx"), "{text}");
    assert!(
        text.contains("1 of 6 hosts done, 0 changed, 0 failed; 1 more at work"),
        "{text}"
    );
}
