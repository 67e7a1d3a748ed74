//! Files that are prepared together, by real shells.

use super::*;
use crate::shell::{Frame, split_frames};
use crate::step::{Content, WriteFiles};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The shells that there are to try it with: name and arguments.
const SHELLS: [&[&str]; 3] = [&["dash"], &["bash", "--posix"], &["busybox", "sh"]];

fn sh(shell: &[&str], path: Option<&Path>, rendered: &Rendered) -> Option<(i32, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("script");
    std::fs::write(&script, &rendered.fragment).expect("written");
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg(&script).env("LC_ALL", "C");
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let _ = child.stdin.take().expect("stdin").write_all(&rendered.payload);
    let out = child.wait_with_output().expect("ends");
    assert_eq!(String::from_utf8_lossy(&out.stderr), "");
    Some((
        out.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&out.stdout).into_owned(),
    ))
}

fn id(flag: &str) -> String {
    let out = Command::new("id").arg(flag).output().expect("id");
    String::from_utf8(out.stdout).expect("text").trim().to_owned()
}

fn file(path: PathBuf, content: Content) -> FileToWrite {
    FileToWrite {
        path: path.to_str().expect("utf8").to_owned(),
        content,
        mode: 0o640,
        owner: id("-u"),
        group: id("-g"),
        keep_first: None,
    }
}

fn public(path: PathBuf, content: impl AsRef<[u8]>) -> FileToWrite {
    file(path, Content::public(content.as_ref().to_vec()))
}

fn rendered(files: &[FileToWrite]) -> Rendered {
    write_together(&files.iter().collect::<Vec<_>>(), &mut TEXT.clone())
}

fn run(files: &[FileToWrite]) -> (i32, Vec<(i32, String)>) {
    let (status, output) = sh(&["sh"], None, &rendered(files)).expect("sh");
    (status, frames(&output))
}

fn frames(output: &str) -> Vec<(i32, String)> {
    let own = |frame: &Frame<'_>| (frame.status, frame.text.to_owned());
    split_frames(output).expect("whole").iter().map(own).collect()
}

/// All names in a folder, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

const DONE: (i32, String) = (0, String::new());

/// A folder of programs in place of the system's, without `perl`.
fn without_perl() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["rm", "mktemp", "head", "chown", "chmod", "stat", "mv"] {
        let from = ["/usr/bin", "/bin"].map(|place| Path::new(place).join(name));
        let from = from.iter().find(|path| path.exists()).expect("a tool");
        std::os::unix::fs::symlink(from, folder.path().join(name)).expect("linked");
    }
    folder
}

#[test]
fn whatever_files_hold_and_are_called_they_come_byte_for_byte_with_mode_in_every_shell() {
    let all: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let contents: [&[u8]; 10] = [
        b"",
        b"\n",
        b"line\nline\n\n\n",
        b"no end",
        b"it's $HOME `id` \"%s\" \\n \\\\ %% !! ~ # -n",
        b"-n",
        b"tab\there",
        "caf\u{e9} \u{65e5}\u{672c} \u{81}\u{88}".as_bytes(),
        b"nul\0nul",
        &all,
    ];
    let names_of = [
        "plain",
        "it's",
        "$odd \"name\"",
        "-leading",
        "new\nline",
        "*",
        "a b",
        ".hidden",
        "caf\u{e9}",
        "\\back",
    ];
    let perlless = without_perl();
    for shell in SHELLS {
        for path in [None, Some(perlless.path())] {
            if path.is_some() && shell != SHELLS[0] {
                continue;
            }
            let dir = tempfile::tempdir().expect("a folder");
            let two = dir.path().join("a folder");
            std::fs::create_dir(&two).expect("made");
            let mut files = Vec::new();
            for (n, (content, name)) in contents.iter().zip(names_of).enumerate() {
                let mut one = public(dir.path().join(name), content);
                one.mode = [0o644, 0o600, 0o4755, 0o440][n % 4];
                files.push(one);
                files.push(file(two.join(name), Content::sensitive(content.to_vec())));
            }
            let shell: Vec<&str> = match shell[0] {
                // Found by the tests' own path.
                "dash" if path.is_some() => vec!["/bin/dash"],
                _ => shell.to_vec(),
            };
            let Some((status, output)) = sh(&shell, path, &rendered(&files)) else {
                assert_ne!(shell[0], "dash", "dash is needed");
                continue;
            };
            assert_eq!(
                (status, frames(&output)),
                (0, vec![DONE; files.len()]),
                "{shell:?} {path:?}"
            );
            for (n, one) in files.iter().enumerate() {
                assert_eq!(
                    std::fs::read(&one.path).expect("there"),
                    one.content.bytes().as_ref(),
                    "{shell:?} {n}"
                );
                assert_eq!(mode(Path::new(&one.path)), one.mode);
            }
            assert_eq!(names(&two).len(), names_of.len());
            assert_eq!(names(dir.path()).len(), names_of.len() + 1);
        }
    }
}

