//! What a run leaves is made good by the next one: handlers, long work, locks, files that were replaced.

#[allow(dead_code)]
mod toy;

use mosip_prov_engine::events::{EventKind, TaskStatus};
use mosip_prov_engine::{CancelHandle, Play, Playbook, RunOptions, RunOutcome, Task};
use std::time::Duration;
use toy::{Bench, Config, Fail, Noisy, Put, Restart, Toy, role};

/// A file that notifies, then something that fails while `fails`.
fn notifying(fails: bool) -> Playbook {
    Playbook::new("b", "").play(Play::new("p", "all").role(role("r", move |cx, out| {
        out.tasks
            .push(Task::new("put", Put::new(cx.path("f"), "x")).notify("tell"));
        if fails {
            out.tasks.push(Task::new("fail", Fail::saying("no")));
        }
        out.handlers
            .push(Task::new("tell", Put::append(cx.path("told"), "told")));
    })))
}

#[tokio::test]
async fn a_handler_that_a_failure_kept_from_running_runs_in_the_next_run() {
    let bench = Bench::new(&["h1"]).with_journal();
    bench.run(&notifying(true), RunOptions::default()).await;
    assert!(!bench.exists("h1", "told"));
    assert_eq!(bench.past().owed_to("h1", "r").collect::<Vec<_>>(), ["tell"]);
    // Nothing changes in the next run, and the handler runs all the same; in the one after it does not.
    for _ in 0..2 {
        let report = bench.run(&notifying(false), RunOptions::default()).await;
        assert_eq!(report.outcome(), RunOutcome::Ok);
        assert_eq!(bench.read("h1", "told"), "told\n");
        assert!(bench.past().owed.is_empty());
    }
}

#[tokio::test]
async fn a_handler_that_was_notified_by_what_failed_is_not_owed() {
    let bench = Bench::new(&["h1"]).with_journal();
    let book = Playbook::new("b", "").play(Play::new("p", "all").role(role("r", |cx, out| {
        out.tasks.push(Task::new("fail", Fail::saying("no")).notify("tell"));
        out.handlers
            .push(Task::new("tell", Put::append(cx.path("told"), "told")));
    })));
    bench.run(&book, RunOptions::default()).await;
    assert!(bench.past().owed.is_empty());
}

#[tokio::test]
async fn a_handler_owed_after_an_interrupt_runs_in_the_next_run() {
    let bench = Bench::new(&["h1"]).with_journal();
    let book = || {
        Playbook::new("b", "").play(Play::new("p", "all").role(role("r", |cx, out| {
            out.tasks
                .push(Task::new("put", Put::new(cx.path("f"), "x")).notify("tell"));
            out.tasks.push(Task::new("noise", Noisy(1)));
            out.tasks.push(Task::new("more", Put::new(cx.path("g"), "x")));
            out.handlers
                .push(Task::new("tell", Put::append(cx.path("told"), "told")));
        })))
    };
    let cancel = CancelHandle::new();
    let handle = cancel.clone();
    let report = bench
        .run_with(&book(), RunOptions::default(), &cancel, move |event| {
            if matches!(&event.kind, EventKind::TaskFinished { task, .. } if task.task == "put") {
                handle.cancel();
            }
        })
        .await;
    assert_eq!(report.outcome(), RunOutcome::Interrupted);
    assert!(!bench.exists("h1", "told"));
    bench.run(&book(), RunOptions::default()).await;
    assert_eq!(bench.read("h1", "told"), "told\n");
    assert!(bench.exists("h1", "g"));
}

#[tokio::test]
async fn a_run_is_continued_where_each_host_stood() {
    let bench = Bench::new(&["h1", "h2"]).with_journal();
    let book = |fails: bool| {
        Playbook::new("b", "").play(Play::new("p", "all").role(role("r", move |cx, out| {
            out.tasks.push(Task::new("one", Put::append(cx.path("one"), "x")));
            if cx.host() == "h1" && fails {
                out.tasks.push(Task::new("two", Fail::saying("no")));
            } else {
                out.tasks.push(Task::new("two", Put::append(cx.path("two"), "x")));
            }
            out.tasks.push(Task::new("three", Put::append(cx.path("three"), "x")));
        })))
    };
    bench.run(&book(true), RunOptions::default()).await;
    let past = bench.past();
    let run = past.unfinished().expect("failed");
    assert!(run.completed("h2", "b: p") && !run.completed("h1", "b: p"));
    let report = bench.resume(&book(false), run).await;
    let tasks: Vec<&str> = report.hosts["h1"].tasks.iter().map(|t| t.id.task.as_str()).collect();
    assert_eq!(tasks, ["two", "three"]);
    assert!(report.hosts.get("h2").is_none_or(|h| h.tasks.is_empty()));
    for (host, name) in [
        ("h1", "one"),
        ("h1", "two"),
        ("h1", "three"),
        ("h2", "one"),
        ("h2", "two"),
        ("h2", "three"),
    ] {
        assert_eq!(bench.read(host, name), "x\n", "{host} {name}");
    }
    assert!(bench.past().unfinished().is_none());
}

