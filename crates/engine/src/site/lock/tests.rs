//! The lock, by the shell that carries it out.

use super::super::once;
use super::super::testing::Shell;
use super::*;

fn owner(run: &str) -> Owner {
    Owner {
        run: run.into(),
        user: "alice".into(),
        controller: "deploy node".into(),
        machine: "m1".into(),
        pid: 42,
        since: "07:31".into(),
    }
}

fn enter_as(shell: &Shell, run: &str, gone: Option<&str>) -> Entered {
    let (status, out, err) = shell.run(&enter(&owner(run), gone), b"");
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    parse(&out).expect("readable")
}

#[test]
fn the_second_run_is_told_whom_it_waits_for() {
    let shell = Shell::new();
    assert_eq!(enter_as(&shell, "r1", None).lock, Ok(()));
    assert_eq!(enter_as(&shell, "r1", None).lock, Ok(()), "ours stays ours");
    let (holder, age) = enter_as(&shell, "r2", None).lock.expect_err("held");
    assert_eq!(holder, Some(owner("r1")));
    assert!(age < 5);
    let (status, _, _) = shell.run(&leave(&owner("r2"), "h", &[], &[]), b"");
    assert_eq!(status, 0);
    assert!(
        enter_as(&shell, "r2", None).lock.is_err(),
        "nobody lets go of another's lock"
    );
    shell.run(&leave(&owner("r1"), "h", &[], &[]), b"");
    let left = std::fs::read_dir(shell.root.path().join("run")).expect("dir").count();
    assert_eq!(left, 0, "nothing is left");
    assert_eq!(enter_as(&shell, "r2", None).lock, Ok(()));
}

#[test]
fn a_crash_lets_go() {
    let shell = Shell::new();
    enter_as(&shell, "r1", None);
    let known_dead = enter_as(&shell, "r2", Some("r1"));
    assert_eq!((known_dead.lock, known_dead.taken_from), (Ok(()), Some(owner("r1"))));
    // A sign of life that is too old.
    let lock = shell.root.path().join("run/mosip-prov/lock");
    let text = std::fs::read_to_string(&lock).expect("there");
    let (up, rest) = text.split_once('\n').expect("two lines");
    let old = up.parse::<u64>().expect("number").saturating_sub(LEASE.as_secs());
    std::fs::write(&lock, format!("{old}\n{rest}")).expect("written");
    assert_eq!(enter_as(&shell, "r3", None).lock, Ok(()));
}

/// Another run's change, which a shell that goes on does.
fn change_under_way(shell: &Shell, run: &str, script: &str) -> std::process::Child {
    let child = shell.spawn(&once::wrap(run, &once::id(run, 1, "h"), script), b"");
    let pid = shell.root.path().join(format!("run/mosip-prov/applied/{run}.1@h/pid"));
    while !pid.exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    child
}

#[test]
fn changes_of_a_run_that_is_gone_are_waited_for_and_its_answers_removed() {
    let shell = Shell::new();
    enter_as(&shell, "r1", None);
    let done = shell.root.path().join("done");
    let change = change_under_way(&shell, "r1", &format!("sleep 1; : >{}", done.display()));
    assert_eq!(enter_as(&shell, "r2", Some("r1")).lock, Ok(()));
    assert!(done.exists(), "nothing is decided over a change that is under way");
    change.wait_with_output().expect("ends");
    shell.run(&leave(&owner("r2"), "h", &[], &[]), b"");
    let left = std::fs::read_dir(shell.root.path().join("run")).expect("dir").count();
    assert_eq!(left, 0, "nothing is left");
}

