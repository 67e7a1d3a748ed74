//! Unpacking: what is decided from answers, and what real archivers do.

use super::*;
use crate::probe::file::digest;
use crate::testing::{self as t, expect_change, expect_error, expect_nothing};
use std::path::Path;
use std::process::{Command, Output};

const FOLDER: &str = "/opt/it";

fn sum() -> String {
    digest(b"archive")
}

fn from_url() -> Archive {
    Archive::new(
        FOLDER,
        ArchiveKind::TarGz,
        Origin::Url("https://example.org/it.tar.gz".into()),
    )
    .sha256(sum())
}

/// `FOLDER` is there, with something in it, and with the marker `held`.
fn there(held: Option<&str>) -> Answers {
    let answers = t::directory(Answers::new(), FOLDER, 0o755, "root", "root");
    let marker = format!("{FOLDER}/{MARKER}");
    let answers = match held {
        Some(held) => t::file(answers, &marker, 0o644, "root", "root", format!("{held}\n")),
        None => t::file_absent(answers, &marker),
    };
    answers.with(from_url().empty().question(), "1\n")
}

#[test]
fn the_marker_says_that_it_is_done() {
    expect_nothing(&from_url(), &there(Some(&sum())));
    let change = expect_change(&from_url(), &there(Some("of an older one")));
    assert_eq!(change.differences[0].before, Shown::text("SHA-256 of an older one"));
    let change = expect_change(&from_url().mode(0o750), &there(Some(&sum())));
    assert_eq!(
        t::scripts(&change),
        format!("chown -R -- root:root {FOLDER} && chmod 0750 {FOLDER}")
    );
}

#[test]
fn a_folder_that_is_there_keeps_its_mode_unless_one_is_asked_for() {
    let marker = format!("{FOLDER}/{MARKER}");
    let closed = t::directory(Answers::new(), FOLDER, 0o700, "root", "root");
    let closed =
        t::file(closed, &marker, 0o644, "root", "root", "of an older one\n").with(from_url().empty().question(), "1\n");
    let gone = t::file_absent(t::absent_below(Answers::new(), &marker, "/opt"), FOLDER)
        .with(from_url().empty().question(), "0\n");
    for (archive, answers, mode) in [
        (from_url(), &closed, "0700"),
        (from_url().mode(0o750), &closed, "0750"),
        (from_url(), &gone, "0755"),
    ] {
        let script = t::scripts(&expect_change(&archive, answers));
        assert!(script.contains(&format!("chmod {mode} \"$top\"")), "{mode}: {script}");
    }
}

#[test]
fn what_is_somebody_elses_is_left_alone() {
    let error = expect_error(&from_url(), &there(None));
    assert!(
        error.contains("/opt/it holds something that is from no archive of ours"),
        "{error}"
    );
    let empty = there(None).with(from_url().empty().question(), "0\n");
    expect_change(&from_url(), &empty);
    for (folder, part) in [
        ("/opt", "belongs to the system"),
        ("opt/it", "not an absolute path"),
        ("/a/../b", "not an absolute path"),
    ] {
        let archive = Archive::new(folder, ArchiveKind::Zip, Origin::OnTarget("/x.zip".into()));
        assert!(expect_error(&archive, &Answers::new()).contains(part));
    }
    let unsure = Archive::new(
        FOLDER,
        ArchiveKind::Zip,
        Origin::Url("https://example.org/x.zip".into()),
    );
    assert!(expect_error(&unsure, &there(None)).contains("has no checksum"));
}

/// Makes an archive with `script`, which runs in a folder and writes to `$1`.
fn made(folder: &Path, script: &str) -> String {
    let path = folder.join("archive");
    let work = folder.join("work");
    std::fs::create_dir(&work).expect("folder");
    let out = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(&path)
        .current_dir(&work)
        .output()
        .expect("sh");
    assert!(out.status.success(), "{out:?}");
    path.to_str().expect("text").to_owned()
}

fn unpack(folder: &Path, archive: impl Fn(Archive) -> Archive, kind: ArchiveKind, source: &str) -> Output {
    let place = folder.join("it's here").to_str().expect("text").to_owned();
    let resource = archive(Archive::new(&place, kind, Origin::OnTarget(source.to_owned())));
    let bytes = std::fs::read(source).expect("read");
    let answers = t::file(Answers::new(), source, 0o644, "root", "root", &bytes);
    let marker = format!("{place}/{MARKER}");
    let answers = match std::fs::read(&marker) {
        Ok(held) => t::directory(
            t::file(answers, &marker, 0o644, "root", "root", held),
            &place,
            0o755,
            "root",
            "root",
        ),
        Err(_) => t::file_absent(t::absent_below(answers, &marker, "/"), &place),
    };
    let answers = answers.with(resource.empty().question(), "0\n");
    let change = expect_change(&resource, &answers);
    let out = Command::new("sh")
        .args(["-c", &t::scripts(&change)])
        .env("LC_ALL", "C")
        .output()
        .expect("sh");
    if out.status.success() {
        let answers = t::directory(answers, &place, 0o755, "root", "root");
        let held = std::fs::read(&marker).expect("a marker");
        expect_nothing(&resource, &t::file(answers, &marker, 0o644, "root", "root", held));
    }
    out
}

