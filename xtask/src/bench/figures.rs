//! The figures that are asked of the program, and what came of them.

use std::path::Path;

use serde_json::{Value, json};

use super::contestants::Contestant::{Mitogen, Ours, Pipelining, Pyinfra, Script};
use super::record::{self, numbers, spread};

/// One figure.
#[derive(Debug, PartialEq)]
pub struct Figure {
    /// What is measured.
    pub what: &'static str,
    /// What is asked.
    pub asked: String,
    /// What was measured; nothing when it was not.
    pub measured: Option<String>,
    /// Whether that is enough.
    pub reached: bool,
}

impl Figure {
    /// `yes`, `no`, or that it was not measured.
    pub fn verdict(&self) -> &'static str {
        match (&self.measured, self.reached) {
            (None, _) => "not measured",
            (_, true) => "yes",
            (_, false) => "no",
        }
    }
}

fn at_most(what: &'static str, measured: Option<f64>, most: f64, show: impl Fn(f64) -> String) -> Figure {
    Figure {
        what,
        asked: format!("≤ {}", show(most)),
        reached: measured.is_some_and(|value| value <= most),
        measured: measured.map(show),
    }
}

fn at_least(what: &'static str, measured: Option<f64>, least: f64) -> Figure {
    let show = |value: f64| format!("{value:.1} ×");
    Figure {
        what,
        asked: format!("≥ {least} ×"),
        reached: measured.is_some_and(|value| value >= least),
        measured: measured.map(show),
    }
}

/// All of them, from the raw data.
pub fn all(out: &Path) -> Vec<Figure> {
    let data = |subject: &str| record::load(out, subject);
    of(
        &data("peers"),
        &data("many"),
        &data("files"),
        &data("upload"),
        &data("cold"),
    )
}

fn of(peers: &[Value], many: &[Value], files: &[Value], upload: &[Value], cold: &[Value]) -> Vec<Figure> {
    let median = |rows: &[Value], who: &str, cell: &Value, name: &str| {
        spread(&numbers(rows, who, cell, name)).map(|spread| spread.median)
    };
    let most = |rows: &[Value], who: &str, cell: &Value, name: &str| {
        spread(&numbers(rows, who, cell, name)).map(|spread| spread.most)
    };
    let ratio = |a: Option<f64>, b: Option<f64>| Some(a? / b?);
    let times = |value: f64| format!("{value:.2} ×");
    let near = json!({"hosts": 6, "rtt": 0, "loss": 0, "state": "warm"});
    let far = json!({"hosts": 6, "rtt": 80, "loss": 0, "state": "warm"});
    let fewer = json!({"hosts": 6, "rtt": 80, "loss": 0, "state": "warm, fewer tasks"});
    let thousand = json!({"hosts": 1000, "state": "warm"});
    let first = json!({"state": "cold"});
    let ours = median(peers, Ours.name(), &near, "wall");
    let than = |who: &str| ratio(median(peers, who, &near, "wall"), ours);
    let trips = most(peers, Ours.name(), &far, "round_trips");
    let trips_of_fewer = most(peers, Ours.name(), &fewer, "round_trips");
    let megabytes = |kib: f64| format!("{:.1} MiB", kib / 1024.0);
    let mut figures = vec![
        at_most(
            "six nodes that are right, against one script over plain ssh that asks the same",
            ratio(ours, median(peers, Script.name(), &near, "wall")),
            0.5,
            times,
        ),
        at_least("… faster than pyinfra", than(Pyinfra.name()), 12.0),
        at_least("… faster than Ansible with Mitogen", than(Mitogen.name()), 50.0),
        at_least("… faster than Ansible with pipelining", than(Pipelining.name()), 100.0),
        at_most("… at 80 ms: round trips after TCP connect", trips, 10.0, |value| {
            format!("{value:.0}")
        }),
        Figure {
            what: "… and with a third of the tasks",
            asked: "the same".into(),
            reached: trips.is_some() && trips == trips_of_fewer,
            measured: trips_of_fewer.map(|value| format!("{value:.0}")),
        },
        at_most(
            "six new machines, against the same commands in one script for each host",
            ratio(
                median(cold, Ours.name(), &first, "wall"),
                median(cold, Script.name(), &first, "wall"),
            ),
            1.10,
            times,
        ),
        at_most(
            "1000 addresses at once: peak memory of the controller",
            most(many, Ours.name(), &thousand, "hwm_kib"),
            64.0 * 1024.0,
            megabytes,
        ),
        at_most(
            "… its processor time for a host",
            median(many, Ours.name(), &thousand, "cpu").map(|seconds| seconds / 1000.0 * 1e3),
            6.0,
            |ms| format!("{ms:.2} ms"),
        ),
        at_most(
            "1,000 small files at 26 ms (Mitogen publishes 98.5 s, and 1,483.5 s for Ansible)",
            median(files, Ours.name(), &first, "wall"),
            3.0,
            |seconds| format!("{seconds:.2} s"),
        ),
        at_most(
            "200 MB onto six hosts, against scp in parallel",
            ratio(
                median(upload, Ours.name(), &first, "wall"),
                median(upload, "scp", &first, "wall"),
            ),
            1.0,
            times,
        ),
    ];
    // A quick run uploads less, which is another figure.
    if upload
        .iter()
        .any(|row| row["what"] == "upload" && row["megabytes"] != 200)
        && let Some(last) = figures.last_mut()
    {
        last.what = "50 MB (a quick run) onto six hosts, against scp in parallel";
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(who: &str, hosts: usize, rtt: u64, state: &str, more: Value) -> Value {
        let mut row = json!({"what": "run", "who": who, "hosts": hosts, "rtt": rtt, "loss": 0, "state": state,
                             "end": "fine", "counts": true});
        for (name, value) in more.as_object().into_iter().flatten() {
            row[name.as_str()] = value.clone();
        }
        row
    }

    #[test]
    fn figures_come_from_medians_and_are_judged() {
        let peers = [
            run("mosip-prov", 6, 0, "warm", json!({"wall": 0.2})),
            run("mosip-prov", 6, 0, "warm", json!({"wall": 0.3})),
            run("mosip-prov", 6, 0, "warm", json!({"wall": 9.0})),
            run("ssh and sh", 6, 0, "warm", json!({"wall": 0.6})),
            run("pyinfra", 6, 0, "warm", json!({"wall": 3.0})),
            run("mosip-prov", 6, 80, "warm", json!({"wall": 1.0, "round_trips": 9})),
            run(
                "mosip-prov",
                6,
                80,
                "warm, fewer tasks",
                json!({"wall": 1.0, "round_trips": 9}),
            ),
        ];
        let many = [run(
            "mosip-prov",
            1000,
            0,
            "warm",
            json!({"wall": 30.0, "cpu": 7.0, "hwm_kib": 51_200}),
        )];
        let figures = of(&peers, &many, &[], &[], &[]);
        let shown: Vec<_> = figures.iter().map(|f| (f.measured.as_deref(), f.verdict())).collect();
        assert_eq!(shown[0], (Some("0.50 ×"), "yes"));
        assert_eq!(shown[1], (Some("10.0 ×"), "no"));
        assert_eq!(shown[2], (None, "not measured"));
        assert_eq!(shown[4], (Some("9"), "yes"));
        assert_eq!(shown[5], (Some("9"), "yes"));
        assert_eq!(shown[6].1, "not measured");
        assert_eq!(shown[7], (Some("50.0 MiB"), "yes"));
        assert_eq!(shown[8], (Some("7.00 ms"), "no"));
    }
}
