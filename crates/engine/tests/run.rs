//! Runs of the engine against local shells: real exchanges in a temporary folder, no network.

#[allow(dead_code)]
mod toy;

use mosip_prov_engine::events::{EventKind, TaskStatus};
use mosip_prov_engine::{CancelHandle, Play, Playbook, RunOptions, RunOutcome, Serial, Task};
use std::time::Duration;
use toy::{Bench, Endless, Fail, Fleet, Noisy, Put, Toy, Wait, role};

fn puts(count: usize) -> Toy {
    role("many", move |cx, out| {
        for n in 0..count {
            out.tasks.push(Task::new(
                format!("put {n}"),
                Put::new(cx.path(&format!("f{n}")), "content"),
            ));
        }
    })
}

#[tokio::test]
async fn a_converged_host_costs_one_round_trip_whatever_the_number_of_tasks() {
    let mut counts = Vec::new();
    for tasks in [3, 60] {
        let bench = Bench::new(&["h1"]);
        let book = Playbook::new("b", "").play(Play::new("p", "all").role(puts(tasks)));
        let first = bench.run(&book, RunOptions::default()).await;
        assert_eq!(first.hosts["h1"].counts.changed as usize, tasks);
        // One to ask, one to take the lock and ask anew, one to change (the changes do not depend on each other), one to let go.
        assert_eq!(first.hosts["h1"].exchanges, 4);
        let profile = first.hosts["h1"].profile;
        assert_eq!(profile.exchanges, 4);
        assert!(profile.wall_us > 0 && profile.decide_us > 0, "{profile:?}");
        assert_eq!(
            profile.accounted_us().max(profile.wall_us),
            profile.accounted_us() + profile.other_us
        );
        let second = bench.run(&book, RunOptions::default()).await;
        assert_eq!(second.hosts["h1"].counts.changed, 0);
        assert_eq!(second.hosts["h1"].counts.ok as usize, tasks);
        counts.push(second.hosts["h1"].exchanges);
    }
    assert_eq!(counts, [1, 1]);
}

#[tokio::test]
async fn the_first_failure_stops_the_host_and_what_came_before_is_done() {
    let bench = Bench::new(&["h1"]);
    let book = Playbook::new("b", "").play(Play::new("p", "all").role(role("r", |cx, out| {
        out.tasks
            .push(Task::new("one", Put::new(cx.path("one"), "1")).notify("tell"));
        out.tasks
            .push(Task::new("two", Fail::saying("E: no such thing")).notify("other"));
        out.tasks.push(Task::new("three", Put::new(cx.path("three"), "3")));
        out.handlers.push(Task::new("tell", Put::new(cx.path("told"), "x")));
        out.handlers.push(Task::new("other", Put::new(cx.path("other"), "x")));
    })));
    let report = bench.run(&book, RunOptions::default()).await;
    let host = &report.hosts["h1"];
    assert_eq!(report.outcome(), RunOutcome::Failed);
    assert_eq!((host.counts.changed, host.counts.failed), (1, 1));
    assert!(bench.exists("h1", "one") && !bench.exists("h1", "three") && !bench.exists("h1", "told"));
    let failure = host.tasks.iter().find_map(|t| t.error.as_ref()).expect("a failure");
    assert!(failure.message.contains("E: no such thing"), "{}", failure.message);
    assert_eq!(failure.status, Some(9));
    let warnings = bench.warnings();
    assert!(
        warnings.iter().any(|w| w.contains("tell") && !w.contains("other")),
        "{warnings:?}"
    );
}

#[tokio::test]
async fn handlers_run_once_at_the_end_of_their_role_in_their_order() {
    let bench = Bench::new(&["h1"]);
    let book = Playbook::new("b", "").play(
        Play::new("p", "all")
            .role(role("r", |cx, out| {
                for n in 0..3 {
                    out.tasks.push(
                        Task::new(format!("put {n}"), Put::new(cx.path(&format!("{n}")), "x"))
                            .notify("second")
                            .notify("first"),
                    );
                }
                out.handlers
                    .push(Task::new("first", Put::append(cx.path("log"), "first")));
                out.handlers
                    .push(Task::new("second", Put::append(cx.path("log"), "second")));
                out.handlers
                    .push(Task::new("never", Put::append(cx.path("log"), "never")));
            }))
            .role(role("later", |cx, out| {
                out.tasks.push(Task::new("later", Put::append(cx.path("log"), "later")));
            })),
    );
    bench.run(&book, RunOptions::default()).await;
    assert_eq!(bench.read("h1", "log"), "first\nsecond\nlater\n");
}