#[test]
fn what_must_not_be_shown_is_in_no_script() {
    let files = [
        file("/x/a".into(), Content::sensitive("hunter2")),
        public("/x/b".into(), "public text"),
    ];
    let rendered = rendered(&files);
    assert!(!rendered.fragment.contains("hunter2"));
    assert!(rendered.fragment.contains("public text"));
    assert_eq!(&rendered.payload[..], b"hunter2");
}

#[test]
fn a_script_holds_so_much_text_and_no_more() {
    let files: Vec<_> = (0..600)
        .map(|n| public(format!("/x/{n}").into(), "text".repeat(900)))
        .collect();
    let rendered = rendered(&files);
    assert!(rendered.fragment.len() < TEXT + 100_000, "{}", rendered.fragment.len());
    assert_eq!(rendered.payload.len() % 3600, 0);
    assert!(rendered.payload.len() > 1_000_000);
}

#[test]
fn predecessors_are_replaced_links_too_and_nothing_is_written_through_them() {
    for path in [None, Some(without_perl())] {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("old"), "old").expect("written");
        std::fs::write(at("victim"), "untouched").expect("written");
        std::fs::create_dir(at("folder")).expect("made");
        for (target, link) in [("victim", "to-file"), ("folder", "to-folder"), ("nowhere", "dangling")] {
            std::os::unix::fs::symlink(at(target), at(link)).expect("linked");
        }
        let written = ["old", "to-file", "to-folder", "dangling"];
        let files: Vec<_> = written.iter().map(|name| public(at(name), "new")).collect();
        let path = path.as_ref().map(tempfile::TempDir::path);
        let (status, output) = sh(&["/bin/sh"], path, &rendered(&files)).expect("sh");
        assert_eq!((status, frames(&output)), (0, vec![DONE; 4]));
        for name in written {
            assert!(!at(name).is_symlink(), "{name}");
            assert_eq!(std::fs::read(at(name)).expect("there"), b"new");
        }
        assert_eq!(std::fs::read(at("victim")).expect("there"), b"untouched");
        assert_eq!(names(&at("folder")), [""; 0]);
        assert_eq!(
            names(dir.path()),
            ["dangling", "folder", "old", "to-file", "to-folder", "victim"]
        );
    }
}

#[test]
fn the_first_that_does_not_go_ends_it_what_came_before_is_in_place_and_what_follows_is_not() {
    for path in [None, Some(without_perl())] {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("c")).expect("made");
        std::fs::write(at("d"), "old").expect("written");
        let files: Vec<_> = ["a", "b", "c", "d", "e"].map(|name| public(at(name), "new")).into();
        let path = path.as_ref().map(tempfile::TempDir::path);
        let (status, output) = sh(&["/bin/sh"], path, &rendered(&files)).expect("sh");
        let frames = frames(&output);
        assert_eq!((status, frames.len()), (1, 3));
        assert_eq!(frames[..2], [DONE, DONE]);
        assert!(frames[2].0 != 0 && frames[2].1.contains("/c'"), "{frames:?}");
        assert_eq!(names(dir.path()), ["a", "b", "c", "d"]);
        assert_eq!(names(&at("c")), [""; 0]);
        assert_eq!(std::fs::read(at("d")).expect("there"), b"old");
    }
}

#[test]
fn nothing_is_in_place_and_nothing_left_when_one_cannot_be_made_ready() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("a"), "old").expect("written");
    let mut nobodys = public(at("b"), "new");
    nobodys.owner = "no-such-user".into();
    for second in [nobodys, public(at("missing/b"), "new")] {
        let files = [public(at("a"), "new"), second, public(at("c"), "new")];
        assert_eq!(run(&files), (1, vec![(UNPREPARED, String::new())]));
        assert_eq!(names(dir.path()), ["a"]);
        assert_eq!(std::fs::read(at("a")).expect("there"), b"old");
    }
    // A payload that broke off: a short file is not put in place.
    let files = [public(at("a"), "caf\u{e9}"), public(at("b"), "caf\u{e9}")];
    let mut rendered = rendered(&files);
    rendered.payload.truncate(7);
    let (status, output) = sh(&["sh"], None, &rendered).expect("sh");
    assert_eq!((status, frames(&output)), (1, vec![(UNPREPARED, String::new())]));
    assert_eq!(names(dir.path()), ["a"]);
}

