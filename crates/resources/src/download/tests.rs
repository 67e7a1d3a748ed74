//! Fetching: what is decided from answers, and what curl and wget do with a server on the loopback.

use super::*;
use crate::probe::file::digest;
use crate::testing::{self as t, expect_change, expect_error, expect_nothing, expect_unknown};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

const URL: &str = "https://example.org/rke";

fn sum(content: &str) -> String {
    digest(content.as_bytes())
}

fn check() -> VersionCheck {
    VersionCheck::new("\"$1\" --version", "v1.3.10")
}

/// `path` answers its version question so.
fn says(answers: Answers, path: &str, check: &VersionCheck, status: i32, output: &str) -> Answers {
    answers.with(check.ask(path).question(), format!("{status}\n{output}"))
}

#[test]
fn a_version_is_found_as_a_whole() {
    for (wanted, output, holds) in [
        ("v1.3.10", "rke version v1.3.10", true),
        ("v1.3.1", "rke version v1.3.10", false),
        ("1.15.0", "client version: 1.15.0\ncontrol plane", true),
        ("1.15.0", "v1.15.0", true),
        ("1.15.0", "11.15.0", false),
        ("1.15.0", "2.1.15.0", false),
        ("1.15.0", "1.15.0-rc.1", false),
        ("1.15.0", "1.15.0.1", false),
        ("1.15.0", "it is 1.15.0.", true),
        ("1.15.0", "1.15.0+g12ab", true),
        ("1.15.0", "1x15y0", false),
        ("1.1.1", "OpenSSL 1.1.1f  31 Mar 2020", false),
        ("1.1.1f", "OpenSSL 1.1.1f  31 Mar 2020", true),
        ("OpenSSL 1.1.1f", "OpenSSL 1.1.1f  31 Mar 2020", true),
        ("\"v1.22.0\"", "{\"gitVersion\": \"v1.22.0\"}", true),
        ("1.2+3", "1.2+3", true),
    ] {
        let check = VersionCheck::new("x", wanted);
        assert_eq!(check.holds(output), holds, "{wanted} in {output}");
        let grep = Command::new("sh")
            .args([
                "-c",
                "printf '%s\\n' \"$2\" | grep -Eq -- \"$1\"",
                "sh",
                &check.pattern(),
                output,
            ])
            .status()
            .expect("grep");
        assert_eq!(grep.success(), holds, "grep: {wanted} in {output}");
    }
}

#[test]
fn a_right_version_is_left_alone_whatever_its_checksum() {
    let rke = Download::url("/b/rke", URL)
        .sha256(sum("ours"))
        .mode(0o755)
        .version(check());
    let file = t::file(Answers::new(), "/b/rke", 0o755, "root", "root", "the distribution's");
    let right = says(file.clone(), "/b/rke", &check(), 0, "rke version v1.3.10");
    assert_eq!(expect_nothing(&rke, &right), "/b/rke is version v1.3.10");
    let other = says(file.clone(), "/b/rke", &check(), 0, "rke version v1.3.1");
    let change = expect_change(&rke, &other);
    assert_eq!(change.differences[0].before, Shown::text("rke version v1.3.1"));
    assert_eq!(change.differences[0].after, Shown::text("version v1.3.10"));
    assert_eq!(change.touches, [Touch::Path("/b/rke".into())]);
    // It says the right thing and fails: it is broken.
    let broken = says(file, "/b/rke", &check(), 1, "rke version v1.3.10");
    expect_change(&rke, &broken);
}

#[test]
fn without_a_version_the_checksum_decides_and_without_both_that_it_is_there() {
    let exact = Download::url("/b/rke", URL)
        .sha256(sum("new").to_uppercase())
        .mode(0o755);
    let new = t::file(Answers::new(), "/b/rke", 0o755, "root", "root", "new");
    let old = t::file(Answers::new(), "/b/rke", 0o755, "root", "root", "old");
    expect_nothing(&exact, &new);
    let change = expect_change(&exact, &old);
    assert_eq!(
        change.differences[0].before,
        Shown::text(format!("SHA-256 {}", sum("old")))
    );
    assert!(
        change
            .steps
            .iter()
            .all(|step| matches!(step, mosip_prov_engine::Step::Shell(shell) if shell.long))
    );
    expect_nothing(&Download::url("/b/rke", URL), &old);
    let absent = t::file_absent(Answers::new(), "/b/rke");
    assert_eq!(
        expect_change(&Download::url("/b/rke", URL), &absent).differences[0].before,
        Shown::Absent
    );
}