#[tokio::test]
async fn a_continued_run_owes_its_handlers_even_when_all_tasks_were_done() {
    let bench = Bench::new(&["h1"]).with_journal();
    let book = |fails: bool| {
        Playbook::new("b", "").play(Play::new("p", "all").role(role("r", move |cx, out| {
            out.tasks
                .push(Task::new("put", Put::new(cx.path("f"), "x")).notify("tell"));
            out.handlers.push(if fails {
                Task::new("tell", Fail::saying("no"))
            } else {
                Task::new("tell", Put::append(cx.path("told"), "told"))
            });
        })))
    };
    bench.run(&book(true), RunOptions::default()).await;
    let past = bench.past();
    let report = bench.resume(&book(false), past.unfinished().expect("failed")).await;
    assert_eq!(report.outcome(), RunOutcome::Ok);
    assert_eq!(bench.read("h1", "told"), "told\n");
    assert!(bench.past().owed.is_empty());
}

#[tokio::test]
async fn a_file_that_a_killed_run_replaced_is_put_back_by_the_next_run() {
    let bench = Bench::new(&["h1"]).with_journal();
    std::fs::create_dir_all(bench.root().join("h1")).expect("made");
    let book = |content| Playbook::new("b", "").play(Play::new("p", "all").role(service(content)));
    bench.run(&book("good"), RunOptions::default()).await;
    // Dropped between file and handler, as a kill would end it.
    {
        let cancel = CancelHandle::new();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let mut sender = Some(sender);
        let book = book("bad");
        let run = bench.run_with(&book, RunOptions::default(), &cancel, |event| {
            if matches!(&event.kind, EventKind::TaskFinished { task, .. } if task.task == "configure")
                && let Some(sender) = sender.take()
            {
                let _ = sender.send(());
            }
        });
        tokio::select! {
            biased;
            _ = receiver => {}
            _ = run => panic!("it was to be killed"),
        }
    }
    assert_eq!(bench.read("h1", "config"), "bad\n");
    bench.forget_locks();
    // The next run changes nothing and owes the restart, which fails.
    let report = bench.run(&book("bad"), RunOptions::default()).await;
    assert_eq!(report.outcome(), RunOutcome::Failed);
    assert_eq!(
        (bench.read("h1", "config"), bench.read("h1", "state")),
        ("good\n".into(), "good\n".into())
    );
    assert_eq!(bench.sites(), Vec::<String>::new());
}

#[tokio::test]
async fn long_work_that_went_with_a_reboot_is_not_owed_for_ever() {
    let bench = Bench::new(&["h1"]).with_journal();
    let book = || {
        Playbook::new("b", "").play(Play::new("p", "all").role(role("r", |cx, out| {
            out.tasks.push(Task::new("noise", Noisy(1)));
            out.tasks.push(Task::new("put", Put::new(cx.path("f"), "x")));
        })))
    };
    {
        let cancel = CancelHandle::new();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let mut sender = Some(sender);
        let book = book();
        let run = bench.run_with(&book, RunOptions::default(), &cancel, |event| {
            if matches!(event.kind, EventKind::TaskOutput { .. })
                && let Some(sender) = sender.take()
            {
                let _ = sender.send(());
            }
        });
        tokio::select! {
            biased;
            _ = receiver => {}
            _ = run => panic!("it was to be killed"),
        }
    }
    assert_eq!(bench.past().units.len(), 1);
    for site in bench.sites() {
        std::fs::remove_dir_all(bench.root().join(site)).expect("removed");
    }
    bench.run(&book(), RunOptions::default()).await;
    assert!(bench.past().units.is_empty());
}

