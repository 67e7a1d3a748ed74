//! A made-up run with every kind of event, at fixed times.
#![allow(dead_code)] // each test file uses its part

use mosip_prov_events::{Counts, Difference, Event, EventKind, Failure, TaskId, TaskStatus, VERSION};
use std::collections::BTreeMap;

/// An event, `milliseconds` after the beginning.
pub fn at(milliseconds: i64, kind: EventKind) -> Event {
    Event {
        v: VERSION,
        time: jiff::Timestamp::from_millisecond(1_790_000_000_000 + milliseconds).unwrap(),
        kind,
    }
}

pub fn task(host: &str, name: &str) -> TaskId {
    TaskId {
        host: host.into(),
        play: "nginx front".into(),
        role: "nginx".into(),
        task: name.into(),
        handler: false,
    }
}

pub fn failure(message: &str, detail: Option<&str>, status: Option<i32>, help: Option<&str>) -> Failure {
    Failure {
        message: message.into(),
        detail: detail.map(Into::into),
        status,
        help: help.map(Into::into),
    }
}

pub fn finished(id: TaskId, status: TaskStatus, reason: &str) -> EventKind {
    EventKind::TaskFinished {
        task: id,
        status,
        reason: reason.into(),
        differences: Vec::new(),
        error: None,
        ignored: false,
        notified: Vec::new(),
        milliseconds: 12,
    }
}

pub fn difference(what: &str, before: Option<&str>, after: Option<&str>) -> Difference {
    Difference {
        what: what.into(),
        before: before.map(Into::into),
        after: after.map(Into::into),
    }
}

pub fn changed(id: TaskId, reason: &str, differences: Vec<Difference>, milliseconds: u64) -> EventKind {
    EventKind::TaskFinished {
        task: id,
        status: TaskStatus::Changed,
        reason: reason.into(),
        differences,
        error: None,
        ignored: false,
        notified: vec!["restart nginx".into()],
        milliseconds,
    }
}

pub fn failed(id: TaskId, error: Failure, ignored: bool) -> EventKind {
    EventKind::TaskFinished {
        task: id,
        status: TaskStatus::Failed,
        reason: String::new(),
        differences: Vec::new(),
        error: Some(error),
        ignored,
        notified: Vec::new(),
        milliseconds: 40,
    }
}

pub fn started(hosts: &[&str], check: bool) -> EventKind {
    EventKind::RunStarted {
        playbooks: vec!["deploy-nginx".into()],
        hosts: hosts.iter().map(|h| (*h).into()).collect(),
        check,
        forks: 12,
        program: "0.1.0".into(),
    }
}

pub fn play(hosts: &[&str]) -> EventKind {
    EventKind::PlayStarted {
        playbook: "deploy-nginx".into(),
        play: "nginx front".into(),
        hosts: hosts.iter().map(|h| (*h).into()).collect(),
    }
}

pub fn counts(ok: u32, changed: u32, failed: u32, unreachable: u32) -> Counts {
    Counts {
        ok,
        changed,
        failed,
        unreachable,
        ..Counts::default()
    }
}

pub fn ended(hosts: &[(&str, Counts, u64)], milliseconds: u64, interrupted: bool) -> EventKind {
    EventKind::RunFinished {
        hosts: hosts.iter().map(|(h, c, _)| ((*h).to_owned(), *c)).collect(),
        milliseconds,
        exchanges: hosts
            .iter()
            .map(|(h, _, e)| ((*h).to_owned(), *e))
            .collect::<BTreeMap<_, _>>(),
        interrupted,
        profile: BTreeMap::new(),
    }
}

const BEFORE: &str =
    "user www-data;\nworker_processes 4;\npid /run/nginx.pid;\n\nevents {\n    worker_connections 512;\n}\n";
const AFTER: &str = "user www-data;\nworker_processes auto;\npid /run/nginx.pid;\n\nevents {\n    worker_connections 768;\n    multi_accept on;\n}\n";