const CONTENT: &str = "mkdir -p top/bin && echo tool >top/bin/tool && chmod 4755 top/bin/tool && ln -s tool top/bin/alias && mkdir top/share && ln -s ../bin top/share/bin";

fn scripts() -> [(ArchiveKind, &'static str); 3] {
    [
        (ArchiveKind::TarGz, "tar -czf \"$1\" top"),
        (ArchiveKind::TarXz, "tar -cJf \"$1\" top"),
        (
            ArchiveKind::Zip,
            "rm top/share/bin top/bin/alias && python3 -m zipfile -c \"$1\" top",
        ),
    ]
}

#[test]
fn every_kind_is_unpacked_and_an_older_one_replaced() {
    use std::os::unix::fs::PermissionsExt as _;
    for (kind, script) in scripts() {
        let folder = tempfile::tempdir().expect("folder");
        let source = made(folder.path(), &format!("{CONTENT}\n{script}"));
        let out = unpack(folder.path(), |archive| archive, kind, &source);
        assert!(out.status.success(), "{kind:?}: {out:?}");
        let tool = folder.path().join("it's here/top/bin/tool");
        assert_eq!(std::fs::read_to_string(&tool).expect("there"), "tool\n");
        let mode = std::fs::metadata(&tool).expect("there").permissions().mode();
        assert_eq!(mode & 0o6000, 0, "{kind:?}");
        std::fs::write(folder.path().join("it's here").join(MARKER), "older\n").expect("written");
        std::fs::write(folder.path().join("it's here/left"), "of the older one").expect("written");
        let out = unpack(folder.path(), Archive::flatten, kind, &source);
        assert!(out.status.success(), "{kind:?}: {out:?}");
        assert!(folder.path().join("it's here/bin/tool").is_file());
        assert!(!folder.path().join("it's here/left").exists());
        assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 3, "{kind:?}");
    }
}

#[test]
fn what_leads_out_is_refused_and_the_old_folder_stays() {
    const CLIMBS: &str = "python3 -c '
import sys,tarfile,io
t=tarfile.open(sys.argv[1],\"w:gz\")
i=tarfile.TarInfo(NAME); i.type=TYPE; i.linkname=LINK; t.addfile(i,io.BytesIO(b\"\"))
t.close()' \"$1\"";
    for (name, kind, link, says) in [
        ("\"../outside\"", "tarfile.REGTYPE", "\"\"", "members that lead out"),
        (
            "\"a/../../outside\"",
            "tarfile.REGTYPE",
            "\"\"",
            "members that lead out",
        ),
        ("\"/tmp/outside\"", "tarfile.REGTYPE", "\"\"", "members that lead out"),
        ("\"link\"", "tarfile.SYMTYPE", "\"/etc\"", "links that lead out"),
        ("\"a/link\"", "tarfile.SYMTYPE", "\"../../x\"", "links that lead out"),
        ("\"pipe\"", "tarfile.FIFOTYPE", "\"\"", "devices or pipes"),
    ] {
        let folder = tempfile::tempdir().expect("folder");
        let script = CLIMBS
            .replace("=TYPE", &format!("={kind}"))
            .replace("NAME", name)
            .replace("LINK", link);
        let source = made(folder.path(), &script);
        let place = folder.path().join("it's here");
        std::fs::create_dir(&place).expect("folder");
        std::fs::write(place.join(MARKER), "older\n").expect("written");
        let out = unpack(folder.path(), |archive| archive, ArchiveKind::TarGz, &source);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(66), "{name} {kind}: {said}");
        assert!(said.contains(says), "{name} {kind}: {said}");
        assert_eq!(std::fs::read_to_string(place.join(MARKER)).expect("there"), "older\n");
        assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 3, "{name}");
    }
    let folder = tempfile::tempdir().expect("folder");
    let zip =
        "python3 -c 'import sys,zipfile; zipfile.ZipFile(sys.argv[1],\"w\").writestr(\"../outside\",\"x\")' \"$1\"";
    let source = made(folder.path(), zip);
    let out = unpack(folder.path(), |archive| archive, ArchiveKind::Zip, &source);
    assert_eq!(out.status.code(), Some(66), "{out:?}");
    let folder = tempfile::tempdir().expect("folder");
    let source = made(folder.path(), "echo no archive >\"$1\"");
    let out = unpack(folder.path(), |archive| archive, ArchiveKind::TarGz, &source);
    assert_eq!(out.status.code(), Some(66), "{out:?}");
}

#[test]
fn flattening_wants_one_folder() {
    let folder = tempfile::tempdir().expect("folder");
    let source = made(folder.path(), "mkdir a && touch a/x b && tar -czf \"$1\" a b");
    let out = unpack(folder.path(), Archive::flatten, ArchiveKind::TarGz, &source);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(66), "{said}");
    assert!(said.contains("does not hold one folder"), "{said}");
}
