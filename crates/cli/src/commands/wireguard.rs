//! `wireguard peers`: who they are; their files, saved or shown as a QR code; adding and revoking.

use super::run::{cannot_start, carry_out, raise_file_limit};
use super::stopped;
use crate::args::{ChangePeersArgs, FetchOptions, Format, PeersArgs, PeersCommand, WireguardArgs, WireguardCommand};
use crate::diagnostics;
use crate::exit::Exit;
use crate::output::{Look, complain, say};
use crate::peer_files::{self, SaveError, Saved};
use crate::qr;
use crate::repeat;
use crate::session::{self, Mode, Stop};
use crate::show::Showing;
use crate::signals::Signals;
use mosip_prov::Inquiry;
use mosip_prov::inventory::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov::peers::{self, FetchError, PeersError, PeersOf};
use mosip_prov::transport::TransportError;
use mosip_prov::wireguard::state::{HostState, PeerState};
use mosip_prov::wireguard::{Backend, PeerName, Wish};
use mosip_prov_report::paint::{Paint, Tone};
use mosip_prov_report::text::{self, neutral_line, pad, width};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::path::Path;

/// A handshake is renewed every two minutes while there is traffic, and its keys are dead after three (WireGuard's white
/// paper, Reject-After-Time).
const ACTIVE: u64 = 180;

/// `wireguard`.
pub fn wireguard(args: &WireguardArgs, look: &Look) -> Exit {
    let WireguardCommand::Peers(args) = &args.command;
    match &args.change {
        Some(PeersCommand::Add(change)) => change_peers(Wish::Add, "add", change, look),
        Some(PeersCommand::Revoke(change)) => change_peers(Wish::Revoke, "revoke", change, look),
        None => show_peers(args, look),
    }
}

/// A run of its own, with all that a run has.
fn change_peers(wish: Wish, word: &str, args: &ChangePeersArgs, look: &Look) -> Exit {
    let what = args.how.of(&args.names);
    let mode = if args.check {
        Mode::Check
    } else {
        Mode::Run(args.survival)
    };
    let playbook = peers::playbook(wish, &args.names);
    let prepared = match session::prepare_these(&what, mode, &[playbook], Diagnostics::new()) {
        Ok(prepared) => prepared,
        Err(stop) => return stopped(&stop, look),
    };
    let limit = what.selection.limit.as_deref();
    let plain = format!("wireguard peers {word}");
    let same = match args.check {
        true => repeat::command(&format!("{plain} --check"), &what, limit),
        false => repeat::command(&plain, &what, limit),
    };
    let showing = Showing {
        diff: args.diff,
        command: Some(repeat::command(&plain, &what, None)),
        same_command: Some(same),
        apply_command: Some(repeat::command(&plain, &what, limit)),
    };
    carry_out(prepared, showing, &args.output, false, look)
}

fn show_peers(args: &PeersArgs, look: &Look) -> Exit {
    if args.fetch.qr && !args.fetch.force && !std::io::stdout().is_terminal() {
        let problem = Diagnostic::error("a QR code holds the private key, and standard output is no terminal")
            .help("run it on a terminal; --force writes the code all the same");
        return stopped(&Stop::from(problem), look);
    }
    let (peers, warnings) = match session::look_at_peers(&args.how.of(&[])) {
        Ok(found) => found,
        Err(stop) => return stopped(&stop, look),
    };
    diagnostics::report(&warnings, look);
    if args.fetch.qr && peers.hosts().len() > 1 {
        let problem = Diagnostic::error(format!(
            "a QR code is of one peer of one host, and these are asked: {}",
            peers.hosts().join(", ")
        ))
        .help("choose one with --limit");
        return stopped(&Stop::from(problem), look);
    }
    raise_file_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return cannot_start(&error),
    };
    let exit = runtime.block_on(async {
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => return cannot_start(&error),
        };
        tokio::select! {
            exit = asked(args, &peers, look) => exit,
            name = signals.next() => {
                complain(&format!("{name}: interrupted; nothing was changed on any host"));
                Exit::Interrupted
            }
        }
    });
    runtime.shutdown_background();
    exit
}

/// How it goes, the worst last: what failed wins over who was unreachable.
struct Course {
    failed: bool,
    unreachable: bool,
}

impl Course {
    /// A host that could not be asked; the error names it.
    fn host(&mut self, error: &TransportError) {
        self.unreachable |= error.is_unreachable();
        self.failed |= !error.is_unreachable();
        complain(&format!("error: {}", text::neutral(&error.to_string())));
    }

    fn failure(&mut self, what: &str) {
        self.failed = true;
        complain(&format!("error: {}", text::neutral(what)));
    }

    fn exit(&self) -> Exit {
        match (self.failed, self.unreachable) {
            (true, _) => Exit::Failed,
            (false, true) => Exit::Unreachable,
            (false, false) => Exit::Ok,
        }
    }
}

async fn asked(args: &PeersArgs, peers: &PeersOf, look: &Look) -> Exit {
    let inquiry = peers.open();
    let exit = ask_and_show(args, peers, &inquiry, look).await;
    inquiry.close().await;
    exit
}

