//! The script around every apt-get that changes something: waits for the locks and names their holder, completes an
//! interrupted installation, never asks, and ends with apt's own complaint.

use crate::probe::command::AskCommand;
use std::time::Duration;

/// What an `apt-get` run needs.
pub(crate) struct AptScript<'a> {
    /// How long to wait for the locks.
    pub lock_timeout: Duration,
    /// Lines of `sh` that call `apt` (apt-get with all options) or `dpkg`.
    pub body: &'a str,
    /// Restart services whose libraries were replaced (needrestart), rather than leave them alone.
    pub restart_services: bool,
}

/// Finds the holder of a lock: fcntl locks are listed in /proc/locks with process and inode (proc_locks(5)); that the
/// process really has that very file open is proved by its descriptors, since inode numbers repeat between devices.
const HOLDER: &str = r#"holder() {
  for f in $LOCKS; do
    [ -e "$f" ] || continue
    i=$(stat -c %i -- "$f") || continue
    while read -r _ a b c d e _; do
      case $a in '->') continue ;; esac
      [ "${e##*:}" = "$i" ] || continue
      for g in "/proc/$d/fd"/*; do
        [ "$g" -ef "$f" ] || continue
        p=$d; n=$(cat "/proc/$p/comm" 2>/dev/null)
        s=$(cat "/proc/$p/stat" 2>/dev/null); s=${s##*) }
        set -- $s; shift 19; read -r u _ </proc/uptime
        t=$(($(date +%s) - ${u%%.*} + ${1:-0} / $(getconf CLK_TCK 2>/dev/null || echo 100)))
        t=$(date -d "@$t" +%H:%M:%S 2>/dev/null || echo "boot+$((${1:-0} / 100))s")
        printf 'held by %s (pid %s) since %s' "${n:-a process}" "$p" "$t"
        return 0
      done
    done </proc/locks
  done
  return 1
}
"#;

/// Downloads are tried again for about a minute and more (apt waits 1, 2, 4 … 30 s in between): what cuts a host off from its
/// operator cuts it off from its mirror too.
const PRELUDE: &str = r#"wait_for_locks() {
  said=0
  while h=$(holder); do
    now=$(date +%s)
    if [ $((now - said)) -ge 5 ]; then echo "waiting for the dpkg lock, $h"; said=$now; fi
    if [ "$now" -ge "$END" ]; then
      echo "the dpkg lock is still $h; waited $WAIT s, nothing was changed" >&2
      exit 75
    fi
    sleep 1
  done
}
run_once() {
  wait_for_locks
  : >"$E"
  "$@" </dev/null 2>"$E"
}
run() {
  while :; do
    run_once "$@" && { cat "$E" >&2; return 0; }
    r=$?
    # Another process may have taken the lock in between: nothing was changed, so wait again.
    if grep -q -e '^E: Could not get lock' -e '^E: Unable to acquire the dpkg frontend lock' -e '^E: Unable to lock' "$E" &&
      [ "$(date +%s)" -lt "$END" ]; then sleep 1; continue; fi
    # dpkg gives its reason on the line after.
    grep -A 1 -e '^E: ' -e '^dpkg: .*error' "$E" >&2 || cat "$E" >&2
    { printf x >"$E"; } 2>/dev/null || echo "E: No space left on device for $E, where errors are kept" >&2
    exit "$r"
  done
}
apt() { run apt-get -y -q -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 -o APT::Color=0 -o Acquire::Retries=6 "$@"; }
repair() {
  set -- /var/lib/dpkg/updates/[0-9]*
  if [ -e "$1" ] || [ -n "$(dpkg --audit 2>/dev/null)" ]; then
    echo 'an earlier installation was interrupted: running dpkg --configure -a first'
    run dpkg --force-confdef --force-confold --configure -a
    apt --fix-broken install
  fi
}
E=$(mktemp) || exit
trap 'rm -f -- "$E"' EXIT
END=$(($(date +%s) + WAIT))
"#;

const LOCKS: &str =
    "/var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock";

/// Asks who holds a lock of dpkg or apt: status 0 and `held by NAME (pid PID) since TIME`, else nobody that the asking user
/// can see.
pub fn ask_lock_holder() -> AskCommand {
    AskCommand(format!("LOCKS='{LOCKS}'\n{HOLDER}holder || exit 1"))
}

/// Asks whether a lock of dpkg or apt seems to be held by a process that the asking user may not look at: status 0 and its
/// number. Only root sees by descriptors that it really is that lock, so that root is told nothing here.
pub fn ask_hidden_lock_holder() -> AskCommand {
    hidden_holder(LOCKS)
}

fn hidden_holder(locks: &str) -> AskCommand {
    AskCommand(format!(
        r#"[ "$(id -u)" != 0 ] || exit 1
for f in {locks}; do
  i=$(stat -c %i -- "$f" 2>/dev/null) || continue
  while read -r _ a b c d e _; do
    case $a in '->') continue ;; esac
    [ "${{e##*:}}" != "$i" ] || {{ echo "$d"; exit 0; }}
  done </proc/locks
done
exit 1"#
    ))
}

impl AptScript<'_> {
    pub fn render(&self) -> String {
        self.render_for(LOCKS)
    }

    fn render_for(&self, locks: &str) -> String {
        let restarts = if self.restart_services {
            "NEEDRESTART_MODE=a"
        } else {
            "NEEDRESTART_SUSPEND=1"
        };
        format!(
            "LC_ALL=C DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none APT_LISTBUGS_FRONTEND=none {restarts}
export LC_ALL DEBIAN_FRONTEND APT_LISTCHANGES_FRONTEND APT_LISTBUGS_FRONTEND {name}
LOCKS='{locks}' WAIT={wait}
{HOLDER}{PRELUDE}{body}",
            name = restarts.split('=').next().unwrap_or_default(),
            wait = self.lock_timeout.as_secs(),
            body = self.body,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::sh_available;
    use std::process::{Command, Stdio};

    fn run(shell: &[&str], script: &str) -> (Option<i32>, String, String) {
        let output = Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", script])
            .output()
            .expect("starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    fn script(wait: u64, locks: &str, body: &str) -> String {
        AptScript {
            lock_timeout: Duration::from_secs(wait),
            body,
            restart_services: false,
        }
        .render_for(locks)
    }

    #[test]
    fn a_failure_ends_with_the_complaint_alone() {
        for shell in sh_available() {
            let body =
                "f() { echo progress; echo 'W: x' >&2; echo 'E: no space left' >&2; return 100; }\nrun f\necho never";
            let (status, out, err) = run(shell, &script(1, "/nonexistent/lock", body));
            assert_eq!(
                (status, out.as_str(), err.as_str()),
                (Some(100), "progress\n", "E: no space left\n"),
                "{shell:?}"
            );
            let (status, out, err) = run(shell, &script(1, "/nonexistent/lock", "run true\necho done"));
            assert_eq!(
                (status, out.as_str(), err.as_str()),
                (Some(0), "done\n", ""),
                "{shell:?}"
            );
        }
    }

    /// A process that holds an fcntl lock as apt does; `None` where python3 is missing, which alone can take one here.
    fn hold(lock: &std::path::Path) -> Option<std::process::Child> {
        use std::io::BufRead;
        let program = "import fcntl,sys,time; f=open(sys.argv[1],'w'); fcntl.lockf(f,fcntl.LOCK_EX); print('held',flush=True); time.sleep(30)";
        let mut child = Command::new("python3")
            .args(["-c", program])
            .arg(lock)
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take()?)
            .read_line(&mut line)
            .ok()?;
        Some(child)
    }

    #[test]
    fn a_held_lock_is_waited_for_and_its_holder_named() {
        let folder = tempfile::tempdir().expect("folder");
        let lock = folder.path().join("lock");
        let Some(mut child) = hold(&lock) else { return };
        let locks = lock.to_str().expect("text");
        for shell in sh_available() {
            let (status, out, err) = run(shell, &script(1, locks, "run echo changed"));
            assert_eq!(status, Some(75), "{shell:?} {out} {err}");
            let holder = format!("held by python3 (pid {}) since ", child.id());
            assert!(
                out.contains(&format!("waiting for the dpkg lock, {holder}")),
                "{shell:?} {out}"
            );
            assert!(
                err.contains(&holder) && err.contains("nothing was changed"),
                "{shell:?} {err}"
            );
            assert!(!out.contains("changed\n"), "{shell:?} {out}");
        }
        // Who is not root is told that somebody has it; `id` is a stand-in.
        let as_user = |user: &str| {
            let stand_in = format!("id() {{ echo {user}; }}\n{}", hidden_holder(locks).0);
            run(&["sh"], &stand_in)
        };
        assert_eq!(as_user("1000"), (Some(0), format!("{}\n", child.id()), String::new()));
        assert_eq!(as_user("0").0, Some(1));
        child.kill().expect("ends");
        child.wait().expect("ended");
        assert_eq!(as_user("1000").0, Some(1));
        assert_eq!(run(&["sh"], &script(5, locks, "run echo changed")).1, "changed\n");
    }
}
