//! Runs of several plays: what a later one knows from an earlier one, and plays that serve hosts from elsewhere.

#[allow(dead_code)]
mod toy;

use mosip_prov_engine::{Play, Playbook, RunOptions, RunOutcome, Task};
use toy::{Bench, Fail, Fleet, Put, Toy, role};

/// A role that puts one file onto each host it is for.
fn puts(name: &'static str) -> Toy {
    role(name, move |cx, out| {
        out.tasks
            .push(Task::new(format!("put {name}"), Put::new(cx.path(name), "content")));
    })
}

fn limited(limit: &str) -> RunOptions {
    RunOptions {
        limit: Some(limit.to_owned()),
        ..RunOptions::default()
    }
}

#[tokio::test]
async fn a_converged_host_costs_one_round_trip_whatever_the_number_of_plays() {
    let bench = Bench::new(&["h1", "h2"]);
    let book = Playbook::new("b", "")
        .play(Play::new("first", "all").role(puts("one")))
        .play(Play::new("second", "h1").role(puts("two")))
        .play(Play::new("third", "all").role(puts("three")));
    bench.run(&book, RunOptions::default()).await;
    let again = bench.run(&book, RunOptions::default()).await;
    for (host, tasks) in [("h1", 3), ("h2", 2)] {
        assert_eq!(again.hosts[host].counts.ok, tasks);
        assert_eq!(again.hosts[host].exchanges, 1, "{host}");
    }
}

#[tokio::test]
async fn what_was_known_is_asked_again_after_a_change_anywhere() {
    let bench = Bench::new(&["h1", "h2"]);
    // The second play changes, on h2, what the third is about on h1.
    let book = Playbook::new("b", "")
        .play(Play::new("first", "h1").role(puts("one")))
        .play(Play::new("second", "h2").role(role("other", |cx, out| {
            let of_h1 = cx.path("three").replace("/h2/", "/h1/");
            out.tasks.push(Task::new("put", Put::new(of_h1, "content")));
        })))
        .play(Play::new("third", "h1").role(puts("three")));
    let report = bench.run(&book, RunOptions::default()).await;
    assert_eq!(report.hosts["h1"].counts.changed, 1);
    assert_eq!(report.hosts["h1"].counts.ok, 2, "the file that h2's play made is seen");
}

#[tokio::test]
async fn check_mode_knows_in_a_later_play_what_an_earlier_one_would_have_done() {
    let bench = Bench::new(&["h1"]);
    let book = Playbook::new("b", "")
        .play(Play::new("first", "h1").role(puts("one")))
        .play(Play::new("second", "h1").role(role("needs", |cx, out| {
            out.tasks
                .push(Task::new("use it", toy::Needs::the_file(cx.path("one"))));
        })));
    let options = RunOptions {
        check: true,
        ..RunOptions::default()
    };
    let report = bench.run(&book, options).await;
    assert_eq!(report.outcome(), RunOutcome::Ok, "{:?}", bench.warnings());
    assert_eq!(report.hosts["h1"].counts.failed, 0);
}

fn served(failing: bool) -> Playbook {
    let prepare = role("prepare", move |cx, out| {
        if failing && cx.host() == "h2" {
            out.tasks.push(Task::new("fail", Fail::saying("E: broken")));
        }
        out.tasks
            .push(Task::new("prepare", Put::new(cx.path("prepared"), "content")));
    });
    Playbook::new("b", "")
        .play(Play::new("prepare", "h1:h2").role(prepare))
        .play(Play::on_deployment_node("build").serving("h1:h2").role(puts("built")))
        .play(Play::on_deployment_node("use").role(puts("used")))
        .play(Play::new("front", "h3").role(puts("front")))
}

#[tokio::test]
async fn a_play_that_serves_hosts_runs_on_this_machine_where_there_is_no_deployment_group() {
    let bench = Bench::new(&["h1", "h2", "h3"]);
    let report = bench.run(&served(false), RunOptions::default()).await;
    assert_eq!(report.outcome(), RunOutcome::Ok);
    assert_eq!(bench.files("localhost"), ["built", "used"]);
    assert_eq!(report.hosts["localhost"].counts.changed, 2);
}

