//! Steps as shell: what travels to the target when a change is carried out.

use crate::decision::Change;
use crate::shell::quote;
use crate::site::undo;
use crate::step::{FileToWrite, Shell, Step, WriteFiles};
use bytes::{Bytes, BytesMut};
use std::fmt::Write;

/// From this size on, in bytes, a content is sent by file transfer before the script that puts it into place.
pub(crate) const UPLOAD_FROM: usize = 1024 * 1024;

/// The status of a script whose uploaded content is not on the host any more: the connection that brought it ended, or
/// the host was rebooted, before the script came to it. Nothing was replaced.
pub(crate) const UPLOAD_GONE: i32 = 93;

/// A fragment that carries out a step, and the bytes it reads from the exchange's standard input.
pub(crate) struct Rendered {
    /// POSIX `sh`; its exit status is the step's.
    pub fragment: String,
    /// Read in order.
    pub payload: Bytes,
}

/// Where a file's content comes from.
pub(crate) enum ContentSource<'a> {
    /// The exchange's standard input.
    Payload(&'a Bytes),
    /// A temporary file on the target, removed afterwards.
    Uploaded(&'a str),
}

/// How much of a step's output is kept: its end, where errors are. The shell that carries it out holds it in memory.
const OUTPUT_KEPT: usize = 256 * 1024;

/// The step's script so that it reads exactly its payload.
pub(crate) fn shell(step: &Shell) -> Rendered {
    reading(step, &step.script)
}

/// As [`shell`], keeping of the output only its end.
pub(crate) fn bounded_shell(step: &Shell) -> Rendered {
    reading(step, &bounded(&step.script))
}

fn reading(step: &Shell, script: &str) -> Rendered {
    let payload = step.payload.bytes().clone();
    let fragment = if payload.is_empty() {
        format!("(\n{script}\n) </dev/null")
    } else {
        // head reads no byte more than it is told, so what follows in the payload stays for the next step.
        // What the script leaves unread is read all the same, so that the next step finds its own.
        format!(
            "head -c {} | (\n(\n{script}\n)\ns=$?\ncat >/dev/null\nexit $s\n)",
            payload.len(),
        )
    };
    Rendered { fragment, payload }
}

/// `script` with its own status, and of both its outputs, joined, the end.
fn bounded(script: &str) -> String {
    format!(
        "exec 3>&1
s=$({{ {{ (\n{script}\n) 2>&1 3>&- 4>&-; echo $? >&4; }} | tail -c {OUTPUT_KEPT} >&3 4>&-; }} 4>&1)
exit \"${{s:-1}}\""
    )
}

/// Puts the files of `step` into place; `sources` in the order of its files. Predecessors are kept for the role
/// `keep_for`.
pub(crate) fn write_files(step: &WriteFiles, sources: &[ContentSource<'_>], keep_for: Option<&str>) -> Rendered {
    let mut payload = BytesMut::new();
    let numbers = 1..=step.files.len();
    let all: String = numbers.clone().map(|n| format!(" ${{t{n}:+\"$t{n}\"}}")).collect();
    let unset: String = numbers.map(|n| format!("t{n}= ")).collect();
    let mut out = format!("(\n{unset}\ntrap 'rm -f --{all}' EXIT\numask 077\n");
    for (index, (file, source)) in step.files.iter().zip(sources).enumerate() {
        candidate(&mut out, &mut payload, index + 1, file, source);
    }
    if let Some(validate) = &step.validate {
        let positional: String = (1..=step.files.len()).map(|n| format!(" \"$t{n}\"")).collect();
        let _ = writeln!(out, "(\nset --{positional}\n{validate}\n) || exit");
    }
    if let Some(role) = keep_for {
        for file in &step.files {
            // Only root may write where predecessors are kept.
            let _ = write!(
                out,
                "if [ \"$(id -u)\" = 0 ]; then\n{}fi\n",
                undo::keep(role, &file.path)
            );
        }
    }
    for (index, file) in step.files.iter().enumerate() {
        let path = quote(&file.path);
        if let Some(keep) = &file.keep_first {
            let keep = quote(keep);
            let _ = writeln!(
                out,
                "if [ -f {path} ] && ! [ -e {keep} ] && ! [ -L {keep} ]; then cp -p -- {path} {keep} || exit; fi"
            );
        }
        // With -T a link to a folder is replaced, not entered.
        let _ = writeln!(
            out,
            "if [ -d {path} ]; then mv -fT -- \"$t{number}\" {path}; else mv -f -- \"$t{number}\" {path}; fi || exit",
            number = index + 1
        );
    }
    out.push(')');
    Rendered {
        fragment: out,
        payload: payload.freeze(),
    }
}

fn candidate(out: &mut String, payload: &mut BytesMut, number: usize, file: &FileToWrite, source: &ContentSource<'_>) {
    let (folder, name) = match file.path.rsplit_once('/') {
        Some((folder, name)) => (format!("{folder}/"), name),
        None => ("./".to_owned(), file.path.as_str()),
    };
    // A candidate that an earlier run was killed over is of no use to anyone.
    let _ = writeln!(
        out,
        "rm -f -- {folder}.{name}.mosip-prov.*\nt{number}=$(mktemp {folder}.{name}.mosip-prov.XXXXXX) || exit",
        folder = quote(&folder),
        name = quote(name),
    );
    let size = match source {
        ContentSource::Payload(bytes) => {
            payload.extend_from_slice(bytes);
            if bytes.is_empty() {
                let _ = writeln!(out, ": >\"$t{number}\" || exit");
            } else {
                let _ = writeln!(out, "head -c {} >\"$t{number}\" || exit", bytes.len());
            }
            bytes.len()
        }
        ContentSource::Uploaded(path) => {
            let _ = writeln!(
                out,
                "[ -f {path} ] && ! [ -L {path} ] || exit {UPLOAD_GONE}\ncat -- {path} >\"$t{number}\" || exit\nrm -f -- {path}",
                path = quote(path)
            );
            if let Some((folder, _)) = path
                .rsplit_once('/')
                .filter(|(folder, _)| folder.contains("/.mosip-prov."))
            {
                let _ = writeln!(out, "rmdir -- {} 2>/dev/null", quote(folder));
            }
            file.content.bytes().len()
        }
    };
    // A full disk must not leave a short file behind, whatever the tools reported.
    let _ = writeln!(
        out,
        "n=$(wc -c <\"$t{number}\") || exit\nif [ $n -ne {size} ]; then echo \"only $n of {size} bytes of {shown} could be written\" >&2; exit 1; fi",
        shown = file.path.replace(['"', '$', '`', '\\'], "?"),
    );
    let _ = writeln!(
        out,
        "chown -- {owner}:{group} \"$t{number}\" || exit\nchmod {mode:04o} \"$t{number}\" || exit",
        owner = quote(&file.owner),
        group = quote(&file.group),
        mode = file.mode,
    );
}

/// True when the change can travel with others: nothing in it is long, large or a reboot.
pub(crate) fn is_small(change: &Change) -> bool {
    change.steps.iter().all(|step| match step {
        Step::Shell(shell) => !shell.long && shell.payload.bytes().len() < UPLOAD_FROM,
        Step::WriteFiles(write) => write.files.iter().all(|f| f.content.bytes().len() < UPLOAD_FROM),
        Step::Reboot { .. } => false,
    })
}

/// True when something in it must not be logged.
pub(crate) fn is_sensitive(change: &Change) -> bool {
    change.steps.iter().any(|step| match step {
        Step::Shell(shell) => shell.payload.is_sensitive(),
        Step::WriteFiles(write) => write.files.iter().any(|f| f.content.is_sensitive()),
        Step::Reboot { .. } => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Content;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Command, Stdio};

    fn run(rendered: &Rendered) -> (i32, String) {
        let mut child = Command::new("sh")
            .args(["-c", &rendered.fragment])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sh");
        let _ = child.stdin.take().expect("stdin").write_all(&rendered.payload);
        let out = child.wait_with_output().expect("ends");
        (
            out.status.code().unwrap_or(-1),
            String::from_utf8_lossy(&out.stderr).into_owned(),
        )
    }

    fn file(path: &std::path::Path, content: &[u8]) -> FileToWrite {
        let id = |flag| {
            let out = Command::new("id").arg(flag).output().expect("id");
            String::from_utf8(out.stdout).expect("text").trim().to_owned()
        };
        FileToWrite {
            path: path.to_str().expect("utf8").to_owned(),
            content: Content::public(content.to_vec()),
            mode: 0o640,
            owner: id("-u"),
            group: id("-g"),
            keep_first: None,
        }
    }

    fn sources(step: &WriteFiles) -> Vec<ContentSource<'_>> {
        step.files
            .iter()
            .map(|f| ContentSource::Payload(f.content.bytes()))
            .collect()
    }

    #[test]
    fn files_are_written_byte_for_byte_with_mode() {
        let dir = tempfile::tempdir().expect("tempdir");
        let odd = dir.path().join("it's $odd \"name\"");
        let empty = dir.path().join("empty");
        let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
        let step = WriteFiles {
            files: vec![file(&odd, &bytes), file(&empty, b"")],
            validate: Some("[ $# = 2 ] && [ -f \"$1\" ] && ! [ -s \"$2\" ]".into()),
        };
        let (status, err) = run(&write_files(&step, &sources(&step), None));
        assert_eq!((status, err.as_str()), (0, ""));
        assert_eq!(std::fs::read(&odd).expect("written"), bytes);
        assert_eq!(std::fs::read(&empty).expect("written"), b"");
        assert_eq!(
            std::fs::metadata(&odd).expect("there").permissions().mode() & 0o7777,
            0o640
        );
        assert_eq!(std::fs::read_dir(dir.path()).expect("dir").count(), 2);
    }

    #[test]
    fn a_rejected_candidate_replaces_nothing_and_leaves_nothing() {
        let dir = tempfile::tempdir().expect("tempdir");
        let one = dir.path().join("one");
        let two = dir.path().join("two");
        std::fs::write(&one, "old").expect("write");
        let step = WriteFiles {
            files: vec![file(&one, b"new"), file(&two, b"new")],
            validate: Some("echo \"line 3 is bad\" >&2; false".into()),
        };
        let (status, err) = run(&write_files(&step, &sources(&step), None));
        assert_eq!((status, err.as_str()), (1, "line 3 is bad\n"));
        assert_eq!(std::fs::read(&one).expect("there"), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).expect("dir").count(), 1);
    }

    #[test]
    fn the_first_original_is_kept_once() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("conf");
        let keep = dir.path().join("conf.orig");
        std::fs::write(&path, "first").expect("write");
        for content in ["second", "third"] {
            let mut f = file(&path, content.as_bytes());
            f.keep_first = Some(keep.to_str().expect("utf8").into());
            let step = WriteFiles {
                files: vec![f],
                validate: None,
            };
            assert_eq!(run(&write_files(&step, &sources(&step), None)).0, 0);
        }
        assert_eq!(std::fs::read(&keep).expect("kept"), b"first");
        assert_eq!(std::fs::read(&path).expect("there"), b"third");
    }

    #[test]
    fn leftovers_of_a_killed_run_go_with_the_next_write() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("conf");
        std::fs::write(dir.path().join(".conf.mosip-prov.abc123"), "half").expect("write");
        let step = WriteFiles {
            files: vec![file(&path, b"x")],
            validate: None,
        };
        assert_eq!(run(&write_files(&step, &sources(&step), None)).0, 0);
        assert_eq!(std::fs::read_dir(dir.path()).expect("dir").count(), 1);
    }

    #[test]
    fn an_upload_that_is_gone_is_told_from_a_failure_and_replaces_nothing() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("conf");
        std::fs::write(&path, "old").expect("write");
        let step = WriteFiles {
            files: vec![file(&path, b"new")],
            validate: None,
        };
        let gone = dir.path().join("gone").to_str().expect("utf8").to_owned();
        let (status, _) = run(&write_files(&step, &[ContentSource::Uploaded(&gone)], None));
        assert_eq!(status, UPLOAD_GONE);
        assert_eq!(std::fs::read(&path).expect("there"), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).expect("dir").count(), 1);
    }

    #[test]
    fn a_link_to_a_folder_is_replaced_and_not_entered() {
        let dir = tempfile::tempdir().expect("tempdir");
        let folder = dir.path().join("folder");
        let path = dir.path().join("conf");
        std::fs::create_dir(&folder).expect("made");
        std::os::unix::fs::symlink(&folder, &path).expect("linked");
        let step = WriteFiles {
            files: vec![file(&path, b"new")],
            validate: None,
        };
        assert_eq!(run(&write_files(&step, &sources(&step), None)), (0, String::new()));
        assert_eq!(std::fs::read_dir(&folder).expect("dir").count(), 0);
        assert!(!path.is_symlink());
        assert_eq!(std::fs::read(&path).expect("there"), b"new");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let step = WriteFiles {
            files: vec![file(std::path::Path::new("/nonexistent/folder/file"), b"x")],
            validate: None,
        };
        let (status, err) = run(&write_files(&step, &sources(&step), None));
        assert_ne!(status, 0);
        assert!(err.contains("/nonexistent/folder"), "{err}");
    }

    #[test]
    fn what_a_step_leaves_unread_is_not_the_next_ones() {
        let first = shell(&Shell::new("", "true").reading(Content::public(vec![b'A'; 200_000])));
        let second = shell(&Shell::new("", "cat >&2").reading(Content::public("BBBB")));
        let both = Rendered {
            fragment: format!("{}\n{}", first.fragment, second.fragment),
            payload: [first.payload, second.payload].concat().into(),
        };
        assert_eq!(run(&both).1, "BBBB");
    }

    #[test]
    fn a_bounded_step_has_its_own_status_and_the_end_of_its_output() {
        for (script, payload, expected) in [
            ("head -c 3000000 /dev/zero; echo end; exit 7", "", 7),
            ("cat; echo end >&2", "abc", 0),
            ("exit 0", "", 0),
        ] {
            let rendered = bounded_shell(&Shell::new("", script).reading(Content::public(payload)));
            let joined = Rendered {
                fragment: format!("(\n{}\n) >&2", rendered.fragment),
                payload: rendered.payload,
            };
            let (status, output) = run(&joined);
            assert_eq!(status, expected);
            assert!(output.len() <= OUTPUT_KEPT, "{}", output.len());
            assert!(output.is_empty() || output.ends_with("end\n"));
        }
    }

    #[test]
    fn a_step_reads_only_its_own_payload() {
        let first = shell(&Shell::new("", "cat >/dev/null").reading(Content::public("12345")));
        let second = shell(&Shell::new("", "cat >&2").reading(Content::public("rest")));
        let both = Rendered {
            fragment: format!("{}\n{}", first.fragment, second.fragment),
            payload: [first.payload, second.payload].concat().into(),
        };
        assert_eq!(run(&both).1, "rest");
    }
}