fn service(content: &'static str) -> Toy {
    role("r", move |cx, out| {
        let (config, state) = (cx.path("config"), cx.path("state"));
        out.tasks.push(
            Task::new(
                "configure",
                Config {
                    path: config.clone(),
                    content,
                },
            )
            .notify("restart"),
        );
        out.handlers.push(Task::new("restart", Restart { config, state }));
    })
}

#[tokio::test]
async fn a_service_that_does_not_come_up_gets_its_previous_file_back() {
    let bench = Bench::new(&["h1"]).with_journal();
    std::fs::create_dir_all(bench.root().join("h1")).expect("made");
    let book = |content| Playbook::new("b", "").play(Play::new("p", "all").role(service(content)));
    assert_eq!(
        bench.run(&book("good"), RunOptions::default()).await.outcome(),
        RunOutcome::Ok
    );
    let report = bench.run(&book("bad"), RunOptions::default()).await;
    assert_eq!(report.outcome(), RunOutcome::Failed);
    let tasks = &report.hosts["h1"].tasks;
    let failure = tasks.iter().find_map(|t| t.error.as_ref()).expect("the restart failed");
    assert!(failure.message.contains("E: bad configuration"), "{}", failure.message);
    assert!(
        failure.message.contains("put back") && failure.message.contains("worked again"),
        "{}",
        failure.message
    );
    assert_eq!(
        (bench.read("h1", "config"), bench.read("h1", "state")),
        ("good\n".into(), "good\n".into())
    );
    assert!(
        bench.past().owed.is_empty(),
        "what was notified for the bad file is not owed"
    );
    assert_eq!(bench.sites(), Vec::<String>::new(), "no predecessor, no lock is left");

    // Left in place when asked for.
    let options = RunOptions {
        rollback: false,
        ..RunOptions::default()
    };
    bench.run(&book("bad"), options).await;
    assert_eq!(bench.read("h1", "config"), "bad\n");
}

#[tokio::test]
async fn the_second_of_two_runs_waits_for_the_first_and_says_for_whom() {
    let bench = std::sync::Arc::new(Bench::new(&["h1"]));
    let slow = Playbook::new("b", "").play(Play::new("p", "all").role(role("r", |_, out| {
        out.tasks.push(Task::new("noise", Noisy(1)));
        out.tasks.push(Task::new("slow", toy::Pause(Duration::from_secs(3))));
    })));
    let quick = Playbook::new("b", "").play(Play::new("p", "all").role(role("r", |cx, out| {
        out.tasks.push(Task::new("put", Put::new(cx.path("f"), "x")));
    })));
    let (started, begun) = tokio::sync::oneshot::channel();
    let mut started = Some(started);
    let first_bench = bench.clone();
    let first = tokio::spawn(async move {
        let cancel = CancelHandle::new();
        first_bench
            .run_with(&slow, RunOptions::default(), &cancel, |event| {
                if matches!(event.kind, EventKind::TaskOutput { .. })
                    && let Some(started) = started.take()
                {
                    let _ = started.send(());
                }
            })
            .await
    });
    begun.await.expect("the first run works on the host");
    // Not long enough.
    let hasty = RunOptions {
        lock_timeout: Duration::ZERO,
        ..RunOptions::default()
    };
    let mut said = Vec::new();
    let report = bench
        .run_with(&quick, hasty, &CancelHandle::new(), |event| {
            said.push(format!("{:?}", event.kind))
        })
        .await;
    assert_eq!(report.outcome(), RunOutcome::Failed, "{said:#?}");
    assert!(
        said.iter()
            .any(|e| e.contains("another run works on this host") && e.contains("process")),
        "{said:?}"
    );
    assert!(!bench.exists("h1", "f"));
    let report = bench.run(&quick, RunOptions::default()).await;
    assert_eq!(report.outcome(), RunOutcome::Ok);
    assert!(
        bench.warnings().iter().any(|w| w.contains("waiting for another run")),
        "{:?}",
        bench.warnings()
    );
    assert_eq!(first.await.expect("ends").outcome(), RunOutcome::Ok);
    assert_eq!(bench.sites(), Vec::<String>::new());
}