#[tokio::test]
async fn a_limit_to_a_served_host_brings_the_serving_play_along_and_touches_no_other_host() {
    for (limit, with, without) in [
        ("h2", vec!["localhost/built", "h2/prepared"], vec!["h1", "h3"]),
        ("h3", vec!["h3/front"], vec!["localhost", "h1", "h2"]),
        (
            "localhost",
            vec!["localhost/built", "localhost/used"],
            vec!["h1", "h2", "h3"],
        ),
    ] {
        let bench = Bench::new(&["h1", "h2", "h3"]);
        let report = bench.run(&served(false), limited(limit)).await;
        assert_eq!(report.outcome(), RunOutcome::Ok);
        for path in with {
            let (host, file) = path.split_once('/').expect("a path");
            assert!(bench.exists(host, file), "{limit}: {path}");
        }
        for host in without {
            assert_eq!(bench.files(host), Vec::<String>::new(), "{limit}: {host}");
        }
    }
}

#[tokio::test]
async fn nothing_is_built_on_a_served_host_that_failed() {
    let bench = Bench::new(&["h1", "h2", "h3"]);
    let report = bench.run(&served(true), RunOptions::default()).await;
    assert_eq!(report.outcome(), RunOutcome::Failed);
    assert_eq!(bench.files("localhost"), Vec::<String>::new());
    assert!(bench.exists("h3", "front"), "hosts that do not rest on it go on");
    let warnings = bench.warnings();
    assert!(
        warnings
            .iter()
            .any(|w| w.contains("\"build\"") && w.contains("h2") && w.contains("left out")),
        "{warnings:?}"
    );
}

#[tokio::test]
async fn a_play_that_must_not_lose_a_host_stops_the_run() {
    let bench = Bench::new(&["h1", "h2"]);
    let look = role("look", |cx, out| {
        if cx.host() == "h2" {
            out.tasks.push(Task::new("fail", Fail::saying("E: not there")));
        }
    });
    let book = Playbook::new("b", "")
        .play(Play::new("look", "all").max_fail_percentage(0).role(look))
        .play(Play::new("work", "all").role(puts("one")));
    let report = bench.run(&book, RunOptions::default()).await;
    assert_eq!(report.outcome(), RunOutcome::Failed);
    assert_eq!(bench.files("h1"), Vec::<String>::new());
}

#[test]
fn a_second_deployment_node_is_a_mistake() {
    let fleet = Fleet::with_inventory("[deployment]\nd1\nd2\n[vms]\nv1\n");
    let book = Playbook::new("b", "").play(Play::on_deployment_node("build").role(puts("built")));
    let problems = fleet.prepare(&book, &RunOptions::default()).err().expect("refused");
    let text = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(text.contains("group deployment has 2 hosts"), "{text}");
}

/// Copies what another machine has.
struct Copies {
    from: String,
    to: String,
}

impl mosip_prov_engine::Resource for Copies {
    fn kind(&self) -> &'static str {
        "copies"
    }
    fn questions(&self) -> Vec<mosip_prov_engine::Question> {
        vec![toy::content_of(&self.to)]
    }
    fn decide(
        &self,
        answers: &mosip_prov_engine::Answers,
    ) -> Result<mosip_prov_engine::Decision, mosip_prov_engine::DecideError> {
        let Some(wanted) = toy::content(answers, &self.from)? else {
            return Ok(mosip_prov_engine::Decision::NotYet {
                reason: "the other has none yet".into(),
            });
        };
        if toy::content(answers, &self.to)?.as_ref() == Some(&wanted) {
            return Ok(mosip_prov_engine::Decision::nothing("it is the same"));
        }
        let script = format!(
            "mkdir -p \"$(dirname '{to}')\" && echo '{wanted}' >'{to}'",
            to = self.to
        );
        let touched = mosip_prov_engine::Touch::Path(self.to.clone());
        Ok(mosip_prov_engine::Change::new("copy")
            .step(mosip_prov_engine::Shell::new("copy", script))
            .touching([touched])
            .into())
    }
}

