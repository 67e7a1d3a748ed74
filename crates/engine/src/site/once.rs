//! Changes that happen once, whatever becomes of the connection: the answer of a change is kept on the host until the
//! run has ended, so that sending it again hands out the answer in place of doing it again.

use super::BASE;
use crate::shell::quote;

/// What names the change with that number of a run's own, which it makes under `name` of a machine: a machine may have several
/// in an inventory, and each goes with its own.
pub(crate) fn id(run: &str, number: u64, name: &str) -> String {
    format!("{run}.{number}@{}", super::component(name))
}

/// `script`, done at most once for `id`. Sent again, it waits for the first to end and prints its output; the exit
/// status is that of the script. Status 98 says that the first was cut short, [`super::lock::NOT_OURS`] that the host is
/// not `run`'s any more.
pub(crate) fn wrap(run: &str, id: &str, script: &str) -> String {
    let id = quote(id);
    let guard = super::lock::guard(run);
    let alive = super::lock::sign_of_life(run);
    format!(
        "{BASE}\
r=\"$b\"/applied/{id}
cut_short() {{ cat \"$r/out\"; cat \"$r/err\" >&2; echo 'the change was cut short' >&2; exit 98; }}
if [ -d \"$r\" ]; then
i=0
while ! [ -f \"$r/status\" ]; do
if ! [ -f \"$r/pid\" ]; then
i=$((i + 1))
if [ $i -gt 50 ]; then cut_short; fi
sleep 0.1
continue
fi
read -r p <\"$r/pid\" && kill -0 \"$p\" 2>/dev/null || [ -f \"$r/status\" ] || cut_short
sleep 0.2
done
else
{guard}umask 077
mkdir -p \"$b/applied\" && mkdir \"$r\" || exit
umask 022
# The room for the status is taken before anything is done, and that for its answer is seen to be there. Where there is
# none, cat says why.
{{ echo 255 >\"$r/status.new\" && printf '%12288s' '' >\"$r/room\"; }} 2>/dev/null || printf '%12288s' '' | cat >\"$r/room\" || {{ echo \"cannot write to $b\" >&2; rm -rf \"$r\"; exit 1; }}
: >\"$r/room\"
(
trap '' HUP
sh -c 'echo $PPID' >\"$r/pid.new\" && mv \"$r/pid.new\" \"$r/pid\"
(
{script}
) >\"$r/out\" 2>\"$r/err\"
echo $? 1<>\"$r/status.new\"
mv \"$r/status.new\" \"$r/status\"
)
{alive}fi
cat \"$r/out\"
cat \"$r/err\" >&2
read -r s <\"$r/status\"
exit \"$s\"
"
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::Shell;

    fn wrap(id: &str, script: &str) -> String {
        super::wrap("r", id, script)
    }

    fn shell_of_run() -> Shell {
        let shell = Shell::new();
        let folder = shell.root.path().join("run/mosip-prov");
        std::fs::create_dir(&folder).expect("made");
        std::fs::write(folder.join("lock"), "1\nr\trest\n").expect("written");
        shell
    }

    #[test]
    fn a_change_sent_twice_is_done_once_and_answered_twice() {
        let shell = shell_of_run();
        let script = wrap("r.1", "cat >>\"$HOME_OF_TEST/log\"; echo out; echo err >&2; exit 3");
        let script = script.replace("$HOME_OF_TEST", &shell.root.path().display().to_string());
        for _ in 0..2 {
            assert_eq!(shell.run(&script, b"x"), (3, "out\n".into(), "err\n".into()));
        }
        assert_eq!(std::fs::read(shell.root.path().join("log")).expect("there"), b"x");
    }

    #[test]
    fn the_second_waits_for_the_first() {
        let shell = shell_of_run();
        let script = wrap("r.1", "sleep 1; echo done");
        let first = shell.spawn(&script, b"");
        while !shell.root.path().join("run/mosip-prov/applied/r.1/pid").exists() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(shell.run(&script, b"").1, "done\n");
        first.wait_with_output().expect("ends");
    }

    #[test]
    fn a_change_that_was_cut_short_says_so() {
        let shell = shell_of_run();
        let script = wrap("r.1", "sleep 30");
        let mut first = shell.spawn(&script, b"");
        let pid = shell.root.path().join("run/mosip-prov/applied/r.1/pid");
        let inner = loop {
            if let Ok(text) = std::fs::read_to_string(&pid)
                && let Ok(inner) = text.trim().parse::<u32>()
            {
                break inner;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        };
        // The shell that does the work, and what waits for it, are killed as a crash would.
        let kill = |pid: u32| {
            std::process::Command::new("kill")
                .args(["-9", &pid.to_string()])
                .status()
        };
        kill(inner).expect("kill");
        first.kill().expect("kill");
        first.wait().expect("ends");
        let (status, _, err) = shell.run(&script, b"");
        assert_eq!((status, err.as_str()), (98, "the change was cut short\n"));
    }
}
