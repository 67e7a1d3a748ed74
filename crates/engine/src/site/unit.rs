//! Long work that outlives a connection and a controller: started under the host's own service manager (or in a
//! session of its own where there is none), its output and status kept in a folder until a run has taken the result.

use super::{BASE, BASE_IF_ANY};
use crate::shell::quote;

/// Runs the script of the folder `$1`. It lies in a file, since the service manager replaces `$` in the words of a command
/// (systemd.service(5), "Command lines").
///
/// Of its output the first 8192 reads of up to 1 KiB are kept, and of the rest the last MiB: the folder is in memory, and whoever prints without
/// end must not fill it. What is left out is read all the same, so that nobody is stopped by a pipe that is full or gone.
/// `dd` and not `head`, which holds back what it has read until it is much. The room for the status is taken at the beginning, so that it can be written when there is none any more.
const WORK: &str = r#"trap "" HUP TERM
echo $$ >"$1/pid.new"
mv "$1/pid.new" "$1/pid"
echo 255 >"$1/status.new"
mkfifo -m 0600 "$1/pipe"
(
trap "" INT
dd bs=1024 count=8192
l=0
while head -c 524288 >"$1/new" && [ -s "$1/new" ]; do
if [ -e "$1/last" ]; then
if [ -e "$1/before" ]; then l=$((l + 1)); fi
mv "$1/last" "$1/before"
fi
mv "$1/new" "$1/last"
done
cat >/dev/null
if [ $l -gt 0 ]; then printf '\n[%s KiB of output left out]\n' $((l * 512)); fi
cat "$1/before" "$1/last"
: >"$1/drained"
) <"$1/pipe" >>"$1/out" 2>/dev/null &
sh "$1/script" <"$1/input" >"$1/pipe" 2>&1
s=$?
i=0
while ! [ -e "$1/drained" ] && [ $((i += 1)) -le 200 ]; do sleep 0.02; done
echo $s 1<>"$1/status.new"
mv "$1/status.new" "$1/status"
"#;