#[test]
fn mode_and_owner_alone_are_set_without_fetching() {
    let exact = Download::url("/b/rke", URL)
        .sha256(sum("new"))
        .mode(0o755)
        .owner("root");
    let change = expect_change(&exact, &t::file(Answers::new(), "/b/rke", 0o644, "root", "root", "new"));
    assert_eq!(t::scripts(&change), "chown -- root:root /b/rke && chmod 0755 /b/rke");
}

#[test]
fn a_source_on_the_target_is_its_own_checksum() {
    let copy = Download::on_target("/b/rke", "/mnt/rke");
    let source = t::file(Answers::new(), "/mnt/rke", 0o644, "root", "root", "new");
    expect_nothing(&copy, &t::file(source.clone(), "/b/rke", 0o644, "root", "root", "new"));
    expect_change(&copy, &t::file(source.clone(), "/b/rke", 0o644, "root", "root", "old"));
    let wrong = Download::on_target("/b/rke", "/mnt/rke").sha256(sum("third"));
    let error = expect_error(&wrong, &t::file(source, "/b/rke", 0o644, "root", "root", "old"));
    assert!(error.contains(&sum("new")) && error.contains(&sum("third")), "{error}");
    let gone = t::file_absent(t::file_absent(Answers::new(), "/mnt/rke"), "/b/rke");
    assert!(expect_error(&copy, &gone).contains("/mnt/rke should be a file on the host but is not there"));
    expect_unknown(&copy, &gone.with_pending("bring it", vec![Touch::Path("/mnt".into())]));
}

#[test]
fn what_no_host_can_help_is_an_error() {
    let absent = t::file_absent(Answers::new(), "/b/x");
    for (download, part) in [
        (Download::url("b/x", URL), "not an absolute path"),
        (Download::url("/b/x", "ftp://example.org/x"), "no URL to fetch from"),
        (Download::url("/b/x", "https://"), "no URL to fetch from"),
        (Download::url("/b/x", URL).sha256("abc"), "is no SHA-256"),
        (
            Download::url("/b/x", URL).member(ArchiveKind::Zip, ""),
            "no name of a member",
        ),
    ] {
        let error = expect_error(&download, &absent);
        assert!(error.contains(part), "{error}");
    }
    let nowhere = t::absent_below(Answers::new(), "/b/c/x", "/b");
    assert!(expect_error(&Download::url("/b/c/x", URL), &nowhere).contains("its folder /b/c does not exist"));
}

#[test]
fn what_opens_a_private_store_is_not_shown() {
    let url = "https://user:geheim@store.example.org:8443/a/b.tar.gz?token=geheim#x";
    assert_eq!(shown_url(url), "https://store.example.org:8443/a/b.tar.gz?…");
    assert_eq!(shown_url(URL), URL);
    let download = Download::url("/b/x", url);
    let change = expect_change(&download, &t::file_absent(Answers::new(), "/b/x"));
    let shown = format!("{download:?} {} {:?}", change.summary, change.differences);
    assert!(!shown.contains("geheim"), "{shown}");
}

#[test]
fn kinds_are_known_by_name() {
    for (name, kind) in [
        ("helm-v3.10.0-linux-amd64.tar.gz", Some(ArchiveKind::TarGz)),
        ("https://example.org/x.TGZ?sig=a.zip", Some(ArchiveKind::TarGz)),
        ("x.tar.xz", Some(ArchiveKind::TarXz)),
        ("terraform.zip", Some(ArchiveKind::Zip)),
        ("rke_linux-amd64", None),
    ] {
        assert_eq!(ArchiveKind::of(name), kind, "{name}");
    }
}

/// What a server does with one request: the status line, headers and how many bytes of the body it sends before it hangs
/// up; `None` for all.
type Behaviour = dyn Fn(usize, &str) -> (String, Vec<u8>, Option<usize>) + Send + Sync;