fn copying(from: &'static str) -> Playbook {
    let role = role("copies", move |cx, out| {
        let there = cx.path("token").replace("/h1/", &format!("/{from}/"));
        let questions = vec![toy::content_of(&there)];
        let copies = Copies {
            from: there,
            to: cx.path("token"),
        };
        let run_as = mosip_prov_engine::RunAs::Login;
        out.tasks
            .push(Task::new("copy", copies).consult(from, run_as, questions));
    });
    Playbook::new("b", "").play(Play::new("copy", "h1").role(role))
}

#[tokio::test]
async fn a_task_can_rest_on_what_another_machine_says_and_leaves_that_one_alone() {
    let bench = Bench::new(&["h1", "h2"]);
    let fill = Playbook::new("b", "").play(Play::new("fill", "h2").role(role("fill", |cx, out| {
        out.tasks.push(Task::new("put", Put::new(cx.path("token"), "geheim")));
    })));
    bench.run(&fill, RunOptions::default()).await;
    let report = bench.run(&copying("h2"), limited("h1")).await;
    assert_eq!(report.outcome(), RunOutcome::Ok);
    assert_eq!(bench.read("h1", "token"), "geheim\n");
    let again = bench.run(&copying("h2"), limited("h1")).await;
    assert_eq!(again.hosts["h1"].counts.changed, 0);
    // One question to the other, and nothing that takes or lets go of its lock.
    assert_eq!(again.hosts["h2"].exchanges, 1);
}

#[tokio::test]
async fn a_task_that_cannot_ask_the_other_machine_fails_and_names_it() {
    let bench = Bench::new(&["h1", "h2"]).down("h2");
    let report = bench.run(&copying("h2"), limited("h1")).await;
    assert_eq!(report.outcome(), RunOutcome::Failed);
    let failure = report.hosts["h1"].tasks[0].error.as_ref().expect("a failure");
    assert!(
        failure.message.starts_with("h2, which this task must ask"),
        "{}",
        failure.message
    );
    let missing = Fleet::new(&["h1"]);
    let problems = missing.prepare(&copying("h9"), &RunOptions::default()).err();
    assert!(problems.expect("refused").has_errors());
}

#[tokio::test]
async fn what_was_heard_before_a_wait_is_asked_again_after_it() {
    let bench = Bench::new(&["h1"]);
    let waits = role("waits", |cx, out| {
        out.tasks
            .push(Task::new("wait", toy::Wait::for_path(cx.path("w"), true)));
        out.tasks.push(Task::new("next", toy::Counts::at(cx.path("next"))));
    });
    let later = role("later", |cx, out| {
        out.tasks.push(Task::new("later", toy::Counts::at(cx.path("later"))));
    });
    let book = Playbook::new("b", "")
        .play(Play::new("first", "h1").role(waits))
        .play(Play::new("second", "h1").role(later));
    let report = bench.run(&book, RunOptions::default()).await;
    let reasons: Vec<&str> = report.hosts["h1"].tasks.iter().map(|t| t.reason.as_str()).collect();
    assert_eq!(reasons[1..], ["asked 2 times", "asked 2 times"], "{reasons:?}");
}

#[tokio::test]
async fn another_machine_is_not_asked_for_what_the_own_one_settles() {
    // It is down, and that does not matter.
    let bench = Bench::new(&["h1", "h2"]).down("h2");
    let role = role("settled", |cx, out| {
        let there = cx.path("there").replace("/h1/", "/h2/");
        let put = Put::new(cx.path("f"), "x");
        let run_as = mosip_prov_engine::RunAs::Login;
        out.tasks
            .push(Task::new("put", put).consult("h2", run_as, vec![toy::content_of(&there)]));
    });
    let book = Playbook::new("b", "").play(Play::new("p", "h1").role(role));
    let report = bench.run(&book, limited("h1")).await;
    assert_eq!(report.outcome(), RunOutcome::Ok);
    assert_eq!(report.hosts["h1"].counts.changed, 1);
}
