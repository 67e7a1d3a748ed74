//! The shell text that serves requests on the target.
//!
//! The login shell may be anything, fish and csh included, so the command line handed to it is one line without backslashes and
//! with nothing but plain single quotes; the rest follows on standard input, read by `/bin/sh`. What follows must be one line as
//! well (`read` takes it byte by byte and so never reads ahead into the first request).

/// What the first `sh` runs: take one line of program from standard input. With `announce` it first says that it is there.
///
/// The marker is written in two parts, so that a shell that echoes its commands does not show it.
pub(super) fn boot(nonce: &str, announce: bool) -> String {
    let (head, tail) = nonce.split_at(nonce.len() / 2);
    let up = if announce {
        format!(r#"echo "{head}""{tail} up"; "#)
    } else {
        String::new()
    };
    format!(r#"{up}IFS= read -r mp_b; eval "$mp_b""#)
}

/// Settings that scripts can rely on, and a private folder in memory where there is one.
///
/// A folder counts only if something can be written into it: a full or read-only file system is found here, not half-way.
/// Its name tells whose it is, so that one which outlived its shell (by a reboot, where it is not in memory) goes.
const PROLOGUE: &str = r#"
unset IFS ENV BASH_ENV CDPATH; LC_ALL=C; export LC_ALL; umask 022;
PATH="${PATH:-/usr/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"; export PATH;
cd "$HOME" 2>/dev/null || cd /;
mp_d=; trap 'rm -rf "$mp_d"' EXIT; trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 141' PIPE; trap 'exit 143' TERM;
[ -z "@LEFTOVER@" ] || rm -rf "@LEFTOVER@";
for mp_r in /tmp/.mosip-prov.*.* /var/tmp/.mosip-prov.*.* "$HOME"/.mosip-prov.*.*; do
[ -d "$mp_r" ] && [ -O "$mp_r" ] && [ ! -L "$mp_r" ] || continue;
mp_s=${mp_r##*/.mosip-prov.}; kill -0 "${mp_s%%.*}" 2>/dev/null || rm -rf "$mp_r";
done;
for mp_r in /dev/shm /run /tmp /var/tmp; do
mp_d=; [ -d "$mp_r" ] && [ -w "$mp_r" ] && mp_d=$(umask 077; mktemp -d "$mp_r/.mosip-prov.$$.@MARK@XXXXXX" 2>/dev/null);
[ -n "$mp_d" ] || continue;
{ echo x >"$mp_d/t"; } 2>/dev/null && break;
rm -rf "$mp_d"; mp_d=;
done;
[ -n "$mp_d" ] || { echo "@HEAD@""@TAIL@ nospace"; exit 1; };
"#;

/// Ends shells that have waited for more than a minute, since then nobody is behind them: a controller that went away without a word, or with
/// its link cut, leaves them to sshd, which may not hear of it for hours. A run that holds a lock speaks more often than that,
/// and one that only asks connects again: the shell begins nothing once its state has been taken from it. One that waits for the rest of a request is idle
/// as well. A shell that is carrying something out is left alone, and so is a process
/// that merely has its number.
const STALE: &str = r#"
for mp_d in /dev/shm /run /tmp /var/tmp; do for mp_r in "$mp_d"/.mosip-prov.*.*; do
[ -d "$mp_r" ] && [ -O "$mp_r" ] && [ ! -L "$mp_r" ] || continue;
mp_c=; { read -r mp_c <"$mp_r/s"; } 2>/dev/null; [ "$mp_c" = idle ] && [ -n "$(find "$mp_r/s" -mmin +1 2>/dev/null)" ] || continue;
mv "$mp_r/s" "$mp_r/ended" 2>/dev/null || continue;
mp_s=${mp_r##*/.mosip-prov.}; mp_s=${mp_s%%.*};
case $(tr "\0" " " <"/proc/$mp_s/cmdline" 2>/dev/null) in *mp_b*) kill -HUP "$mp_s" $(cat "/proc/$mp_s/task/$mp_s/children" 2>/dev/null) 2>/dev/null;; esac;
rm -rf "$mp_r";
done; done;
"#;

/// Ends the shells of earlier connections of this very run to this host: sshd may not hear for hours that a connection broke,
/// and its shells wait as long. What one is carrying out is carried to its end first.
const EARLIER: &str = r#"
for mp_d in /dev/shm /run /tmp /var/tmp; do for mp_r in "$mp_d"/.mosip-prov.*.@HOST@-*.*; do
case $mp_r in *.@MARK@*) continue;; esac;
[ -d "$mp_r" ] && [ -O "$mp_r" ] && [ ! -L "$mp_r" ] || continue;
mp_s=${mp_r##*/.mosip-prov.}; kill -HUP "${mp_s%%.*}" 2>/dev/null; rm -rf "$mp_r";
done; done;
"#;

/// Reads requests until standard input ends.
///
/// A request is a line `SCRIPT_BYTES PAYLOAD_BYTES OUTPUT_LIMIT`, then both. They are taken in one gulp, because busybox `head`
/// reads ahead. Output goes to files: the only way that keeps bytes exact in every shell and cannot be confused by a child that
/// holds its output open. Each request has files of its own for the same reason. A full file system shows in the write of one
/// more byte after the script (into a file that held none, or it would take its own room), so a cut-off answer is never taken for a
/// whole one. A request that a lost connection cut off is not carried out: its script lacks the mark at its end, or bytes
/// are missing. Files are emptied at once, which costs no process, and removed now and then.
const LOOP: &str = r#"
echo idle >"$mp_d/s"; echo "@HEAD@""@TAIL@ ready $$ $mp_d"; mp_n=0; : >"$mp_d/t";
while read -r mp_s mp_p mp_l; do
mp_n=$((mp_n + 1)); mp_o=$mp_d/o$mp_n; mp_e=$mp_d/e$mp_n; mp_i=/dev/null;
if [ "$mp_p" = 0 ]; then mp_c=$(head -c "$mp_s");
else
head -c "$((mp_s + mp_p))" >"$mp_d/g" && [ "$(wc -c <"$mp_d/g")" -eq "$((mp_s + mp_p))" ] && mp_c=$(head -c "$mp_s" "$mp_d/g") && tail -c "+$((mp_s + 1))" "$mp_d/g" >"$mp_d/i"
|| { echo "@HEAD@""@TAIL@ full"; exit 1; };
mp_i=$mp_d/i;
fi;
case $mp_c in *"@HEAD@""@TAIL@") ;; *) exit 1;; esac;
[ -e "$mp_d/s" ] || exit 1;
{ echo busy >"$mp_d/s"; } 2>/dev/null;
mp_u=-; mp_v=-; { read -r mp_u mp_a </proc/uptime; } 2>/dev/null;
( set --; eval "$mp_c" ) <"$mp_i" >"$mp_o" 2>"$mp_e";
mp_x=$?; mp_f=ok; mp_a=0; mp_b=0;
{ read -r mp_v mp_t </proc/uptime; } 2>/dev/null;
{ echo x >"$mp_d/t"; } 2>/dev/null || mp_f=full;
if [ -s "$mp_o" ] || [ -s "$mp_e" ]; then set -- $(wc -c "$mp_o" "$mp_e"); mp_a=${1:-0}; mp_b=${3:-0}; fi;
[ "$((mp_a + mp_b))" -le "$mp_l" ] || mp_f=large;
mp_t=$((mp_a + mp_b));
[ $mp_f = ok ] || { mp_a=0; [ "$mp_b" -le 4096 ] || mp_b=4096; };
echo "@HEAD@""@TAIL@ done $mp_f $mp_x $mp_a $mp_b $mp_t $mp_u $mp_v";
[ "$mp_a" = 0 ] || head -c "$mp_a" "$mp_o";
[ "$mp_b" = 0 ] || head -c "$mp_b" "$mp_e";
for mp_r in "$mp_o" "$mp_e" "$mp_d/g" "$mp_d/i" "$mp_d/t"; do [ ! -s "$mp_r" ] || : >"$mp_r"; done;
[ "$((mp_n % 64))" != 0 ] || rm -f "$mp_d"/*;
{ echo idle >"$mp_d/s"; } 2>/dev/null;
done
"#;

/// Runs one request with its output straight on the channel, and ends with its status.
const ONCE: &str = r#"
read -r mp_s mp_p;
head -c "$((mp_s + mp_p))" >"$mp_d/g" && [ "$(wc -c <"$mp_d/g")" -eq "$((mp_s + mp_p))" ] && mp_c=$(head -c "$mp_s" "$mp_d/g") && tail -c "+$((mp_s + 1))" "$mp_d/g" >"$mp_d/i"
|| { echo "@HEAD@""@TAIL@ nospace"; exit 1; };
rm -f "$mp_d/g" "$mp_d/t";
echo "@HEAD@""@TAIL@ ready $$ $mp_d"; echo "@HEAD@""@TAIL@ ready" >&2;
( set --; eval "$mp_c" ) <"$mp_d/i"
"#;

/// Ends everything that a process started, but not itself: children that made themselves daemons have another parent by then.
const KILL: &str = r#"
all=" @PID@ "; more=1;
while [ $more = 1 ]; do
more=0;
for f in /proc/[0-9]*/stat; do
{ read -r line <"$f"; } 2>/dev/null || continue;
pid=${f#/proc/}; pid=${pid%/stat}; parent=${line##*) }; parent=${parent#? }; parent=${parent%% *};
case $all in *" $pid "*) continue;; esac;
case $all in *" $parent "*) all="$all$pid "; more=1;; esac;
done;
done;
set -- $all; shift; [ $# = 0 ] || kill -@SIGNAL@ "$@" 2>/dev/null; :
"#;

fn one_line(text: &str) -> String {
    text.split('\n')
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn fill(text: &str, nonce: &str, leftover: &str, mark: &Mark) -> String {
    let (head, tail) = nonce.split_at(nonce.len() / 2);
    let mut line = one_line(text)
        .replace("@HEAD@", head)
        .replace("@TAIL@", tail)
        .replace("@LEFTOVER@", leftover)
        .replace("@MARK@", &mark.text())
        .replace("@HOST@", &mark.host);
    line.push('\n');
    line
}

/// Tells the shells of one host's connections in one run from all others. The default is for hosts that have none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mark {
    /// Of the host and the run.
    pub host: String,
    /// The number of the connection, from 1.
    pub connection: u32,
}

impl Mark {
    fn text(&self) -> String {
        match self.host.as_str() {
            "" => String::new(),
            host => format!("{host}-{}.", self.connection),
        }
    }

    fn earlier(&self) -> &'static str {
        if self.connection > 1 { EARLIER } else { "" }
    }
}