/// A server on loopback, for as long as the test runs; with the requests that came.
pub(crate) fn serve(behave: Box<Behaviour>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("its address"));
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let Some(request) = head(&mut stream) else { continue };
            let number = {
                let mut log = log.lock().expect("lock");
                log.push(request.clone());
                log.len()
            };
            let (status, body, cut) = behave(number, &request);
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&body[..cut.unwrap_or(body.len())]);
        }
    });
    (base, seen)
}

fn head(stream: &mut TcpStream) -> Option<String> {
    let mut all = Vec::new();
    let mut byte = [0];
    while !all.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        all.push(byte[0]);
    }
    String::from_utf8(all).ok()
}

/// Where a request wants to go on.
fn range(request: &str) -> Option<usize> {
    let line = request
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("range:"))?;
    line.split_once("bytes=")?.1.trim_end_matches('-').parse().ok()
}

/// Sends `content`, or what is left of it.
fn whole(content: &'static str, request: &str) -> (String, Vec<u8>, Option<usize>) {
    match range(request) {
        Some(from) if from < content.len() => (
            format!(
                "206 Partial Content\r\nContent-Range: bytes {from}-{}/{}",
                content.len() - 1,
                content.len()
            ),
            content.as_bytes()[from..].to_vec(),
            None,
        ),
        Some(_) => ("416 Range Not Satisfiable".into(), Vec::new(), None),
        None => ("200 OK".into(), content.as_bytes().to_vec(), None),
    }
}

fn run(change: &Change) -> Output {
    let mut last = None;
    for step in &change.steps {
        let mosip_prov_engine::Step::Shell(shell) = step else {
            panic!("only shell: {step:?}")
        };
        // Waiting between tries is not what is tested.
        let script = format!("sleep() {{ :; }}\n{}", shell.script);
        last = Some(
            Command::new("sh")
                .args(["-c", &script])
                .env("LC_ALL", "C")
                .output()
                .expect("sh"),
        );
    }
    last.expect("a step")
}

/// A folder, and the path of a file in it.
fn place() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("it's a tool").to_str().expect("text").to_owned();
    (folder, path)
}

fn names(folder: &tempfile::TempDir) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .expect("folder")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    names
}

fn fetch(download: &Download, path: &str) -> Output {
    let answers = if std::path::Path::new(path).exists() {
        let content = std::fs::read(path).expect("read");
        t::file(Answers::new(), path, 0o644, &id("-u"), &id("-g"), content)
    } else {
        t::file_absent(Answers::new(), path)
    };
    let answers = match &download.version {
        Some(check) => says(answers, path, check, 1, ""),
        None => answers,
    };
    run(&expect_change(download, &answers))
}

fn id(flag: &str) -> String {
    let out = Command::new("id").arg(flag).output().expect("id");
    String::from_utf8(out.stdout).expect("text").trim().to_owned()
}

const SCRIPT: &str = "#!/bin/sh\necho tool version v1.3.10\n# and so on, for more than a few bytes of content\n";

#[test]
fn it_is_fetched_with_its_mode() {
    use std::os::unix::fs::PermissionsExt as _;
    let (base, _) = serve(Box::new(|_, request| whole(SCRIPT, request)));
    let (folder, path) = place();
    let tool = Download::url(&path, format!("{base}/tool"))
        .sha256(sum(SCRIPT))
        .mode(0o750)
        .version(check());
    let out = fetch(&tool, &path);
    assert!(out.status.success(), "{out:?}");
    assert_eq!(std::fs::read_to_string(&path).expect("there"), SCRIPT);
    let mode = std::fs::metadata(&path).expect("there").permissions().mode() & 0o7777;
    assert_eq!((mode, names(&folder)), (0o750, vec!["it's a tool".to_owned()]));
}

#[test]
fn a_cut_transfer_goes_on_where_it_stopped() {
    let (base, seen) = serve(Box::new(|number, request| {
        let (status, body, _) = whole(SCRIPT, request);
        (status, body, (number < 3).then_some(20))
    }));
    let (folder, path) = place();
    let tool = Download::url(&path, format!("{base}/tool")).sha256(sum(SCRIPT));
    let out = fetch(&tool, &path);
    assert!(out.status.success(), "{out:?}");
    assert_eq!(std::fs::read_to_string(&path).expect("there"), SCRIPT);
    let from: Vec<_> = seen
        .lock()
        .expect("lock")
        .iter()
        .map(|request| range(request))
        .collect();
    assert_eq!(from, [None, Some(20), Some(40)]);
    assert_eq!(names(&folder), ["it's a tool"]);
}

