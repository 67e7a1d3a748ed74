//! Runs that are bound to a plan: what is compared, who is left out, and what the others may rely on.

#[allow(dead_code)]
mod toy;

use mosip_prov_engine::binding::Kind;
use mosip_prov_engine::events::EventKind;
use mosip_prov_engine::{Play, Playbook, RunOptions, RunOutcome, RunReport, Task};
use toy::{Bench, Fail, Put, Toy, role};

fn puts(name: &'static str, file: &'static str) -> Toy {
    role(name, move |cx, out| {
        out.tasks.push(Task::new(file, Put::new(cx.path(file), "right")));
    })
}

fn drift(bench: &Bench, host: &str, file: &str) {
    let folder = bench.root().join(host);
    std::fs::create_dir_all(&folder).expect("made");
    std::fs::write(folder.join(file), "by hand\n").expect("written");
}

fn refused(report: &RunReport) -> Vec<&str> {
    let hosts = report.hosts.iter().filter(|(_, host)| host.counts.refused > 0);
    hosts.map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn nothing_is_begun_before_all_hosts_were_compared() {
    let bench = Bench::new(&["h1", "h2", "h3"]);
    let book = Playbook::new("b", "")
        .play(Play::new("first", "h1").role(puts("one", "f")))
        .play(Play::new("second", "h2:h3").role(puts("two", "g")));
    let planned = bench.plan(&book).await;
    drift(&bench, "h3", "g");
    let report = bench.apply(&book, &planned).await;
    assert_eq!(refused(&report), ["h3"]);
    assert_eq!(report.outcome(), RunOutcome::Failed);
    assert_eq!(bench.read("h3", "g"), "by hand\n");
    assert!(bench.exists("h1", "f") && bench.exists("h2", "g"));
    let kinds: Vec<_> = bench.events().into_iter().map(|e| e.kind).collect();
    let refused = kinds.iter().position(|k| matches!(k, EventKind::HostRefused { .. }));
    let begun = kinds.iter().position(|k| matches!(k, EventKind::TaskStarted { .. }));
    assert!(refused.expect("told") < begun.expect("begun"), "{kinds:?}");
    // What was planned and what is now, with its differences.
    let (_, moved) = report.hosts["h3"].refused.clone().expect("told");
    assert_eq!(
        (moved[0].planned.as_str(), moved[0].now.as_str()),
        ("change: put right", "change: put right")
    );
    assert_eq!(moved[0].planned_differences[0].before, None);
    assert_eq!(moved[0].differences[0].before.as_deref(), Some("by hand"));
}

#[tokio::test]
async fn what_an_earlier_play_changes_is_decided_again_when_its_time_comes() {
    let bench = Bench::new(&["h1"]);
    let put = |line: &'static str| {
        role(line, move |cx, out| {
            out.tasks.push(Task::new(line, Put::new(cx.path("f"), line)));
        })
    };
    let book = Playbook::new("b", "")
        .play(Play::new("first", "h1").role(put("1")))
        .play(Play::new("second", "h1").role(put("2")).role(put("1")));
    let planned = bench.plan(&book).await;
    let again: Vec<bool> = planned["h1"].tasks.iter().map(|t| t.again).collect();
    assert_eq!(again, [false, true, true]);
    let report = bench.apply(&book, &planned).await;
    assert_eq!(
        (report.outcome(), report.hosts["h1"].counts.changed),
        (RunOutcome::Ok, 3)
    );
    assert_eq!(bench.read("h1", "f"), "1\n");
}

#[tokio::test]
async fn a_play_that_serves_a_refused_host_is_left_out() {
    let bench = Bench::new(&["h1", "h2", "h3"]);
    let mut serving = Play::new("build", "h3").role(puts("build", "built"));
    serving.serves = Some("h1:h2".into());
    let book = Playbook::new("b", "")
        .play(Play::new("nodes", "h1:h2").role(puts("node", "f")))
        .play(serving);
    let planned = bench.plan(&book).await;
    drift(&bench, "h1", "f");
    let report = bench.apply(&book, &planned).await;
    assert_eq!(refused(&report), ["h1"]);
    assert!(bench.exists("h2", "f") && !bench.exists("h3", "built"));
    assert!(
        bench.warnings().iter().any(|w| w.contains("\"build\" is left out")),
        "{:?}",
        bench.warnings()
    );
    // Put right, all of it is done by a new plan.
    let planned = bench.plan(&book).await;
    let report = bench.apply(&book, &planned).await;
    assert_eq!(report.outcome(), RunOutcome::Ok);
    assert!(bench.exists("h3", "built"));
}

