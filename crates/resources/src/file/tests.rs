//! What files decide, on data and on the real shell.

use super::*;
use crate::probe::file::{CONTENT_LIMIT, ContentProbe, FileProbe, digest};
use crate::testing::{self as t, expect_change, expect_error, expect_nothing};
use mosip_prov_engine::{Content, Probe, Step};

const MOTD: &str = "/etc/motd";

fn motd(content: &str) -> File {
    File::content(MOTD, content).mode(0o644).owner("root").group("root")
}

#[test]
fn a_right_file_is_left_alone() {
    let answers = t::file(Answers::new(), MOTD, 0o644, "root", "root", "hello\n");
    assert_eq!(
        expect_nothing(&motd("hello\n"), &answers),
        "/etc/motd has the right content, mode and owner"
    );
}

#[test]
fn a_difference_of_content_is_shown_and_written_with_what_is_not_asked_for_kept() {
    let answers = t::file(Answers::new(), MOTD, 0o604, "adm", "adm", "old\n");
    let change = expect_change(&File::content(MOTD, "new\n").keep_first("/etc/motd.orig"), &answers);
    assert_eq!(
        format!("{:?}", change.differences),
        r#"[Difference { what: "content of /etc/motd", before: "old\n", after: "new\n" }]"#
    );
    let [Step::WriteFiles(write)] = change.steps.as_slice() else {
        panic!("{change:?}")
    };
    let file = &write.files[0];
    assert_eq!(
        (file.mode, file.owner.as_str(), file.group.as_str()),
        (0o604, "adm", "adm")
    );
    assert_eq!(file.keep_first.as_deref(), Some("/etc/motd.orig"));
    assert_eq!(
        change.touches,
        [Touch::Path(MOTD.into()), Touch::Path("/etc/motd.orig".into())]
    );
}

#[test]
fn mode_and_owner_alone_are_set_without_a_rewrite() {
    let answers = t::file(Answers::new(), MOTD, 0o600, "adm", "root", "hello\n");
    let change = expect_change(&motd("hello\n"), &answers);
    assert_eq!(change.differences.len(), 2);
    assert_eq!(
        t::scripts(&change),
        "chown -- root:root /etc/motd && chmod 0644 /etc/motd"
    );
}

#[test]
fn a_secret_is_masked_and_its_content_not_asked_for() {
    let file = File::content("/etc/key", Content::sensitive("s3cret")).mode(0o600);
    let answers = Answers::new().with(
        FileAsk::new("/etc/key").question(),
        format!("regular 600 3 0 0 root:root {}", digest(b"old")),
    );
    let change = expect_change(&file, &answers);
    assert!(!format!("{change:?}").contains("s3cret"));
    assert_eq!(
        (&change.differences[0].before, &change.differences[0].after),
        (&Shown::Masked, &Shown::Masked)
    );
}

#[test]
fn what_is_not_text_or_too_large_is_not_shown() {
    let answers = t::file(Answers::new(), MOTD, 0o644, "root", "root", [0xff, 0xfe]);
    let large = "x".repeat(CONTENT_LIMIT as usize + 1);
    let change = expect_change(&motd(&large), &answers);
    assert_eq!(change.differences[0].before, Shown::Binary { bytes: 2 });
    assert_eq!(
        change.differences[0].after,
        Shown::Binary {
            bytes: CONTENT_LIMIT + 1
        }
    );
}

#[test]
fn a_missing_folder_is_named_but_may_still_come_in_check_mode() {
    let file = File::content("/etc/nginx/nginx.conf", "x");
    let answers = t::absent_below(Answers::new(), "/etc/nginx/nginx.conf", "/etc");
    let error = expect_error(&file, &answers);
    assert!(error.contains("its folder /etc/nginx does not exist"), "{error}");
    let change = expect_change(&file, &answers.with_pending("install nginx", vec![Touch::Everything]));
    assert_eq!(change.differences[0].before, Shown::Absent);
}

#[test]
fn folders_and_files_do_not_replace_each_other() {
    let answers = t::directory(Answers::new(), MOTD, 0o755, "root", "root");
    assert!(expect_error(&motd("x"), &answers).contains("should be a file but is a folder"));
    let answers = t::file(Answers::new(), MOTD, 0o644, "root", "root", "x");
    assert!(expect_error(&File::directory(MOTD), &answers).contains("should be a folder but is a file"));
    assert!(expect_error(&File::link(MOTD, "/x"), &answers).contains("should be a link"));
}