#[test]
fn what_an_earlier_run_had_is_taken_up_when_the_checksum_can_tell() {
    let (base, seen) = serve(Box::new(|number, request| match number {
        1 => ("503 Busy".into(), Vec::new(), None),
        _ => whole(SCRIPT, request),
    }));
    let (folder, path) = place();
    let url = format!("{base}/tool");
    let mark = digest(format!("{url}\n{}", sum(SCRIPT)).as_bytes());
    let of = |mark: &str| script::part(&path, mark);
    std::fs::write(of(&mark[..16]), &SCRIPT[..10]).expect("written");
    std::fs::write(of("0123456789abcdef"), "of another source").expect("written");
    let out = fetch(&Download::url(&path, &url).sha256(sum(SCRIPT)), &path);
    assert!(out.status.success(), "{out:?}");
    assert_eq!(std::fs::read_to_string(&path).expect("there"), SCRIPT);
    let from: Vec<_> = seen
        .lock()
        .expect("lock")
        .iter()
        .map(|request| range(request))
        .collect();
    assert_eq!(from, [Some(10), Some(10)]);
    assert_eq!(names(&folder), ["it's a tool"]);
    // Without a checksum, nobody could tell that both halves fit.
    std::fs::remove_file(&path).expect("removed");
    let mark = digest(format!("{url}\n").as_bytes());
    std::fs::write(of(&mark[..16]), "XXXXXXXXXX").expect("written");
    assert!(fetch(&Download::url(&path, &url), &path).status.success());
    assert_eq!(std::fs::read_to_string(&path).expect("there"), SCRIPT);
}

#[test]
fn halves_that_do_not_fit_are_fetched_whole() {
    let (base, _) = serve(Box::new(|_, request| whole(SCRIPT, request)));
    let (_folder, path) = place();
    let url = format!("{base}/tool");
    let mark = digest(format!("{url}\n{}", sum(SCRIPT)).as_bytes());
    std::fs::write(script::part(&path, &mark[..16]), "XXXXXXXXXX").expect("written");
    let out = fetch(&Download::url(&path, &url).sha256(sum(SCRIPT)), &path);
    assert!(out.status.success(), "{out:?}");
    assert_eq!(std::fs::read_to_string(&path).expect("there"), SCRIPT);
}

#[test]
fn a_wrong_checksum_names_both_and_the_old_file_stays() {
    let (base, _) = serve(Box::new(|_, request| whole(SCRIPT, request)));
    let (folder, path) = place();
    std::fs::write(&path, "old").expect("written");
    let out = fetch(
        &Download::url(&path, format!("{base}/tool")).sha256(sum("other")),
        &path,
    );
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(65), "{said}");
    assert!(said.contains(&sum("other")) && said.contains(&sum(SCRIPT)), "{said}");
    assert_eq!(std::fs::read_to_string(&path).expect("there"), "old");
    assert_eq!(names(&folder), ["it's a tool"]);
}

#[test]
fn a_wrong_version_is_not_put_in_place() {
    let (base, _) = serve(Box::new(|_, request| whole(SCRIPT, request)));
    let (folder, path) = place();
    std::fs::write(&path, "old").expect("written");
    let wanted = VersionCheck::new("\"$1\"", "v1.3.1");
    let out = fetch(
        &Download::url(&path, format!("{base}/tool")).mode(0o755).version(wanted),
        &path,
    );
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(67), "{said}");
    assert!(
        said.contains("is not version v1.3.1") && said.contains("tool version v1.3.10"),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(&path).expect("there"), "old");
    assert_eq!(names(&folder), ["it's a tool"]);
}