#[tokio::test]
async fn nothing_is_carried_out_on_a_refused_host_for_others_either() {
    let bench = Bench::new(&["h1", "h2", "h3"]);
    let elsewhere = bench.root().join("elsewhere");
    let elsewhere = elsewhere.to_str().expect("utf8").to_owned();
    let there = role("there", move |cx, out| {
        out.tasks.push(Task::new("own", Put::new(cx.path("own"), "x")));
        out.tasks
            .push(Task::new("there", Put::new(elsewhere.clone(), "x")).delegate_to("h1"));
    });
    let book = Playbook::new("b", "")
        .play(Play::new("first", "h1:h3").role(puts("one", "f")))
        .play(Play::new("second", "h2").role(there));
    let planned = bench.plan(&book).await;
    drift(&bench, "h1", "f");
    let report = bench.apply(&book, &planned).await;
    assert_eq!(refused(&report), ["h1", "h2"]);
    assert!(!bench.root().join("elsewhere").exists() && !bench.exists("h2", "own"));
    assert!(bench.exists("h3", "f"));
    let (failure, _) = report.hosts["h2"].refused.clone().expect("told");
    assert!(
        failure.message.contains("\"there\" is carried out on h1"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn a_task_that_runs_once_is_planned_for_all_and_done_once() {
    let bench = Bench::new(&["h1", "h2"]);
    let shared = bench.root().join("once");
    let shared = shared.to_str().expect("utf8").to_owned();
    let book = Playbook::new("b", "").play(Play::new("p", "all").role(role("r", move |_, out| {
        out.tasks
            .push(Task::new("once", Put::append(shared.clone(), "done")).run_once());
    })));
    let planned = bench.plan(&book).await;
    for host in ["h1", "h2"] {
        assert_eq!(planned[host].tasks[0].kind, Kind::Change);
    }
    let report = bench.apply(&book, &planned).await;
    assert_eq!(report.outcome(), RunOutcome::Ok);
    assert_eq!(
        std::fs::read_to_string(bench.root().join("once")).expect("there"),
        "done\n"
    );
}

fn telling(fails: bool) -> Playbook {
    Playbook::new("b", "").play(Play::new("p", "all").role(role("r", move |cx, out| {
        out.tasks
            .push(Task::new("put", Put::new(cx.path("f"), "x")).notify("tell"));
        if fails {
            out.tasks.push(Task::new("fail", Fail::saying("no")));
        }
        out.handlers.push(Task::new("tell", Put::append(cx.path("told"), "x")));
    })))
}

#[tokio::test]
async fn a_handler_that_is_owed_is_planned_and_one_that_came_to_be_owed_refuses() {
    let bench = Bench::new(&["h1"]).with_journal();
    bench.run(&telling(true), RunOptions::default()).await;
    assert!(!bench.exists("h1", "told"));
    let planned = bench.plan(&telling(false)).await;
    let decided: Vec<_> = planned["h1"]
        .tasks
        .iter()
        .map(|t| (t.task.as_str(), t.handler, t.kind))
        .collect();
    assert_eq!(decided, [("put", false, Kind::Nothing), ("tell", true, Kind::Change)]);
    let report = bench.apply(&telling(false), &planned).await;
    assert_eq!(
        (report.outcome(), report.hosts["h1"].counts.changed),
        (RunOutcome::Ok, 1)
    );
    assert_eq!(bench.read("h1", "told"), "x\n");
    // It is paid: the same plan finds nothing left to do.
    let report = bench.apply(&telling(false), &planned).await;
    assert_eq!(
        (report.outcome(), report.hosts["h1"].counts.changed),
        (RunOutcome::Ok, 0)
    );
    // Nothing is planned, and then a run is cut off that has put the file anew and told nobody.
    let planned = bench.plan(&telling(false)).await;
    std::fs::remove_file(bench.root().join("h1/f")).expect("removed");
    bench.run(&telling(true), RunOptions::default()).await;
    let report = bench.apply(&telling(false), &planned).await;
    assert_eq!(refused(&report), ["h1"]);
    assert_eq!(bench.read("h1", "told"), "x\n");
    // Left as it is, it is owed it still.
    assert_eq!(bench.past().owed_to("h1", "r").collect::<Vec<_>>(), ["tell"]);
}

#[tokio::test]
async fn a_host_that_failed_to_be_planned_or_is_not_in_the_plan_is_left_alone() {
    let bench = Bench::new(&["h1", "h2"]);
    let book = Playbook::new("b", "").play(Play::new("p", "all").role(puts("one", "f")));
    let mut planned = bench.plan(&book).await;
    planned.get_mut("h1").expect("there").cut_off = true;
    let report = bench.apply(&book, &planned).await;
    assert_eq!(refused(&report), ["h1"]);
    assert!(!bench.exists("h1", "f") && bench.exists("h2", "f"));
    planned.remove("h1");
    let report = bench.apply(&book, &planned).await;
    assert_eq!(refused(&report), ["h1"]);
    assert!(!bench.exists("h1", "f"));
    // Neither was connected to for it.
    assert!(
        !bench.connected()[2..].contains(&"h1".to_owned()),
        "{:?}",
        bench.connected()
    );
}

#[tokio::test]
async fn looking_first_costs_no_round_trip() {
    let bench = Bench::new(&["h1"]);
    let book = Playbook::new("b", "")
        .play(Play::new("first", "h1").role(puts("one", "f")))
        .play(Play::new("second", "h1").role(puts("two", "g")));
    let planned = bench.plan(&book).await;
    let report = bench.apply(&book, &planned).await;
    // One to ask, one to change in the first play; what the second then asks and changes; one to let go of the lock.
    let bound = report.hosts["h1"].exchanges;
    let other = Bench::new(&["h1"]);
    let free = other.run(&book, RunOptions::default()).await.hosts["h1"].exchanges;
    // A run that is not bound looks once more before its first change, under the lock.
    assert_eq!(bound + 1, free);
    let planned = bench.plan(&book).await;
    let report = bench.apply(&book, &planned).await;
    // One to ask under the lock, one to let go of it.
    assert_eq!(report.hosts["h1"].exchanges, 2);
}