#[test]
fn a_link_is_replaced_by_a_file_even_when_it_leads_to_the_right_content() {
    let answers = t::link_to_file(Answers::new(), MOTD, "/run/motd", "hello\n");
    let change = expect_change(&motd("hello\n"), &answers);
    assert_eq!(change.differences[0].before, Shown::text("link to /run/motd"));
}

#[test]
fn folders_are_made_and_kept() {
    let folder = File::directory("/etc/nginx/ssl/").mode(0o750).group("www-data");
    let answers = t::file_absent(Answers::new(), "/etc/nginx/ssl");
    assert_eq!(
        t::scripts(&expect_change(&folder, &answers)),
        "mkdir -p -- /etc/nginx && (umask 077 && mkdir -- /etc/nginx/ssl) && \
         chown -- root:www-data /etc/nginx/ssl && chmod 0750 /etc/nginx/ssl"
    );
    let answers = t::directory(Answers::new(), "/etc/nginx/ssl", 0o750, "root", "www-data");
    expect_nothing(&folder, &answers);
    let answers = t::directory(Answers::new(), "/etc/nginx/ssl", 0o755, "root", "www-data");
    assert_eq!(expect_change(&folder, &answers).differences.len(), 1);
}

#[test]
fn links_are_made_and_turned() {
    let link = File::link("/etc/localtime", "/usr/share/zoneinfo/UTC");
    expect_nothing(
        &link,
        &t::dangling_link(Answers::new(), "/etc/localtime", "/usr/share/zoneinfo/UTC"),
    );
    let change = expect_change(&link, &t::dangling_link(Answers::new(), "/etc/localtime", "/old"));
    assert_eq!(change.differences[0].before, Shown::text("/old"));
}

#[test]
fn the_system_is_not_removed() {
    for path in ["/", "//", "/etc", "/etc/", "/usr/", "/var", "/./etc"] {
        let file = File::absent(path);
        let answers = t::directory(Answers::new(), &file.path, 0o755, "root", "root");
        assert!(file.decide(&answers).is_err(), "{path}");
    }
    assert!(File::absent("/etc/x/../../usr").decide(&Answers::new()).is_err());
    let answers = t::directory(Answers::new(), "/etc/old", 0o755, "root", "root");
    assert_eq!(
        t::scripts(&expect_change(&File::absent("/etc/old"), &answers)),
        "rm -rf -- /etc/old"
    );
}

#[test]
fn a_question_without_an_answer_is_an_error() {
    let answers = Answers::new().with_failure(motd("x").ask().question(), "/etc: Permission denied");
    assert!(expect_error(&motd("x"), &answers).contains("Permission denied"));
}

/// The probes against real shells and real files.
mod on_this_machine {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn ask(shell: &[&str], probe: &dyn Probe, path: &str, all: &[&str]) -> Result<FileState, String> {
        let output = t::ask_with(shell, probe, all);
        let index = all.iter().position(|p| *p == path).expect("a subject");
        let raw = probe.split(&output, all).remove(index)?;
        FileAsk::new(path).read(&raw)
    }