#[test]
fn what_is_not_there_fails_at_once_and_what_may_come_is_tried_again() {
    let (base, seen) = serve(Box::new(|_, _| ("404 Not Found".into(), Vec::new(), None)));
    let (_folder, path) = place();
    let out = fetch(&Download::url(&path, format!("{base}/tool?token=geheim")), &path);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(69), "{said}");
    assert!(
        said.contains("404") && said.contains("/tool?… could not be fetched") && !said.contains("geheim"),
        "{said}"
    );
    assert_eq!(seen.lock().expect("lock").len(), 1);
    let (base, seen) = serve(Box::new(|_, _| ("503 Busy".into(), Vec::new(), None)));
    let out = fetch(&Download::url(&path, format!("{base}/tool")), &path);
    assert_eq!((out.status.code(), seen.lock().expect("lock").len()), (Some(69), 6));
}

#[test]
fn wget_does_where_there_is_no_curl() {
    let (base, seen) = serve(Box::new(|number, request| {
        if request.contains("/gone") {
            return ("404 Not Found".into(), Vec::new(), None);
        }
        let (status, body, _) = whole(SCRIPT, request);
        (status, body, (number == 1).then_some(20))
    }));
    let (_folder, path) = place();
    let without_curl = |download: &Download| {
        let mut change = expect_change(download, &t::file_absent(Answers::new(), &path));
        for step in &mut change.steps {
            if let mosip_prov_engine::Step::Shell(shell) = step {
                shell.script = shell.script.replace("command -v curl", "command -v no-curl-here");
            }
        }
        run(&change)
    };
    if !Command::new("wget")
        .arg("--version")
        .output()
        .is_ok_and(|out| out.status.success())
    {
        return;
    }
    let out = without_curl(&Download::url(&path, format!("{base}/tool")).sha256(sum(SCRIPT)));
    assert!(out.status.success(), "{out:?}");
    assert_eq!(std::fs::read_to_string(&path).expect("there"), SCRIPT);
    assert_eq!(range(&seen.lock().expect("lock")[1]), Some(20));
    let before = seen.lock().expect("lock").len();
    let out = without_curl(&Download::url(&path, format!("{base}/gone")));
    assert_eq!(out.status.code(), Some(69), "{out:?}");
    assert_eq!(seen.lock().expect("lock").len(), before + 1);
}

/// An archive of the files of `folder`, made by `tar` or Python.
fn archive_of(folder: &std::path::Path, kind: ArchiveKind) -> std::path::PathBuf {
    let path = folder.with_extension(match kind {
        ArchiveKind::TarGz => "tar.gz",
        ArchiveKind::TarXz => "tar.xz",
        ArchiveKind::Zip => "zip",
    });
    let script = match kind {
        ArchiveKind::TarGz => "tar -C \"$1\" -czf \"$2\" .",
        ArchiveKind::TarXz => "tar -C \"$1\" -cJf \"$2\" .",
        ArchiveKind::Zip => "cd \"$1\" && python3 -m zipfile -c \"$2\" *",
    };
    let made = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(folder)
        .arg(&path)
        .output()
        .expect("sh");
    assert!(made.status.success(), "{made:?}");
    path
}

#[test]
fn a_member_is_taken_from_every_kind_of_archive() {
    for (kind, prefix) in [
        (ArchiveKind::TarGz, "./"),
        (ArchiveKind::TarXz, "./"),
        (ArchiveKind::Zip, ""),
    ] {
        let (folder, path) = place();
        let content = folder.path().join("content");
        std::fs::create_dir_all(content.join("linux amd64")).expect("folder");
        std::fs::write(content.join("linux amd64/tool"), SCRIPT).expect("written");
        std::fs::write(content.join("README"), "read").expect("written");
        let archive = archive_of(&content, kind);
        let archive = archive.to_str().expect("text");
        let bytes = std::fs::read(archive).expect("read");
        let source = t::file(Answers::new(), archive, 0o644, "root", "root", &bytes);
        let answers = t::file_absent(source, &path);
        let take = |member: &str| {
            Download::on_target(&path, archive)
                .sha256(digest(&bytes))
                .member(kind, format!("{prefix}{member}"))
                .mode(0o755)
        };
        let before = names(&folder);
        let out = run(&expect_change(&take("no such tool"), &answers));
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(66), "{kind:?}: {said}");
        assert!(said.contains("no such tool in the archive"), "{said}");
        assert_eq!(names(&folder), before);
        let wrong = take("linux amd64/tool").member_sha256(sum("other"));
        let out = run(&expect_change(&wrong, &answers));
        assert_eq!(out.status.code(), Some(65), "{kind:?}: {out:?}");
        assert_eq!(names(&folder), before);
        let right = take("linux amd64/tool").member_sha256(sum(SCRIPT));
        let out = run(&expect_change(&right, &answers));
        assert!(out.status.success(), "{kind:?}: {out:?}");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), SCRIPT);
        // The checksum is the archive's, and says nothing about the member.
        let there = t::file(Answers::new(), &path, 0o755, "root", "root", SCRIPT);
        expect_nothing(
            &take("linux amd64/tool"),
            &t::file(there, archive, 0o644, "root", "root", &bytes),
        );
    }
}