async fn ask_and_show(args: &PeersArgs, peers: &PeersOf, inquiry: &Inquiry, look: &Look) -> Exit {
    let mut course = Course {
        failed: false,
        unreachable: false,
    };
    let mut found: Vec<(String, HostState, Vec<PeerState>)> = Vec::new();
    let mut names = BTreeSet::new();
    for (host, state) in peers.look(inquiry).await {
        match state {
            Ok(state) => {
                let mut list = state.peers();
                names.extend(list.iter().filter_map(|p| Some(p.name.as_ref()?.to_string())));
                if let Some(word) = &args.name {
                    list.retain(|peer| is_called(peer, word));
                }
                found.push((host, state, list));
            }
            Err(PeersError::Host(error)) => course.host(&error),
            Err(PeersError::Answer(error)) => course.failure(&format!("{host}: {error}")),
        }
    }
    if let Some(word) = &args.name
        && !found.is_empty()
        && found.iter().all(|(_, _, list)| list.is_empty())
    {
        let names: Vec<String> = names.into_iter().collect();
        course.failure(&no_such_peer(word, &names));
        return course.exit();
    }
    let mut done = Exit::Ok;
    if found.is_empty() {
        // Nobody answered, which was said.
    } else if args.fetch.out.is_none() && !args.fetch.qr {
        done = match args.format {
            Format::Json => say(&as_json(&found)),
            Format::Text => say(&as_text(&found, Paint::new(look.color_out))),
        };
    } else {
        let several = peers.hosts().len() > 1;
        for (host, _, list) in &found {
            fetched(&args.fetch, inquiry, host, list, several, look, &mut course).await;
        }
    }
    match course.exit() {
        Exit::Ok => done,
        other => other,
    }
}

/// `peer3` is also called `3`, and `peer_alice` also `alice`.
fn is_called(peer: &PeerState, word: &str) -> bool {
    let Some(name) = &peer.name else {
        return peer.public_key.as_deref() == Some(word);
    };
    let same = |backend| PeerName::of(word, backend).is_ok_and(|n| n == *name);
    name.as_str() == word || same(Backend::Native) || same(Backend::Docker)
}

fn no_such_peer(word: &str, names: &[String]) -> String {
    let all = match names {
        [] => "there are no peers at all".to_owned(),
        names => format!("the peers are {}", names.join(", ")),
    };
    match session::nearest(word, names) {
        Some(near) => format!("there is no peer {word}; did you mean {near}? {all}"),
        None => format!("there is no peer {word}; {all}"),
    }
}

async fn fetched(
    fetch: &FetchOptions,
    inquiry: &Inquiry,
    host: &str,
    list: &[PeerState],
    several: bool,
    look: &Look,
    course: &mut Course,
) {
    let mut files = Vec::new();
    for peer in list {
        match (&peer.name, &peer.file) {
            (Some(name), Some(path)) => files.push((name.clone(), path.clone())),
            (Some(name), None) if list.len() == 1 => {
                let why = if peer.revoked {
                    "it was revoked"
                } else {
                    "only its public key is there"
                };
                course.failure(&format!("{host} has no file of peer {name}: {why}"));
            }
            _ => {}
        }
    }
    if files.is_empty() {
        return;
    }
    let contents = match peers::fetch(inquiry, host, &files).await {
        Ok(contents) => contents,
        Err(FetchError::Host(error)) => return course.host(&error),
        Err(error) => return course.failure(&format!("{host}: {error}")),
    };
    if let Some(dir) = &fetch.out {
        let dir = if several { dir.join(host) } else { dir.clone() };
        if let Err(error) = peer_files::make_folder(&dir) {
            return course.failure(&error.to_string());
        }
        for (name, content) in &contents {
            saved(
                &dir,
                name,
                peer_files::save(&file_of(&dir, name), content, fetch.force),
                course,
            );
        }
    }
    if fetch.qr {
        for (name, content) in &contents {
            match qr::code(content, look.color_out) {
                Some(code) => {
                    say(code.expose().trim_end());
                }
                None => course.failure(&format!(
                    "the file of {name} is too long for a QR code; fetch it with --out"
                )),
            }
        }
    }
}

fn file_of(dir: &Path, name: &PeerName) -> std::path::PathBuf {
    dir.join(format!("{name}.conf"))
}

fn saved(dir: &Path, name: &PeerName, result: Result<Saved, SaveError>, course: &mut Course) {
    let file = file_of(dir, name);
    match result {
        Ok(Saved::Written) => {
            say(&format!("{}  saved", file.display()));
        }
        Ok(Saved::Same) => {
            say(&format!("{}  as it was", file.display()));
        }
        Err(error @ SaveError::Different(_)) => course.failure(&format!("{error}; --force replaces it")),
        Err(error) => course.failure(&error.to_string()),
    }
}