#[tokio::test]
async fn work_that_a_killed_run_left_is_found_attached_to_and_counted() {
    let bench = Bench::new(&["h1"]).with_journal();
    let book = || {
        Playbook::new("b", "").play(Play::new("p", "all").role(role("r", |cx, out| {
            out.tasks.push(
                Task::new(
                    "install",
                    toy::Install {
                        path: cx.path("installed"),
                    },
                )
                .notify("tell"),
            );
            out.handlers
                .push(Task::new("tell", Put::append(cx.path("told"), "told")));
        })))
    };
    // The run is dropped in the middle of the work, as a kill would end it: nothing is said to the host any more.
    {
        let cancel = CancelHandle::new();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let mut sender = Some(sender);
        let book = book();
        let run = bench.run_with(&book, RunOptions::default(), &cancel, |event| {
            if matches!(event.kind, EventKind::TaskOutput { .. })
                && let Some(sender) = sender.take()
            {
                let _ = sender.send(());
            }
        });
        tokio::select! {
            _ = run => panic!("it was to be killed"),
            _ = receiver => {}
        }
    }
    assert_eq!(bench.past().units.len(), 1);
    bench.forget_locks();
    let report = bench.run(&book(), RunOptions::default()).await;
    let warnings = bench.warnings();
    assert!(
        warnings
            .iter()
            .any(|w| w.contains("attaching") && w.contains("install")),
        "{warnings:?}"
    );
    let install = &report.hosts["h1"].tasks[0];
    assert_eq!(install.status, TaskStatus::Changed);
    assert!(install.reason.contains("earlier run"), "{}", install.reason);
    assert_eq!(bench.read("h1", "installed"), "x\n", "the work was done once");
    assert_eq!(bench.read("h1", "told"), "told\n");
    assert!(bench.past().units.is_empty() && bench.past().owed.is_empty());
    assert_eq!(bench.sites(), Vec::<String>::new());
}

#[tokio::test]
async fn a_failing_health_check_has_the_service_started_on_the_previous_file() {
    let bench = Bench::new(&["h1"]).with_journal();
    std::fs::create_dir_all(bench.root().join("h1")).expect("made");
    let book = |content| {
        Playbook::new("b", "").play(Play::new("p", "all").role(role("r", move |cx, out| {
            let (config, state) = (cx.path("config"), cx.path("state"));
            let write = Config {
                path: config.clone(),
                content,
            };
            out.tasks
                .push(Task::new("configure", write).notify("restart").notify("look"));
            // It comes up on anything, but it is only well on what is good.
            let restart = toy::Start {
                config,
                state: state.clone(),
            };
            out.handlers.push(Task::new("restart", restart));
            out.handlers.push(Task::new("look", toy::Well { state }));
        })))
    };
    assert_eq!(
        bench.run(&book("good"), RunOptions::default()).await.outcome(),
        RunOutcome::Ok
    );
    let report = bench.run(&book("sick"), RunOptions::default()).await;
    assert_eq!(report.outcome(), RunOutcome::Failed);
    assert_eq!(
        (bench.read("h1", "config"), bench.read("h1", "state")),
        ("good\n".into(), "good\n".into())
    );
    assert_eq!(bench.sites(), Vec::<String>::new());
}

#[tokio::test]
async fn what_was_decided_and_not_begun_is_not_taken_for_done() {
    let bench = Bench::new(&["h1"]).with_journal();
    let cancel = CancelHandle::new();
    let book = |handle: Option<CancelHandle>| {
        Playbook::new("b", "").play(Play::new("p", "all").role(role("r", move |cx, out| {
            out.tasks
                .push(Task::new("one", Put::new(cx.path("one"), "x")).notify("tell"));
            out.tasks.push(Task::new("two", toy::Cancels(handle.clone())));
            out.tasks.push(Task::new("three", Put::new(cx.path("three"), "x")));
            out.handlers
                .push(Task::new("tell", Put::append(cx.path("told"), "told")));
        })))
    };
    let interrupted = book(Some(cancel.clone()));
    let report = bench
        .run_with(&interrupted, RunOptions::default(), &cancel, |_| {})
        .await;
    assert_eq!(report.outcome(), RunOutcome::Interrupted);
    assert!(!bench.exists("h1", "one"));
    let past = bench.past();
    assert!(past.owed.is_empty());
    let run = past.unfinished().expect("interrupted");
    assert_eq!(run.position("h1", "b: p"), Some(("r", "one", false)));
    bench.resume(&book(None), run).await;
    for name in ["one", "three", "told"] {
        assert!(bench.exists("h1", name), "{name}");
    }
}