#[test]
fn leftovers_of_killed_runs_go_and_what_is_under_way_stays() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name);
    // Of a process that is at work, of one whose number another has now, and of one that is no more.
    let stat = std::fs::read_to_string("/proc/self/stat").expect("proc");
    let began = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.split(' ').nth(19))
        .expect("a time");
    let own = std::process::id();
    let alive = format!("..mosip-prov.{own}-{began}.abc123");
    for folder in [
        alive.clone(),
        format!("..mosip-prov.{own}-{}.abc123", began.len()),
        "..mosip-prov.4194999-1.abc123".into(),
        "..mosip-prov.odd".into(),
    ] {
        std::fs::create_dir(at(&folder)).expect("made");
        std::fs::write(at(&folder).join("1"), "half").expect("written");
    }
    for candidate in [
        ".a.mosip-prov.abc123",
        ".b.mosip-prov.abc123",
        ".another.mosip-prov.abc123",
    ] {
        std::fs::write(at(candidate), "half").expect("written");
    }
    let files = [public(at("a"), "new"), public(at("b"), "new")];
    assert_eq!(run(&files), (0, vec![DONE; 2]));
    assert_eq!(
        names(dir.path()),
        [alive.as_str(), ".another.mosip-prov.abc123", "a", "b"]
    );
}

#[test]
fn folders_that_hand_down_their_group_or_rights_change_neither_mode_nor_owner() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name);
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o2777)).expect("set");
    let acl = Command::new("setfacl")
        .args(["-d", "-m", "u::rwx,g::rwx,o::rwx"])
        .arg(dir.path())
        .status()
        .is_ok_and(|status| status.success());
    let mut files = [public(at("a"), "new"), file(at("b"), Content::sensitive("new"))];
    files[1].mode = 0o600;
    // While they are made, nobody else may enter.
    let watching = rendered(&files);
    let fragment = watching.fragment.replacen(
        "p 2>/dev/null",
        "p 2>/dev/null && [ \"$(stat -c %a \"$d1\" | tail -c 4)\" = 700 ]",
        1,
    );
    let watching = Rendered { fragment, ..watching };
    let (status, output) = sh(&["sh"], None, &watching).expect("sh");
    assert_eq!(
        (status, frames(&output)),
        (0, vec![DONE; 2]),
        "with rights handed down: {acl}"
    );
    assert_eq!((mode(&at("a")), mode(&at("b"))), (0o640, 0o600));
    for name in ["a", "b"] {
        assert_eq!(std::fs::metadata(at(name)).expect("there").gid().to_string(), id("-g"));
    }
    assert_eq!(names(dir.path()), ["a", "b"]);
}

#[test]
fn only_plain_files_that_follow_each_other_go_together() {
    let change = |name: &str| {
        Change::new(name).step(WriteFiles {
            files: vec![public(format!("/x/{name}").into(), "text")],
            validate: None,
        })
    };
    let mut validated = change("v");
    if let Step::WriteFiles(write) = &mut validated.steps[0] {
        write.validate = Some("true".into());
    }
    let mut keeping = change("k");
    if let Step::WriteFiles(write) = &mut keeping.steps[0] {
        write.files[0].keep_first = Some("/x/k.orig".into());
    }
    let two = change("two").step(WriteFiles {
        files: vec![public("/x/more".into(), "text")],
        validate: None,
    });
    let (a, b, c) = (change("a"), change("b"), change("c"));
    let count = |changes: &[&Change]| first_files(changes).len();
    assert_eq!(count(&[&a, &b, &c]), 3);
    assert_eq!(count(&[&a, &b, &a]), 2);
    for other in [&validated, &keeping, &two] {
        assert_eq!(count(&[&a, &b, other, &c]), 2);
        assert_eq!(count(&[&a, other, &b]), 0);
        assert_eq!(count(&[other, &a, &b]), 0);
    }
    assert_eq!(count(&[&a]), 0);
    let many: Vec<Change> = (0..1500).map(|n| change(&n.to_string())).collect();
    assert_eq!(count(&many.iter().collect::<Vec<_>>()), FILES);
}

#[test]
fn a_full_disk_is_seen_before_anything_is_replaced() {
    let dir = tempfile::tempdir().expect("a folder");
    let mounted = |args: &[&str]| {
        Command::new("mount")
            .args(args)
            .arg(dir.path())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if !mounted(&["-t", "tmpfs", "-o", "size=64k", "tmpfs"]) {
        // Only root can have a small file system; the fault suite fills a host's.
        return;
    }
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("a"), "old").expect("written");
    let files: Vec<_> = ["a", "b", "c"]
        .iter()
        .map(|name| at(name))
        .chain((0..30).map(|n| at(&format!("more{n}"))))
        .map(|path| public(path, "text".repeat(1000)))
        .collect();
    let ended = std::panic::catch_unwind(|| {
        assert_eq!(run(&files), (1, vec![(UNPREPARED, String::new())]));
        assert_eq!(std::fs::read(at("a")).expect("there"), b"old");
        assert_eq!(names(dir.path()), ["a"]);
    });
    let _ = Command::new("umount").arg(dir.path()).status();
    assert!(ended.is_ok());
}