fn as_text(found: &[(String, HostState, Vec<PeerState>)], paint: Paint) -> String {
    let mut lines = Vec::new();
    for (host, state, list) in found {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let tunnel = match &state.running {
            Ok(running) => paint.tone(Tone::Good, &format!("the tunnel runs, on UDP port {}", running.port)),
            Err(why) => paint.tone(Tone::Notice, &format!("the tunnel does not run: {}", neutral_line(why))),
        };
        lines.push(format!("{}  {tunnel}", paint.tone(Tone::Strong, &neutral_line(host))));
        if list.is_empty() {
            lines.push("  no peers".into());
            continue;
        }
        let head = [
            "PEER",
            "ADDRESS",
            "PUBLIC KEY",
            "HANDSHAKE",
            "RECEIVED",
            "SENT",
            "STATE",
        ];
        let rows: Vec<[String; 7]> = list.iter().map(|peer| row(peer, state)).collect();
        let columns: Vec<usize> = (0..head.len())
            .map(|i| {
                rows.iter()
                    .map(|r| width(&r[i]))
                    .chain([width(head[i])])
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells
                .iter()
                .zip(&columns)
                .map(|(cell, width)| pad(cell, *width))
                .collect();
            format!("  {}", cells.join("  ").trim_end())
        };
        lines.push(paint.tone(Tone::Faint, &line(&head.map(str::to_owned))));
        for (cells, peer) in rows.iter().zip(list) {
            let text = line(cells);
            lines.push(match (peer.revoked, peer.running.is_some() && !peer.configured) {
                (_, true) => paint.tone(Tone::Bad, &text),
                (true, _) => paint.tone(Tone::Skipped, &text),
                _ => text,
            });
        }
    }
    lines.join("\n")
}

fn row(peer: &PeerState, state: &HostState) -> [String; 7] {
    let none = || "-".to_owned();
    let running = peer.running.as_ref();
    [
        peer.name.as_ref().map_or_else(none, ToString::to_string),
        peer.address.map_or_else(none, |a| a.to_string()),
        peer.public_key.as_deref().map_or_else(none, neutral_line),
        match running.map(|r| r.handshake) {
            None => none(),
            Some(None) => "never".into(),
            Some(Some(at)) => format!("{} ago", text::duration(state.now.saturating_sub(at) * 1000)),
        },
        running.map_or_else(none, |r| bytes(r.received)),
        running.map_or_else(none, |r| bytes(r.sent)),
        condition(peer, state).to_owned(),
    ]
}

/// The state of a peer in a few words, which the JSON has too.
fn condition(peer: &PeerState, state: &HostState) -> &'static str {
    let active = |at: u64| state.now.saturating_sub(at) < ACTIVE;
    match (&peer.running, state.running.is_ok()) {
        (Some(_), _) if peer.revoked => "revoked, and still in the tunnel",
        (None, _) if peer.revoked => "revoked",
        (Some(_), _) if !peer.configured => "in the tunnel alone",
        (Some(running), _) if running.handshake.is_some_and(active) => "connected",
        (Some(running), _) if running.handshake.is_some() => "away",
        (Some(_), _) => "never seen",
        (None, true) => "not in the tunnel",
        (None, false) => "tunnel down",
    }
}

fn bytes(count: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{count} B"),
        _ => format!("{value:.1} {}", units[unit]),
    }
}

fn as_json(found: &[(String, HostState, Vec<PeerState>)]) -> String {
    let hosts: serde_json::Map<String, Value> = found
        .iter()
        .map(|(host, state, list)| {
            let tunnel = match &state.running {
                Ok(running) => json!({"up": true, "port": running.port, "public_key": running.public_key}),
                Err(why) => json!({"up": false, "reason": why}),
            };
            let peers: Vec<Value> = list
                .iter()
                .map(|peer| {
                    let running = peer.running.as_ref();
                    json!({
                        "name": peer.name.as_ref().map(PeerName::as_str),
                        "address": peer.address.map(|a| a.to_string()),
                        "public_key": peer.public_key,
                        "endpoint": running.and_then(|r| r.endpoint.clone()),
                        "last_handshake": running.and_then(|r| r.handshake),
                        "received_bytes": running.map(|r| r.received),
                        "sent_bytes": running.map(|r| r.sent),
                        "revoked": peer.revoked,
                        "state": condition(peer, state),
                    })
                })
                .collect();
            (host.clone(), json!({"tunnel": tunnel, "peers": peers}))
        })
        .collect();
    text::safe_json(&serde_json::to_string_pretty(&hosts).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        assert_eq!(
            [0, 1023, 1024, 1536 * 1024].map(bytes),
            ["0 B", "1023 B", "1.0 KiB", "1.5 MiB"]
        );
    }

    #[test]
    fn a_name_that_is_not_there() {
        let names = ["peer1".to_owned(), "alice".to_owned()];
        assert_eq!(
            no_such_peer("alise", &names),
            "there is no peer alise; did you mean alice? the peers are peer1, alice"
        );
        assert_eq!(no_such_peer("x", &[]), "there is no peer x; there are no peers at all");
    }
}