#[test]
fn what_a_run_does_under_another_name_of_the_machine_stays() {
    let shell = Shell::new();
    enter_as(&shell, "r1", None);
    let change = change_under_way(&shell, "r1", "sleep 1; echo done");
    shell.run(&leave(&owner("r1"), "other", &[], &[]), b"");
    shell.run(&leave(&owner("r1"), "a.h", &[], &[]), b"");
    let ended = change.wait_with_output().expect("ends");
    assert_eq!((ended.status.code(), ended.stdout), (Some(0), b"done\n".to_vec()));
    assert!(enter_as(&shell, "r2", None).lock.is_err(), "the lock is still needed");
    shell.run(&leave(&owner("r1"), "h", &[], &[]), b"");
    let left = std::fs::read_dir(shell.root.path().join("run")).expect("dir").count();
    assert_eq!(left, 0, "nothing is left");
}

#[test]
fn a_long_change_is_a_sign_of_life() {
    let shell = Shell::new();
    enter_as(&shell, "r1", None);
    let change = change_under_way(&shell, "r1", "sleep 1");
    let lock = shell.root.path().join("run/mosip-prov/lock");
    let grow_old = || {
        let text = std::fs::read_to_string(&lock).expect("there");
        let (up, rest) = text.split_once('\n').expect("two lines");
        let old = up.parse::<u64>().expect("number").saturating_sub(LEASE.as_secs() + 60);
        std::fs::write(&lock, format!("{old}\n{rest}")).expect("written");
    };
    grow_old();
    assert!(enter_as(&shell, "r2", None).lock.is_err(), "the change is under way");
    change.wait_with_output().expect("ends");
    assert!(
        enter_as(&shell, "r2", None).lock.is_err(),
        "its end is a sign of life too"
    );
    grow_old();
    assert_eq!(enter_as(&shell, "r2", None).lock, Ok(()));
}

#[test]
fn a_change_begins_only_under_its_runs_own_lock() {
    let shell = Shell::new();
    let change = super::super::once::wrap("r1", "r1.1", "echo done");
    let (status, out, err) = shell.run(&change, b"");
    assert_eq!((status, out.as_str(), holder(&err)), (NOT_OURS, "", None));
    enter_as(&shell, "r1", None);
    assert_eq!(shell.run(&change, b"").1, "done\n");
    enter_as(&shell, "r2", Some("r1"));
    let late = super::super::once::wrap("r1", "r1.2", "echo done");
    let (status, out, err) = shell.run(&late, b"");
    assert_eq!((status, out.as_str(), holder(&err)), (NOT_OURS, "", Some(owner("r2"))));
}

#[test]
fn runs_that_come_while_others_leave_all_get_in() {
    let shell = Shell::new();
    let come_and_go = |run: &str| {
        for _ in 0..15 {
            while enter_as(&shell, run, None).lock.is_err() {}
            assert_eq!(shell.run(&leave(&owner(run), "h", &[], &[]), b"").0, 0);
        }
    };
    std::thread::scope(|scope| {
        for run in ["r1", "r2", "r3"] {
            scope.spawn(move || come_and_go(run));
        }
    });
}

#[test]
fn a_renewed_lock_is_young_again() {
    let shell = Shell::new();
    enter_as(&shell, "r1", None);
    let lock = shell.root.path().join("run/mosip-prov/lock");
    let text = std::fs::read_to_string(&lock).expect("there");
    let rest = text.split_once('\n').expect("two lines").1;
    std::fs::write(&lock, format!("0\n{rest}")).expect("written");
    shell.run(&renew(&owner("r1")), b"");
    assert!(enter_as(&shell, "r2", None).lock.is_err());
}

#[test]
fn a_gone_process_is_only_believed_of_the_own_machine() {
    let (mine, theirs) = (owner("r1"), owner("r2"));
    let dead = |_| false;
    let other_pid = Owner {
        pid: 43,
        ..theirs.clone()
    };
    assert!(other_pid.is_gone(&mine, dead));
    assert!(!other_pid.is_gone(&mine, |_| true));
    let other_machine = Owner {
        machine: "m2".into(),
        ..other_pid
    };
    assert!(!other_machine.is_gone(&mine, dead));
}