#[test]
fn an_archive_of_this_machine_is_sent_beside_for_the_tasks_user_alone() {
    let (folder, _) = place();
    let local = folder.path().join("it.tar.gz");
    std::fs::write(&local, "archive").expect("written");
    let file = LocalFile::open(&local).expect("a file");
    let take = Download::local("/b/rke", file.clone())
        .member(ArchiveKind::TarGz, "rke")
        .mode(0o755);
    let absent = t::file_absent(Answers::new(), "/b/rke").with(ask_user().question(), "0\n1000:1001");
    let unpack = crate::Archive::new("/b/it", ArchiveKind::TarGz, Origin::Local(file));
    let new = t::file_absent(
        t::absent_below(Answers::new(), &format!("/b/it/{}", crate::archive::MARKER), "/b"),
        "/b/it",
    )
    .with(unpack.questions()[2].clone(), "0\n")
    .with(ask_user().question(), "0\n1000:1001");
    for (change, sent) in [
        (expect_change(&take, &absent), "/b/.rke.mosip-prov-part.archive"),
        (expect_change(&unpack, &new), "/b/.it.mosip-prov-part.archive"),
    ] {
        let [
            mosip_prov_engine::Step::WriteFiles(write),
            mosip_prov_engine::Step::Shell(shell),
        ] = change.steps.as_slice()
        else {
            panic!("{change:?}");
        };
        let file = &write.files[0];
        assert_eq!((file.path.as_str(), file.mode), (sent, 0o600));
        assert_eq!((file.owner.as_str(), file.group.as_str()), ("1000", "1001"));
        assert_eq!(file.content.bytes().as_ref(), b"archive");
        assert!(shell.script.contains(&format!("part={sent}\n")), "{}", shell.script);
    }
}

#[test]
fn a_file_of_this_machine_is_sent_once_and_must_stay_what_it_was() {
    let (folder, _) = place();
    let local = folder.path().join("rke");
    std::fs::write(&local, "new").expect("written");
    let file = LocalFile::open(&local).expect("a file");
    assert_eq!(file.sha256(), sum("new"));
    let send = Download::local("/b/rke", file.clone()).mode(0o755).owner("root");
    let known = |content| {
        let answers = t::file(Answers::new(), "/b/rke", 0o755, "root", "adm", content);
        answers.with(ask_user().question(), "0\n1000:1000")
    };
    expect_nothing(&send, &known("new"));
    let write = |change: &Change| match change.steps.as_slice() {
        [mosip_prov_engine::Step::WriteFiles(write)] => write.files[0].clone(),
        other => panic!("{other:?}"),
    };
    let kept = write(&expect_change(&send, &known("old")));
    assert_eq!((kept.content.bytes().as_ref(), kept.mode), (b"new".as_slice(), 0o755));
    assert_eq!((kept.owner.as_str(), kept.group.as_str()), ("root", "adm"));
    let absent = t::file_absent(Answers::new(), "/b/rke").with(ask_user().question(), "0\n1000:1001");
    let written = write(&expect_change(&send, &absent));
    assert_eq!((written.owner.as_str(), written.group.as_str()), ("root", "1001"));
    let error = expect_error(&Download::local("/b/rke", file).sha256(sum("x")), &absent);
    assert!(error.contains(&sum("new")) && error.contains(&sum("x")), "{error}");
    drop((kept, written));
    std::fs::write(&local, "another").expect("written");
    assert!(expect_error(&send, &absent).contains("changed while the run went on"));
    assert!(matches!(
        LocalFile::open(folder.path()),
        Err(LocalFileError::NotAFile { .. })
    ));
    assert!(LocalFile::open(folder.path().join("none")).is_err());
}