/// Starts the work `id` of `run` unless it is there already, then follows it; ends with [`super::lock::NOT_OURS`] when the
/// host is not `run`'s any more. On standard input: the work's script (`script_bytes`), then its own input
/// (`input_bytes`). What `secretive` work prints, which was given a secret and may quote it, is followed by nobody, now or later.
pub(crate) fn start(
    run: &str,
    id: &str,
    task: &str,
    (script_bytes, input_bytes): (usize, usize),
    skip_lines: u64,
    secretive: bool,
) -> String {
    format!(
        "{BASE}\
d=\"$b\"/units/{id}
if ! [ -d \"$d\" ]; then
{guard}umask 077
rm -rf \"$d.new\"
mkdir -p \"$d.new\" || exit
head -c {script_bytes} >\"$d.new/script\" && head -c {input_bytes} >\"$d.new/input\" || exit
n=$(cat \"$d.new/script\" \"$d.new/input\" | wc -c)
if [ $n -ne {total} ]; then echo \"only $n of {total} bytes arrived\" >&2; exit 1; fi
: >\"$d.new/out\"
{mark}\
printf '%s\\n' {task} >\"$d.new/task\"
cat >\"$d.new/work\" <<'END'
{WORK}END
mv \"$d.new\" \"$d\" || exit
umask 022
if [ \"$(id -u)\" = 0 ] && [ -d /run/systemd/system ]; then
systemd-run --quiet --collect --unit=mosip-prov-{id} --description={task} \
--property=TimeoutStopSec=180 --setenv=LC_ALL=C --setenv=PATH=\"$PATH\" --setenv=HOME=\"$HOME\" \
sh \"$d/work\" \"$d\" || exit
else
setsid -f sh \"$d/work\" \"$d\" >/dev/null 2>&1 </dev/null
fi
fi
{follow}",
        guard = super::lock::guard(run),
        mark = if secretive { ": >\"$d.new/secretive\"\n" } else { "" },
        id = quote(id),
        task = quote(&task.replace('\n', " ")),
        total = script_bytes + input_bytes,
        follow = follow_loop(skip_lines),
    )
}

/// Follows the work `id` that is there, from its line `skip_lines` on.
pub(crate) fn follow(id: &str, skip_lines: u64) -> String {
    format!(
        "{BASE}\
d=\"$b\"/units/{id}
if ! [ -d \"$d\" ]; then echo GONE >&2; exit 0; fi
{follow}",
        id = quote(id),
        follow = follow_loop(skip_lines),
    )
}

/// Prints new output until there is a status; that is the last line on standard error: `STATUS n`, or `VANISHED`.
fn follow_loop(skip_lines: u64) -> String {
    let offset = if skip_lines == 0 {
        "off=0".to_owned()
    } else {
        format!("off=$(head -n {skip_lines} \"$d/out\" | wc -c)")
    };
    format!(
        "{offset}
i=0
while :; do
last=
if [ -f \"$d/status\" ]; then last=1; fi
n=$(wc -c <\"$d/out\")
if [ \"$n\" -gt $off ] && ! [ -f \"$d/secretive\" ]; then
tail -c +$((off + 1)) \"$d/out\" | head -c $((n - off))
off=$n
fi
if [ \"$last\" ]; then read -r s <\"$d/status\"; echo \"STATUS $s\" >&2; exit 0; fi
if [ -f \"$d/pid\" ]; then
read -r p <\"$d/pid\"
if ! kill -0 \"$p\" 2>/dev/null && ! [ -f \"$d/status\" ]; then echo VANISHED >&2; exit 0; fi
else
i=$((i + 1))
if [ $i -gt 100 ]; then echo VANISHED >&2; exit 0; fi
fi
sleep 0.2
done
"
    )
}

/// How following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Followed {
    /// The work has this status.
    Status(i32),
    /// The work was ended from outside (a reboot, the kernel).
    Vanished,
    /// There is no such work on the host: it was never started, or its folder went with a reboot.
    Gone,
}

/// Reads the last line of a follower's standard error.
pub(crate) fn outcome(stderr: &str) -> Option<Followed> {
    match stderr.lines().rev().find(|l| !l.trim().is_empty())?.trim() {
        "VANISHED" => Some(Followed::Vanished),
        "GONE" => Some(Followed::Gone),
        line => line.strip_prefix("STATUS ")?.parse().ok().map(Followed::Status),
    }
}

/// Asks the work `id` to stop in a way that packages survive: while dpkg is at work it is left to finish, and apt, which
/// goes no further then, is told; everything else gets an interrupt.
pub(crate) fn stop(id: &str) -> String {
    format!(
        "{BASE_IF_ANY}\
d=\"$b\"/units/{id}
[ -f \"$d/pid\" ] || exit 0
read -r top <\"$d/pid\"
all= new=$top
while [ \"$new\" ]; do
all=\"$all $new\"
next=
for p in $new; do
for c in $(cat /proc/\"$p\"/task/*/children 2>/dev/null); do next=\"$next $c\"; done
done
new=$next
done
busy=
for p in $all; do
if read -r name </proc/\"$p\"/comm 2>/dev/null && [ \"$name\" = dpkg ]; then busy=1; fi
done
for p in $all; do
[ \"$p\" = \"$top\" ] && continue
read -r name </proc/\"$p\"/comm 2>/dev/null || continue
if [ \"$busy\" ]; then case $name in apt|apt-get|aptitude) kill -INT \"$p\" 2>/dev/null ;; esac
else kill -INT \"$p\" 2>/dev/null; fi
done
if [ \"$busy\" ]; then echo dpkg; fi
:
",
        id = quote(id)
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::Shell;
    use super::*;
    use std::time::Duration;

    fn begin(shell: &Shell, id: &str, script: &str, input: &[u8]) -> std::process::Child {
        let payload = [script.as_bytes(), input].concat();
        let folder = shell.root.path().join("run/mosip-prov");
        std::fs::create_dir(&folder).expect("made");
        std::fs::write(folder.join("lock"), "1\nr\trest\n").expect("written");
        shell.spawn(&start("r", id, "r: t", (script.len(), input.len()), 0, false), &payload)
    }

    #[test]
    fn what_work_prints_that_was_given_a_secret_is_followed_by_nobody() {
        let shell = Shell::new();
        drop(begin(&shell, "u0", "true", b"").wait_with_output());
        let (script, input) = ("cat; cat <&0 >&2; exit 3", "hunter2\n");
        let begin = start("r", "u1", "r: t", (script.len(), input.len()), 0, true);
        let (_, out, err) = shell.run(&begin, format!("{script}{input}").as_bytes());
        assert_eq!((out.as_str(), outcome(&err)), ("", Some(Followed::Status(3))));
        assert!(!err.contains("hunter2"));
        // Nor by a run that finds it.
        let (_, out, err) = shell.run(&follow("u1", 0), b"");
        assert_eq!((out.as_str(), outcome(&err)), ("", Some(Followed::Status(3))));
        let written = shell.root.path().join("run/mosip-prov/units/u1/out");
        assert_eq!(std::fs::read_to_string(written).expect("there"), input);
    }

    #[test]
    fn work_gets_its_input_and_its_output_and_status_come_back() {
        let shell = Shell::new();
        let work = begin(
            &shell,
            "u1",
            "read x; echo \"got $x\"; echo err >&2; printf end; exit 7",
            b"word\n",
        );
        let out = work.wait_with_output().expect("ends");
        assert_eq!(String::from_utf8_lossy(&out.stdout), "got word\nerr\nend");
        assert_eq!(
            outcome(&String::from_utf8_lossy(&out.stderr)),
            Some(Followed::Status(7))
        );
    }

    #[test]
    fn no_word_of_the_service_managers_command_line_holds_what_it_would_replace() {
        let script = start("r", "u1", "t", (1, 0), 0, false);
        let (_, rest) = script.split_once("systemd-run").expect("in the script");
        let (command, _) = rest.split_once("else").expect("in the script");
        // `$d` and the like are the shell's own, gone before the service manager sees the words.
        assert!(
            !command.contains("$$") && !command.contains("$?") && !command.contains('\''),
            "{command}"
        );
    }

    #[test]
    fn output_without_end_is_bounded_and_its_end_is_kept() {
        let shell = Shell::new();
        let work = begin(
            &shell,
            "u1",
            "echo first; head -c 30000000 /dev/zero | tr '\\000' x; echo; echo last; exit 3",
            b"",
        );
        let out = work.wait_with_output().expect("ends");
        assert_eq!(
            outcome(&String::from_utf8_lossy(&out.stderr)),
            Some(Followed::Status(3))
        );
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(out.stdout.len() < 10 << 20, "{} bytes", out.stdout.len());
        assert!(text.starts_with("first\n") && text.ends_with("x\nlast\n"));
        assert!(text.contains(" KiB of output left out]"));
    }

    #[test]
    fn a_child_that_keeps_the_output_does_not_keep_the_status() {
        let shell = Shell::new();
        let work = begin(&shell, "u1", "sleep 60 & echo $!; exit 4", b"");
        let out = work.wait_with_output().expect("ends");
        let text = String::from_utf8_lossy(&out.stdout);
        let child = text.trim();
        assert!(
            std::process::Command::new("kill")
                .arg(child)
                .status()
                .is_ok_and(|s| s.success()),
            "it goes on: {text}"
        );
        assert_eq!(
            outcome(&String::from_utf8_lossy(&out.stderr)),
            Some(Followed::Status(4))
        );
    }

    #[test]
    fn work_outlives_its_follower_and_is_found_again() {
        let shell = Shell::new();
        let mut first = begin(&shell, "u1", "echo one; sleep 1; echo two", b"");
        let out = shell.root.path().join("run/mosip-prov/units/u1/out");
        while std::fs::read_to_string(&out).unwrap_or_default() != "one\n" {
            std::thread::sleep(Duration::from_millis(10));
        }
        first.kill().expect("killed");
        first.wait().expect("ends");
        let owner = super::super::lock::Owner {
            run: "r".into(),
            user: "u".into(),
            controller: "c".into(),
            machine: "m".into(),
            pid: 1,
            since: "s".into(),
        };
        let (_, found, _) = shell.run(&super::super::lock::enter(&owner, None), b"");
        let units = super::super::lock::parse(&found).expect("readable").units;
        assert_eq!((units[0].id.as_str(), units[0].task.as_str()), ("u1", "r: t"));
        assert_eq!(units[0].state, super::super::lock::UnitState::Running);
        let (_, rest, err) = shell.run(&follow("u1", 1), b"");
        assert_eq!((rest.as_str(), outcome(&err)), ("two\n", Some(Followed::Status(0))));
        let (_, nothing, err) = shell.run(&follow("u2", 0), b"");
        assert_eq!((nothing.as_str(), outcome(&err)), ("", Some(Followed::Gone)));
    }

    #[test]
    fn work_that_was_killed_is_called_vanished() {
        let shell = Shell::new();
        let work = begin(&shell, "u1", "kill -9 $PPID; sleep 5", b"");
        let out = work.wait_with_output().expect("ends");
        assert_eq!(outcome(&String::from_utf8_lossy(&out.stderr)), Some(Followed::Vanished));
    }

    #[test]
    fn work_can_be_asked_to_stop() {
        let shell = Shell::new();
        let work = begin(
            &shell,
            "u1",
            "trap 'echo stopping; exit 5' INT; echo up; while :; do sleep 0.1; done",
            b"",
        );
        let out = shell.root.path().join("run/mosip-prov/units/u1/out");
        while std::fs::read_to_string(&out).unwrap_or_default() != "up\n" {
            std::thread::sleep(Duration::from_millis(10));
        }
        shell.run(&stop("u1"), b"");
        let out = work.wait_with_output().expect("ends");
        assert_eq!(String::from_utf8_lossy(&out.stdout), "up\nstopping\n");
        assert_eq!(
            outcome(&String::from_utf8_lossy(&out.stderr)),
            Some(Followed::Status(5))
        );
    }
}