#[tokio::test]
async fn check_mode_says_what_would_be_done_and_does_nothing() {
    let bench = Bench::new(&["h1"]);
    let book = Playbook::new("b", "").play(Play::new("p", "all").role(role("r", |cx, out| {
        out.tasks
            .push(Task::new("put", Put::new(cx.path("f"), "new")).notify("tell"));
        out.tasks.push(Task::new("noisy", Noisy(2)));
        out.handlers.push(Task::new("tell", Put::new(cx.path("told"), "x")));
    })));
    let options = RunOptions {
        check: true,
        ..RunOptions::default()
    };
    for _ in 0..2 {
        let report = bench.run(&book, options.clone()).await;
        assert_eq!(report.hosts["h1"].counts.changed, 3);
        let put = &report.hosts["h1"].tasks[0];
        assert_eq!(put.differences[0].before, None);
        assert_eq!(put.differences[0].after.as_deref(), Some("new"));
        assert_eq!(bench.files("h1"), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_a_change_touched_is_asked_again_before_the_next_decision() {
    let bench = Bench::new(&["h1"]);
    let book = Playbook::new("b", "").play(Play::new("p", "all").role(role("r", |cx, out| {
        out.tasks.push(Task::new("one", Put::new(cx.path("f"), "1")));
        out.tasks.push(Task::new("two", Put::new(cx.path("f"), "2")));
        out.tasks.push(Task::new("same", Put::new(cx.path("f"), "2")));
    })));
    let report = bench.run(&book, RunOptions::default()).await;
    let statuses: Vec<TaskStatus> = report.hosts["h1"].tasks.iter().map(|t| t.status).collect();
    assert_eq!(statuses, [TaskStatus::Changed, TaskStatus::Changed, TaskStatus::Ok]);
    assert_eq!(report.hosts["h1"].tasks[1].differences[0].before.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_host_that_is_down_does_not_hold_up_the_others() {
    let bench = Bench::new(&["h1", "h2", "h3"]).down("h2");
    let book = Playbook::new("b", "").play(Play::new("p", "all").role(puts(2)));
    let report = bench.run(&book, RunOptions::default()).await;
    assert_eq!(report.outcome(), RunOutcome::Unreachable);
    assert_eq!(report.hosts["h2"].counts.unreachable, 1);
    for host in ["h1", "h3"] {
        assert_eq!(report.hosts[host].counts.changed, 2, "{host}");
    }
}

#[tokio::test]
async fn a_host_that_is_still_starting_is_waited_for_where_the_play_says_so() {
    let bench = Bench::new(&["h1", "h2"]).late("h1");
    let impatient = Playbook::new("b", "").play(Play::new("p", "all").role(puts(1)));
    let report = bench.run(&impatient, RunOptions::default()).await;
    assert_eq!(report.hosts["h1"].counts.unreachable, 1);
    let play = Play::new("p", "all")
        .wait_for_hosts(Duration::from_secs(60))
        .role(puts(2));
    let report = bench
        .run(&Playbook::new("b", "").play(play), RunOptions::default())
        .await;
    assert_eq!(report.outcome(), RunOutcome::Ok);
    assert_eq!(report.hosts["h1"].counts.changed, 2);
    assert!(
        bench.warnings().iter().any(|w| w.contains("waiting up to 60 s")),
        "{:?}",
        bench.warnings()
    );
}

#[tokio::test]
async fn a_failed_host_takes_no_part_in_later_plays() {
    let bench = Bench::new(&["h1", "h2"]);
    let book = Playbook::new("b", "")
        .play(Play::new("first", "h1").role(role("r", |_, out| {
            out.tasks.push(Task::new("fail", Fail::saying("no")));
        })))
        .play(Play::new("second", "all").role(puts(1)));
    let report = bench.run(&book, RunOptions::default()).await;
    assert_eq!(bench.files("h1"), Vec::<String>::new());
    assert_eq!(report.hosts["h2"].counts.changed, 1);
}

#[tokio::test]
async fn batches_follow_each_other_and_too_many_failures_stop_the_play() {
    let bench = Bench::new(&["h1", "h2", "h3", "h4"]);
    let failing = role("r", |cx, out| {
        if cx.host() == "h1" {
            out.tasks.push(Task::new("fail", Fail::saying("no")));
        } else {
            out.tasks.push(Task::new("put", Put::new(cx.path("f"), "x")));
        }
    });
    let mut play = Play::new("p", "all").role(failing).serial(Serial::Hosts(2));
    play.max_fail_percentage = Some(40);
    let book = Playbook::new("b", "").play(play);
    let report = bench.run(&book, RunOptions::default()).await;
    assert_eq!(report.hosts["h2"].counts.changed, 1);
    assert_eq!(bench.files("h3"), Vec::<String>::new());
    assert_eq!(bench.files("h4"), Vec::<String>::new());
    assert!(bench.warnings().iter().any(|w| w.contains("1 of 2")));
}

#[tokio::test]
async fn a_task_that_runs_once_runs_once_and_the_others_wait_for_it() {
    let bench = Bench::new(&["h1", "h2", "h3"]);
    let shared = bench.root().join("once");
    let shared = shared.to_str().expect("utf8").to_owned();
    let book = Playbook::new("b", "").play(Play::new("p", "all").role(role("r", move |cx, out| {
        out.tasks
            .push(Task::new("once", Put::append(shared.clone(), "done")).run_once());
        out.tasks.push(Task::new("after", Put::new(cx.path("after"), "x")));
    })));
    let report = bench.run(&book, RunOptions::default()).await;
    assert_eq!(
        std::fs::read_to_string(bench.root().join("once")).expect("there"),
        "done\n"
    );
    let changed: u32 = report.hosts.values().map(|h| h.counts.changed).sum();
    assert_eq!(changed, 4);
}

#[tokio::test]
async fn a_delegated_task_is_carried_out_on_the_other_machine() {
    let bench = Bench::new(&["h1", "h2"]);
    let book = Playbook::new("b", "").play(Play::new("p", "h1").role(role("r", |_, out| {
        out.tasks
            .push(Task::new("there", Put::new("$HOST/f".into(), "x")).delegate_to("h2"));
    })));
    bench.run(&book, RunOptions::default()).await;
    assert_eq!(bench.connected(), ["h2"]);
}

#[tokio::test]
async fn a_failing_task_is_tried_again_as_often_as_it_says() {
    let bench = Bench::new(&["h1"]);
    let book = Playbook::new("b", "").play(Play::new("p", "all").role(role("r", |cx, out| {
        out.tasks
            .push(Task::new("third time", Fail::until(cx.path("tries"), 3)).retries(5, Duration::from_millis(1)));
        out.tasks.push(
            Task::new("in vain", Fail::saying("never"))
                .retries(1, Duration::from_millis(1))
                .ignore_errors(),
        );
        out.tasks.push(Task::new("after", Put::new(cx.path("after"), "x")));
    })));
    let report = bench.run(&book, RunOptions::default()).await;
    let retries = bench
        .events()
        .iter()
        .filter(|e| matches!(e.kind, EventKind::TaskRetried { .. }))
        .count();
    assert_eq!(retries, 3);
    let counts = report.hosts["h1"].counts;
    assert_eq!((counts.changed, counts.failed, counts.ignored), (2, 0, 1));
    assert!(bench.exists("h1", "after"));
}

#[tokio::test]
async fn a_state_is_waited_for_until_it_comes_or_patience_ends() {
    let bench = Bench::new(&["h1"]);
    let book = Playbook::new("b", "").play(Play::new("p", "all").role(role("r", |cx, out| {
        out.tasks.push(Task::new("comes", Wait::for_path(cx.path("now"), true)));
        out.tasks
            .push(Task::new("never", Wait::for_path(cx.path("never"), false)));
    })));
    let report = bench.run(&book, RunOptions::default()).await;
    let host = &report.hosts["h1"];
    assert_eq!(host.tasks[0].status, TaskStatus::Ok);
    let failure = host.tasks[1].error.as_ref().expect("failed");
    assert!(failure.message.contains("not there"), "{}", failure.message);
}

#[tokio::test]
async fn a_failure_that_is_told_once_may_be_of_before_and_one_that_goes_on_is_believed() {
    let bench = Bench::new(&["h1"]);
    let book = Playbook::new("b", "").play(Play::new("p", "all").role(role("r", |cx, out| {
        for (name, always) in [("once", false), ("always", true)] {
            let path = cx.path(name);
            out.tasks.push(Task::new(name, toy::Fails { path, always }));
        }
    })));
    let report = bench.run(&book, RunOptions::default()).await;
    let host = &report.hosts["h1"];
    assert_eq!(host.tasks[0].status, TaskStatus::Ok);
    let failure = host.tasks[1].error.as_ref().expect("failed");
    assert_eq!(failure.message, "it says that it cannot");
    assert_eq!(failure.help.as_deref(), Some("look at it"));
}

#[tokio::test]
async fn the_output_of_a_long_step_is_told_line_by_line_without_its_control_sequences() {
    let bench = Bench::new(&["h1"]);
    let book = Playbook::new("b", "").play(Play::new("p", "all").role(role("r", |_, out| {
        out.tasks.push(Task::new("noisy", Noisy(3)));
        out.tasks.push(Task::new("secret", Noisy(3)).no_log());
    })));
    bench.run(&book, RunOptions::default()).await;
    let lines: Vec<String> = bench
        .events()
        .into_iter()
        .filter_map(|e| match e.kind {
            EventKind::TaskOutput { line, .. } => Some(line),
            _ => None,
        })
        .collect();
    assert_eq!(lines, ["line 1", "line 2", "line 3"]);
}

#[tokio::test]
async fn a_cancelled_run_asks_long_work_to_stop_and_begins_no_further_task() {
    let bench = Bench::new(&["h1", "h2"]);
    let cancel = CancelHandle::new();
    let book = Playbook::new("b", "").play(Play::new("p", "all").role(role("r", |cx, out| {
        out.tasks.push(Task::new("before", Put::new(cx.path("before"), "x")));
        out.tasks.push(Task::new("first", Endless));
        out.tasks.push(Task::new("second", Put::new(cx.path("f"), "x")));
    })));
    let options = RunOptions {
        forks: 1,
        ..RunOptions::default()
    };
    let handle = cancel.clone();
    let report = bench
        .run_with(&book, options, &cancel, move |event| {
            if matches!(event.kind, EventKind::TaskOutput { .. }) {
                handle.cancel();
            }
        })
        .await;
    assert_eq!(report.outcome(), RunOutcome::Interrupted);
    let counts = report.hosts["h1"].counts;
    assert_eq!((counts.changed, counts.failed), (1, 1));
    assert!(!bench.exists("h1", "f"));
    assert_eq!(report.hosts["h2"].tasks.len(), 0);
    let running = bench.events().into_iter().find_map(|e| match e.kind {
        EventKind::Interrupted { running } => Some(running),
        _ => None,
    });
    assert_eq!(running.expect("said")[0].task, "first");
    assert!(matches!(
        bench.events().last().map(|e| e.kind.clone()),
        Some(EventKind::RunFinished { interrupted: true, .. })
    ));
    assert_eq!(bench.sites(), Vec::<String>::new(), "nothing is left on the hosts");
}

#[tokio::test]
async fn limit_tags_and_start_select_before_anything_connects() {
    let bench = Bench::new(&["h1", "h2"]);
    let book = Playbook::new("b", "").play(Play::new("p", "all").role(role("r", |cx, out| {
        out.tasks
            .push(Task::new("alpha", Put::new(cx.path("a"), "x")).tag("t1"));
        out.tasks.push(Task::new("beta", Put::new(cx.path("b"), "x")).tag("t2"));
        out.tasks
            .push(Task::new("gamma", Put::new(cx.path("c"), "x")).tag("t2"));
    })));
    let options = RunOptions {
        limit: Some("h2".into()),
        tags: vec!["t2".into()],
        start_at_task: Some("gam*".into()),
        ..RunOptions::default()
    };
    bench.run(&book, options).await;
    assert_eq!(bench.connected(), ["h2"]);
    assert_eq!(bench.files("h2"), ["c"]);

    for (options, said) in [
        (
            RunOptions {
                limit: Some("h9".into()),
                ..RunOptions::default()
            },
            "h9",
        ),
        (
            RunOptions {
                tags: vec!["t9".into()],
                ..RunOptions::default()
            },
            "t1, t2",
        ),
        (
            RunOptions {
                start_at_task: Some("gama".into()),
                ..RunOptions::default()
            },
            "gamma",
        ),
    ] {
        let fleet = Fleet::new(&["h1", "h2"]);
        let problems = fleet.prepare(&book, &options).err().expect("refused");
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(text.join("\n").contains(said), "{text:?}");
    }
}