/// Three hosts: one changes, one fails, one is down.
pub fn sample() -> Vec<Event> {
    let (one, two, down) = ("nginx-node-1", "nginx-node-2", "vm3");
    let all = [one, two, down];
    let configure = "Install the configuration";
    let refused = "nginx refused the candidate configuration";
    let output = "nginx: [emerg] host not found in upstream \"172.16.50.\" in /etc/nginx/.nginx.conf.new:34\nnginx: configuration file /etc/nginx/.nginx.conf.new test failed \x1b[31mred\x1b[0m";
    vec![
        at(0, started(&all, false)),
        at(
            1,
            EventKind::Warning {
                host: None,
                message: "host keys are not checked (ansible_host_key_checking=False)".into(),
            },
        ),
        at(2, play(&all)),
        at(
            40,
            EventKind::HostConnected {
                host: one.into(),
                milliseconds: 38,
            },
        ),
        at(
            45,
            EventKind::HostConnected {
                host: two.into(),
                milliseconds: 43,
            },
        ),
        at(
            60,
            finished(
                task(one, "Create the folder of the certificates"),
                TaskStatus::Ok,
                "is there, 0750 root:www-data",
            ),
        ),
        at(
            61,
            finished(
                task(two, "Create the folder of the certificates"),
                TaskStatus::Skipped,
                "nginx_ssl_dir is empty",
            ),
        ),
        at(
            70,
            EventKind::TaskStarted {
                task: task(one, "Install nginx"),
                action: "install nginx 1.22.1".into(),
            },
        ),
        at(
            900,
            EventKind::TaskOutput {
                task: task(one, "Install nginx"),
                line: "Setting up nginx (1.22.1-9)\x1b[2J ...".into(),
            },
        ),
        at(
            1000,
            EventKind::TaskRetried {
                task: task(two, "Wait for the upstreams"),
                attempt: 1,
                attempts: 3,
                error: failure("port 30080 does not answer", None, None, None),
            },
        ),
        at(
            3300,
            changed(
                task(one, "Install nginx"),
                "installed nginx 1.22.1",
                vec![difference("package nginx", None, Some("1.22.1"))],
                3230,
            ),
        ),
        at(
            3400,
            changed(
                task(one, configure),
                "replaced /etc/nginx/nginx.conf",
                vec![difference("/etc/nginx/nginx.conf", Some(BEFORE), Some(AFTER))],
                80,
            ),
        ),
        at(
            3500,
            failed(
                task(two, configure),
                failure(
                    refused,
                    Some(output),
                    Some(1),
                    Some("correct node_ip of worker-1; the running proxy was left as it is"),
                ),
                false,
            ),
        ),
        at(
            3510,
            failed(
                task(one, "Read the version"),
                failure("no such file", None, Some(2), None),
                true,
            ),
        ),
        at(
            3600,
            changed(
                TaskId {
                    handler: true,
                    ..task(one, "restart nginx")
                },
                "restarted nginx.service",
                Vec::new(),
                200,
            ),
        ),
        at(
            3700,
            EventKind::HostFinished {
                host: one.into(),
                play: "nginx front".into(),
                complete: true,
            },
        ),
        at(
            3701,
            EventKind::HostFinished {
                host: two.into(),
                play: "nginx front".into(),
                complete: false,
            },
        ),
        at(
            10_002,
            EventKind::HostUnreachable {
                host: down.into(),
                error: failure(
                    "172.16.50.13 port 22: no answer within 10 s",
                    None,
                    None,
                    Some("is the machine up, and is the WireGuard tunnel?"),
                ),
            },
        ),
        at(
            10_010,
            ended(
                &[
                    (
                        one,
                        Counts {
                            ignored: 1,
                            ..counts(5, 3, 0, 0)
                        },
                        6,
                    ),
                    (
                        two,
                        Counts {
                            skipped: 1,
                            ..counts(2, 0, 1, 0)
                        },
                        3,
                    ),
                    (down, counts(0, 0, 0, 1), 0),
                ],
                10_010,
                false,
            ),
        ),
    ]
}

/// A check run on one host.
pub fn check_sample() -> Vec<Event> {
    let host = "nginx-node-1";
    vec![
        at(0, started(&[host], true)),
        at(2, play(&[host])),
        at(
            60,
            changed(
                task(host, "Install nginx"),
                "would install nginx 1.22.1",
                vec![difference("package nginx", None, Some("1.22.1"))],
                0,
            ),
        ),
        at(
            61,
            finished(
                task(host, "Run nginx"),
                TaskStatus::Unknown,
                "nginx.service comes with a package that is not installed yet",
            ),
        ),
        at(
            70,
            ended(
                &[(
                    host,
                    Counts {
                        unknown: 1,
                        ..counts(4, 1, 0, 0)
                    },
                    1,
                )],
                70,
                false,
            ),
        ),
    ]
}

/// A run that was interrupted.
pub fn interrupted_sample() -> Vec<Event> {
    let host = "vm1";
    vec![
        at(0, started(&[host], false)),
        at(2, play(&[host])),
        at(
            10,
            EventKind::TaskStarted {
                task: task(host, "Upgrade the packages"),
                action: "apt-get dist-upgrade".into(),
            },
        ),
        at(
            20,
            EventKind::Interrupted {
                running: vec![task(host, "Upgrade the packages")],
            },
        ),
        at(30, ended(&[(host, counts(1, 0, 0, 0), 2)], 30, true)),
    ]
}