    #[test]
    fn every_kind_of_path_is_told_apart() {
        let folder = tempfile::tempdir().expect("folder");
        let path = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
        let odd = [
            "plain",
            "with space",
            "it's \"$HOME\" `x`",
            "new\nline",
            "-n",
            "ümlaut ☃",
            "tab\there",
            "back\\slash",
            "*",
        ];
        for name in odd {
            fs::write(path(name), name).expect("written");
        }
        fs::set_permissions(path("plain"), fs::Permissions::from_mode(0o4640)).expect("mode");
        fs::write(path("empty"), "").expect("written");
        fs::write(path("binary"), [0, 255, 10, 10]).expect("written");
        fs::write(path("large"), vec![b'x'; CONTENT_LIMIT as usize + 1]).expect("written");
        fs::create_dir(path("folder")).expect("made");
        symlink("plain", path("link")).expect("linked");
        symlink("no such\nthing", path("dangling")).expect("linked");
        symlink("loop", path("loop")).expect("linked");
        let mut all: Vec<String> = odd.iter().map(|name| path(name)).collect();
        for name in [
            "empty", "binary", "large", "folder", "link", "dangling", "loop", "missing", "a/b/c", "plain/x", "loop/x",
        ] {
            all.push(path(name));
        }
        all.push("/proc/self/mounts".into());
        all.push("/no-such-thing".into());
        all.push("/dev/null".into());
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        for shell in t::sh_available() {
            let state = |name: &str| {
                ask(shell, &ContentProbe, &path(name), &all).unwrap_or_else(|e| panic!("{shell:?} {name:?}: {e}"))
            };
            for name in odd {
                let FileState::Entry(entry) = state(name) else {
                    panic!("{shell:?} {name:?}")
                };
                assert_eq!(entry.digest, Some(digest(name.as_bytes())), "{shell:?} {name:?}");
                assert_eq!(entry.content.as_deref(), Some(name.as_bytes()), "{shell:?} {name:?}");
            }
            let FileState::Entry(plain) = state("plain") else {
                panic!()
            };
            assert_eq!((plain.mode, plain.size, plain.kind), (0o4640, 5, EntryKind::Regular));
            let FileState::Entry(empty) = state("empty") else {
                panic!()
            };
            assert_eq!(empty.content.as_deref(), Some(&b""[..]));
            let FileState::Entry(binary) = state("binary") else {
                panic!()
            };
            assert_eq!(binary.content.as_deref(), Some(&[0, 255, 10, 10][..]));
            let FileState::Entry(large) = state("large") else {
                panic!()
            };
            assert!(large.content.is_none() && large.digest.is_some());
            let FileState::Entry(dir) = state("folder") else {
                panic!()
            };
            assert_eq!((dir.kind, dir.digest), (EntryKind::Directory, None));
            let FileState::Link {
                target,
                leads_to: Some((real, entry)),
            } = state("link")
            else {
                panic!()
            };
            assert_eq!((target.as_str(), entry.digest), ("plain", Some(digest(b"plain"))));
            assert_eq!(
                fs::canonicalize(path("plain")).expect("real"),
                std::path::Path::new(&real)
            );
            let FileState::Link { target, leads_to: None } = state("dangling") else {
                panic!()
            };
            assert_eq!(target, "no such\nthing");
            assert!(matches!(state("loop"), FileState::Link { leads_to: None, .. }));
            let circle = ask(shell, &FileProbe, &path("loop/x"), &all).expect_err("cannot be told");
            assert!(circle.contains("symbolic link"), "{shell:?} {circle}");
            let below = folder.path().to_str().expect("text").to_owned();
            assert_eq!(
                state("missing"),
                FileState::Absent {
                    nearest_folder: below.clone()
                }
            );
            assert_eq!(state("a/b/c"), FileState::Absent { nearest_folder: below });
            assert_eq!(state("plain/x"), FileState::Blocked { by: path("plain") });
            let root = ask(shell, &FileProbe, "/no-such-thing", &all);
            assert_eq!(
                root,
                Ok(FileState::Absent {
                    nearest_folder: "/".into()
                })
            );
            let null = ask(shell, &FileProbe, "/dev/null", &all);
            assert!(matches!(null, Ok(FileState::Entry(e)) if e.kind == EntryKind::Other));
        }
    }

    #[test]
    fn nothing_missing_and_only_missing_work_too() {
        let folder = tempfile::tempdir().expect("folder");
        let present = folder.path().to_str().expect("text").to_owned();
        let missing = format!("{present}/x");
        for shell in t::sh_available() {
            assert!(
                matches!(ask(shell, &FileProbe, &present, &[&present]), Ok(FileState::Entry(_))),
                "{shell:?}"
            );
            assert!(
                matches!(
                    ask(shell, &FileProbe, &missing, &[&missing]),
                    Ok(FileState::Absent { .. })
                ),
                "{shell:?}"
            );
        }
    }

    #[test]
    fn what_may_not_be_seen_is_not_absent() {
        let output = "k=x\nd= 1\nv=\nq=\nc=\n%\nstat: cannot statx '/root/x': Permission denied";
        assert_eq!(
            FileProbe.split(output, &["/root/x"]),
            [Err("/root: Permission denied".to_owned())]
        );
        let output = "k=m\nd= 1\nv=\nq=\nc=\n%\nstat: cannot statx '/mnt/x': Input/output error";
        let reason = FileProbe.split(output, &["/mnt/x"]).remove(0).expect_err("no answer");
        assert!(reason.contains("Input/output error"), "{reason}");
        assert!(FileProbe.split("sh: stat: not found", &["/x"])[0].is_err());
    }
}
