//! What the tasks of a front decide on hosts in various states.

use super::*;
use crate::candidate::build_script;
use mosip_prov_resources::testing as t;
use mosip_prov_resources::{Change, Decision, Step};

const CONF: &str = "user www-data;\n";

fn front() -> Front {
    Front {
        ssl_dir: "/etc/nginx/ssl".into(),
        cert_path: "/etc/nginx/ssl/fullchain.pem".into(),
        key_path: "/etc/nginx/ssl/privkey.pem".into(),
        certificate: Content::public("certificate"),
        key: Content::sensitive("the secret key"),
        configuration: CONF.into(),
        needs_stream: true,
        firewall: None,
    }
}

fn firewall() -> Firewall {
    Firewall {
        from: vec!["10.13.13.2-10.13.13.51".parse().expect("range")],
        back_to: vec!["10.13.13.2-10.13.13.51".parse().expect("range")],
        allowed: vec![[10, 1, 2, 3].into()],
        interface: "eth0".into(),
    }
}

/// A host on which everything is as it should be, but for what the arguments say.
fn host(key: &str, key_mode: u32, conf: &str, active: &str) -> Answers {
    let answers = t::package(Answers::new(), "nginx", Some("1.22.1-9"), None);
    let answers = t::package(answers, "libnginx-mod-stream", Some("1.22.1-9"), None);
    let answers = t::command(
        answers,
        &build_script(),
        0,
        "configure arguments: --with-stream=dynamic",
    );
    let answers = t::directory(answers, "/etc/nginx/ssl", 0o750, "root", "www-data");
    let answers = t::file(
        answers,
        "/etc/nginx/ssl/fullchain.pem",
        0o640,
        "root",
        "www-data",
        "certificate",
    );
    let answers = t::file(answers, "/etc/nginx/ssl/privkey.pem", key_mode, "root", "root", key);
    let answers = t::file(answers, CONFIGURATION, 0o640, "root", "www-data", conf);
    let answers = t::file(answers, "/etc/nginx/nginx.conf.orig", 0o644, "root", "root", "packaged");
    t::unit(answers, "nginx", active, "enabled")
}

fn right() -> Answers {
    host("the secret key", 0o600, CONF, "active")
}

fn task(name: &str) -> Task {
    let tasks = front().tasks().tasks;
    tasks.into_iter().find(|task| task.name() == name).expect(name)
}

#[track_caller]
fn change(task: &Task, answers: &Answers) -> Change {
    match task.resource().decide(answers) {
        Ok(Decision::Change(change)) => change,
        other => panic!("no change: {other:?}"),
    }
}

const FILES: &str = "Write certificate, key and configuration";

#[test]
fn tasks_stand_in_the_order_in_which_they_need_each_other() {
    let names = |front: Front| -> Vec<String> { front.tasks().tasks.iter().map(|t| t.name().to_owned()).collect() };
    let own = [
        "Refresh the package index",
        "Install nginx and its stream module",
        "Create the folder for certificate and key",
        FILES,
        "Run nginx, now and after each boot",
    ];
    assert_eq!(names(front()), own);
    let without = Front {
        needs_stream: false,
        ..front()
    };
    assert_eq!(names(without)[1], "Install nginx");
    let with = names(Front {
        firewall: Some(firewall()),
        ..front()
    });
    assert_eq!(with[..5], own);
    assert_eq!(with.len(), 10);
    let handlers = front().tasks().handlers;
    assert_eq!(handlers.len(), 1);
    assert_eq!(handlers[0].name(), "restart nginx");
}

#[test]
fn only_the_files_restart_nginx() {
    for task in front().tasks().tasks {
        let notified: Vec<&str> = task.notifies().collect();
        let wanted: &[&str] = if task.name() == FILES { &["restart nginx"] } else { &[] };
        assert_eq!(notified, wanted, "{}", task.name());
    }
}

#[test]
fn on_a_right_host_nothing_is_to_be_done() {
    let answers = right();
    for task in front().tasks().tasks.iter().skip(1) {
        assert!(
            matches!(task.resource().decide(&answers), Ok(Decision::Nothing { .. })),
            "{}",
            task.name()
        );
    }
    assert!(matches!(
        index_matters(&answers, &front().packages(), None),
        Ok(Verdict::Skip(_))
    ));
}

#[test]
fn the_index_is_refreshed_only_where_a_package_is_missing() {
    let packages = front().packages();
    let answers = t::package(right(), "libnginx-mod-stream", None, None);
    assert_eq!(index_matters(&answers, &packages, None), Ok(Verdict::Do));
    assert_eq!(module_matters(&answers), Ok(Verdict::Do));
    let answers = t::package(right(), "iptables", None, None);
    assert_eq!(index_matters(&answers, &packages, Some("iptables")), Ok(Verdict::Do));
    // A machine without nginx.
    let answers = t::command(t::package(answers, "nginx", None, None), &build_script(), 0, "");
    assert_eq!(index_matters(&answers, &packages, None), Ok(Verdict::Do));
}

#[test]
fn the_vendors_nginx_with_the_module_inside_is_left_as_it_is() {
    let answers = t::package(right(), "libnginx-mod-stream", None, None);
    let answers = t::command(
        answers,
        &build_script(),
        0,
        "nginx version: nginx/1.26.1\n--with-stream --with-threads",
    );
    assert!(matches!(module_matters(&answers), Ok(Verdict::Skip(_))));
    assert!(matches!(
        index_matters(&answers, &front().packages(), None),
        Ok(Verdict::Skip(_))
    ));
}

#[test]
fn a_changed_configuration_is_tested_with_the_files_that_stay() {
    let change = change(&task(FILES), &host("the secret key", 0o600, "old", "active"));
    let [Step::WriteFiles(write)] = change.steps.as_slice() else {
        panic!("{change:?}")
    };
    let [file] = write.files.as_slice() else {
        panic!("{write:?}")
    };
    assert_eq!(file.path, CONFIGURATION);
    assert_eq!(
        (file.mode, file.owner.as_str(), file.group.as_str()),
        (0o640, "root", "www-data")
    );
    assert_eq!(file.keep_first.as_deref(), Some("/etc/nginx/nginx.conf.orig"));
    let test = write.validate.as_deref().expect("tested");
    assert!(test.contains("-t -q -c"), "{test}");
    assert!(
        test.starts_with("set -- /etc/nginx/ssl/fullchain.pem /etc/nginx/ssl/privkey.pem \"${1}\""),
        "{test}"
    );
}

#[test]
fn a_new_key_is_tested_too_and_never_shown() {
    let change = change(&task(FILES), &host("another key", 0o600, CONF, "active"));
    let [Step::WriteFiles(write)] = change.steps.as_slice() else {
        panic!("{change:?}")
    };
    assert_eq!(write.files.len(), 1);
    assert_eq!((write.files[0].mode, write.files[0].group.as_str()), (0o600, "root"));
    assert!(write.validate.is_some());
    let shown = format!("{change:?}");
    assert!(
        !shown.contains("the secret key") && !shown.contains("another key"),
        "{shown}"
    );
}

#[test]
fn a_key_open_to_others_is_closed_without_being_written() {
    let change = change(&task(FILES), &host("the secret key", 0o644, CONF, "active"));
    assert!(matches!(change.steps.as_slice(), [Step::Shell(_)]));
    assert!(t::scripts(&change).contains("chmod 0600 /etc/nginx/ssl/privkey.pem"));
}

#[test]
fn a_proxy_that_is_down_is_started() {
    change(
        &task("Run nginx, now and after each boot"),
        &host("the secret key", 0o600, CONF, "failed"),
    );
}
