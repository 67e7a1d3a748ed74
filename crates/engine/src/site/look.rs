//! A look at what runs have left on a host, around questions that are asked without its lock.

use super::PLACE;

/// What [`look`] prints where nobody has left anything.
pub(crate) const FREE: &str = "free";

/// `questions` between two looks at what runs leave on a host: [`FREE`] alone on the first and on the last line says that
/// no run was there before, and none came meanwhile. Takes no lock, and starts no process.
pub(crate) fn look(questions: &str) -> String {
    format!(
        "{PLACE}\
w={FREE}
if [ -e \"$b\" ] || [ -L \"$b\" ]; then w=taken; fi
for d in {undo}/*/; do
if [ -d \"$d\" ]; then w=taken; fi
done
echo $w
p=$b
{questions}\
if [ -e \"$p\" ] || [ -L \"$p\" ]; then echo taken; else echo {FREE}; fi
",
        undo = super::undo::FOLDER,
    )
}

/// The answers between the two looks of [`look`], if nobody was there.
pub(crate) fn undisturbed(output: &str) -> Option<&str> {
    let rest = output.strip_prefix(FREE)?.strip_prefix('\n')?;
    let rest = rest.trim_end_matches('\n').strip_suffix(FREE)?;
    (rest.is_empty() || rest.ends_with('\n')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::super::lock;
    use super::super::testing::Shell;
    use super::*;

    fn looked(shell: &Shell, questions: &str) -> Option<String> {
        let (status, out, err) = shell.run(&look(questions), b"");
        assert_eq!((status, err.as_str()), (0, ""), "{out}");
        undisturbed(&out).map(str::to_owned)
    }

    #[test]
    fn a_look_finds_out_whether_anybody_is_or_was_there() {
        let shell = Shell::new();
        let run = shell.root.path().join("run");
        let owner = lock::Owner {
            run: "r1".into(),
            user: "alice".into(),
            controller: "deploy".into(),
            machine: "m1".into(),
            pid: 42,
            since: "07:31".into(),
        };
        let frame = crate::shell::frame("echo answer");
        assert_eq!(looked(&shell, &frame).as_deref(), Some("0 6\nanswer\n"));
        assert_eq!(looked(&shell, "").as_deref(), Some(""));
        assert_eq!(
            std::fs::read_dir(&run).expect("dir").count(),
            0,
            "nothing is made by looking"
        );
        // Somebody comes while questions are answered.
        let meanwhile = "mkdir /run/mosip-prov\n";
        assert_eq!(looked(&shell, &format!("{frame}{meanwhile}")), None);
        assert_eq!(looked(&shell, &frame), None);
        std::fs::remove_dir(run.join("mosip-prov")).expect("removed");
        shell.run(&lock::enter(&owner, None), b"");
        assert_eq!(looked(&shell, &frame), None);
        shell.run(&lock::leave(&owner, "h", &[], &[]), b"");
        assert!(looked(&shell, &frame).is_some());
        // Predecessors of files that a run before kept.
        let kept = shell.root.path().join("var/lib/mosip-prov/undo/role");
        std::fs::create_dir_all(&kept).expect("made");
        assert_eq!(looked(&shell, &frame), None);
    }

    #[test]
    fn an_answer_that_breaks_off_is_no_free_host() {
        assert_eq!(undisturbed("free\n0 6\nanswer\nfree\n"), Some("0 6\nanswer\n"));
        assert_eq!(undisturbed("free\nfree\n"), Some(""));
        for broken in [
            "",
            "free",
            "free\n",
            "free\n0 6\nanswer\n",
            "taken\nfree\n",
            "free\ntaken\n",
            "free\n0 4\nfree",
        ] {
            assert!(
                undisturbed(broken).is_none_or(|answers| crate::shell::split_frames(answers).is_err()),
                "{broken:?}"
            );
        }
    }
}