/// The server of requests, as the line that [`boot`] waits for.
pub(super) fn serve(nonce: &str, leftover: &str, mark: &Mark) -> String {
    fill(
        &format!("{}{STALE}{PROLOGUE}{LOOP}", mark.earlier()),
        nonce,
        leftover,
        mark,
    )
}

/// The runner of one watched request, as the line that [`boot`] waits for.
pub(super) fn once(nonce: &str, mark: &Mark) -> String {
    fill(&format!("{}{PROLOGUE}{ONCE}", mark.earlier()), nonce, "", mark)
}

/// What a served script ends with, so that one that was cut off is not taken for a whole one.
pub(super) fn end(nonce: &str) -> String {
    format!("\n#{nonce}")
}

/// A script that sends a signal to all descendants of a process.
pub(super) fn kill_children(pid: u32, signal: &str) -> String {
    KILL.replace("@PID@", &pid.to_string()).replace("@SIGNAL@", signal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Child, Command, Stdio};

    const NONCE: &str = "0123456789abcdef";

    /// A server that has said that it is ready, and its folder.
    fn server(mark: &Mark) -> (Child, String) {
        let mut child = Command::new("sh")
            .args(["-c", &boot(NONCE, false)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh");
        let program = serve(NONCE, "", mark);
        let stdin = child.stdin.as_mut().expect("its input");
        stdin.write_all(program.as_bytes()).expect("sent");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("its output"))
            .read_line(&mut line)
            .expect("a line");
        let folder = line.trim().rsplit(' ').next().expect("a folder").to_owned();
        (child, folder)
    }

    #[test]
    fn a_request_that_was_cut_off_is_not_carried_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = folder.path().join("made");
        let script = format!("echo >'{}'\necho done{}", made.display(), end(NONCE));
        let whole = |payload: &str| format!("{} {} 1000\n{script}{payload}", script.len(), payload.len());
        for (request, carried_out) in [
            (whole("")[..60].to_owned(), false),
            (whole("")[..whole("").len() - 8].to_owned(), false),
            (
                whole("some payload")[..whole("some payload").len() - 1].to_owned(),
                false,
            ),
            (whole("some payload"), true),
            (whole(""), true),
        ] {
            let _ = std::fs::remove_file(&made);
            let (mut child, _) = server(&Mark::default());
            let mut stdin = child.stdin.take().expect("its input");
            stdin.write_all(request.as_bytes()).expect("sent");
            drop(stdin);
            child.wait().expect("ends");
            assert_eq!(made.exists(), carried_out, "{request:?}");
        }
    }

    #[test]
    fn a_shell_that_nobody_speaks_to_any_more_ends_with_the_next_run() {
        let mark = |name: &str| Mark {
            host: format!("{name}{}", std::process::id()),
            connection: 1,
        };
        let (mut lost, folder) = server(&mark("lost"));
        let (mut working, works) = server(&mark("working"));
        let (mut fresh, freshs) = server(&mark("fresh"));
        let done = |state: &str, folder: &str| {
            let file = format!("{folder}/s");
            let is = std::fs::read_to_string(&file).expect("read");
            match state {
                "busy" => std::fs::write(&file, "busy\n").expect("written"),
                state => assert_eq!(is.trim(), state),
            }
            let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(600);
            let file = std::fs::File::options().write(true).open(file).expect("opened");
            file.set_modified(long_ago).expect("set");
        };
        // The rest of this request will never come.
        let mut stdin = lost.stdin.take().expect("its input");
        stdin.write_all(b"10 100 1000\necho").expect("sent");
        std::thread::sleep(std::time::Duration::from_millis(100));
        done("idle", &folder);
        done("busy", &works);
        let (mut next, nexts) = server(&mark("next"));
        lost.wait().expect("ends");
        // Shells of tests that run beside this one help to clear away.
        let gone = (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(30));
            !std::path::Path::new(&folder).exists()
        });
        assert!(gone, "{folder}");
        drop(stdin);
        for (child, folder) in [(&mut working, &works), (&mut fresh, &freshs), (&mut next, &nexts)] {
            assert!(std::path::Path::new(folder).is_dir(), "{folder}");
            drop(child.stdin.take());
            child.wait().expect("ends");
        }
    }

    #[test]
    fn the_shells_of_a_connection_that_broke_end_with_the_next_one() {
        let mark = |host: &str, connection| Mark {
            host: host.into(),
            connection,
        };
        let own = format!("t{}", std::process::id());
        let (mut broken, folder) = server(&mark(&own, 1));
        let (mut other, others) = server(&mark("another", 1));
        assert!(folder.contains(&format!("{own}-1")) && std::path::Path::new(&folder).is_dir());
        let (mut next, nexts) = server(&mark(&own, 2));
        broken.wait().expect("ends");
        assert!(!std::path::Path::new(&folder).exists());
        for (child, folder) in [(&mut other, &others), (&mut next, &nexts)] {
            assert!(std::path::Path::new(folder).is_dir(), "{folder}");
            drop(child.stdin.take());
            child.wait().expect("ends");
        }
    }
}
