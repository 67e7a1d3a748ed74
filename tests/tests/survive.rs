//! Controllers that are killed and interrupted, runs that meet, handlers that are owed, services that do not come up.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mosip_prov_tests::curl::ask;
use mosip_prov_tests::picture::Picture;
use mosip_prov_tests::survival::{
    Controller, FOLDER, Running, Seeded, UNIT, VARIANT, clean, leftovers, result_of_steps,
};
use mosip_prov_tests::testbed::{DOMAIN, NGINX, Testbed, address};

/// The run that is killed: what prepares the nodes of a cluster.
const LOAD: [&str; 4] = ["run", "deploy-rancher", "--tags", "prepare"];
/// Hosts for it: those that have python3, without which packages that come with Docker cannot be configured.
const NODES: [&str; 5] = ["vm1", "vm2", "vm4", "vm5", "vm6"];

/// Differences between two pictures but for what is another after every first boot.
fn differences(one: &Picture, other: &Picture) -> Vec<String> {
    let mut all = one.differences(other);
    all.retain(|line| {
        ![
            "/etc/ssh/ssh_host_",
            "/etc/machine-id",
            "/etc/docker/key.json",
            "/.cache",
            "/.docker",
        ]
        .iter()
        .any(|own| line.contains(own))
    });
    all
}

/// A run that nobody disturbed.
struct Undisturbed {
    took: Duration,
    events: usize,
    picture: Picture,
}

/// When a controller is killed.
enum Moment {
    After(Duration),
    /// At once after so many of [`is_step`].
    Event(usize),
}

fn is_step(event: &serde_json::Value) -> bool {
    event["type"] == "task_started" || event["type"] == "task_finished"
}

#[test]
#[ignore = "needs the testbed"]
fn a_controller_killed_at_any_moment() {
    let testbed = Testbed::of(&["vm1", "vm2", "vm4", "vm5", "vm6"]);
    let kills: usize = std::env::var("MOSIP_PROV_KILLS").map_or(3, |text| text.parse().expect("a number"));
    let mut seeded = Seeded::of_environment();
    let hosts = &NODES[..kills.min(NODES.len())];

    // Undisturbed.
    testbed.reset(hosts);
    let undisturbed = side_by_side(hosts, |host| {
        let controller = Controller::real(&testbed);
        let ran = controller.run(&[&LOAD[..], &["--limit", host]].concat()).expect(0);
        Undisturbed {
            took: ran.took,
            events: ran.events.iter().filter(|event| is_step(event)).count(),
            picture: Picture::of(&testbed, host),
        }
    });

    let mut wrong = Vec::new();
    let mut done = 0;
    while done < kills {
        let hosts = &hosts[..hosts.len().min(kills - done)];
        testbed.reset(hosts);
        let moments: BTreeMap<&str, Moment> = hosts
            .iter()
            .enumerate()
            .map(|(index, host)| {
                // Spread over the whole length, at random within each part; by turns over its time, most of which goes
                // into few tasks, and over its tasks.
                let part = ((done + index) as f64 + seeded.fraction()) / kills as f64;
                let whole = &undisturbed[host];
                let moment = match (done + index) % 2 {
                    0 => Moment::After(whole.took.mul_f64(part)),
                    _ => Moment::Event((whole.events as f64 * part) as usize),
                };
                (*host, moment)
            })
            .collect();
        let outcomes = side_by_side(hosts, |host| {
            kill_and_run_again(&testbed, host, &moments[host], &undisturbed[host].picture)
        });
        for (host, outcome) in outcomes {
            done += 1;
            let whole = &undisturbed[host];
            let at = match &moments[host] {
                Moment::After(time) => format!("{:.1} of {:.1} s", time.as_secs_f64(), whole.took.as_secs_f64()),
                Moment::Event(number) => format!("event {number} of {}", whole.events),
            };
            match outcome {
                Ok(said) => println!("{host} killed at {at}: {said}"),
                Err(why) => {
                    println!("{host} killed at {at}: WRONG: {why}");
                    wrong.push(format!("{host} killed at {at}: {why}"));
                }
            }
        }
    }
    println!("{} of {kills} as undisturbed", kills - wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn kill_and_run_again(testbed: &Testbed, host: &str, moment: &Moment, undisturbed: &Picture) -> Result<String, String> {
    let controller = Controller::real(testbed);
    let words = [&LOAD[..], &["--limit", host]].concat();
    let mut running = controller.start(&words);
    let began = Instant::now();
    let has_come = |running: &Running| match moment {
        Moment::After(time) => began.elapsed() >= *time,
        Moment::Event(number) => running.events().iter().filter(|event| is_step(event)).count() >= *number,
    };
    while running.is_running() && !has_come(&running) {
        std::thread::sleep(Duration::from_millis(3));
    }
    running.signal("KILL");
    let killed = running.end();
    let last = killed
        .events
        .iter()
        .rev()
        .find_map(|event| event["task"].as_str())
        .unwrap_or("the beginning")
        .to_owned();
    // At once: neither the lease nor anything else is waited for.
    let again = controller.run(&words);
    if again.code != 0 {
        return Err(again.shown());
    }
    let third = controller.run(&words);
    if third.code != 0 || third.count(host, "changed") != 0 {
        return Err(format!(
            "not quiet afterwards:\n{}\n{}",
            third.tasks("changed").join("\n"),
            third.shown()
        ));
    }
    let differences = differences(undisturbed, &Picture::of(testbed, host));
    let left = leftovers(testbed, host);
    let past = controller.past();
    let mut wrong = Vec::new();
    if !differences.is_empty() {
        wrong.push(format!("not as undisturbed:\n{}", differences.join("\n")));
    }
    if !left.is_empty() {
        wrong.push(format!("left there:\n{left}"));
    }
    if !past.owed.is_empty() || !past.units.is_empty() {
        wrong.push(format!("owed: {:?}, left: {:?}", past.owed, past.units));
    }
    if !wrong.is_empty() {
        return Err(format!(
            "killed in \"{last}\"; {}\nthe second run:\n{}",
            wrong.join("\n"),
            again.stdout
        ));
    }
    Ok(format!("in \"{last}\", then {:.1} s", again.took.as_secs_f64()))
}

/// The same work for all hosts at once.
fn side_by_side<'h, T: Send>(hosts: &[&'h str], work: impl Fn(&'h str) -> T + Sync) -> BTreeMap<&'h str, T> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = hosts
            .iter()
            .map(|host| {
                let work = &work;
                (*host, scope.spawn(move || work(host)))
            })
            .collect();
        threads
            .into_iter()
            .map(|(host, thread)| {
                (
                    host,
                    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                )
            })
            .collect()
    })
}

#[test]
#[ignore = "needs the testbed"]
fn a_run_after_a_kill_waits_for_nothing_but_the_work_under_way() {
    let testbed = Testbed::of(&["vm1", "vm2", "vm3"]);
    let controller = Controller::small(&testbed);
    let hosts = ["vm1", "vm2", "vm3"];
    for host in hosts {
        clean(&testbed, host);
    }
    let limit = hosts.join(",");
    let words = ["run", "steps", "--limit", &limit];
    let mut running = controller.start(&words);
    // A command of 3 s that has no unit of its own: what it does goes on, and must not be met half-done.
    running.wait_for_task("vm1", "Run a command");
    running.signal("KILL");
    running.end();
    let ran = controller.run(&words).expect(0);
    assert!(ran.took < Duration::from_secs(60), "{:?}", ran.took);
    let said = ran
        .of_type("warning")
        .filter(|event| event["message"].to_string().contains("waiting for another run"))
        .count();
    assert_eq!(said, 0, "a controller that is gone is not waited for\n{}", ran.shown());
    let results: Vec<String> = hosts.map(|host| result_of_steps(&testbed, host)).into();
    assert!(
        results
            .iter()
            .all(|result| *result == results[0] && result.contains("install ok installed")),
        "{results:#?}"
    );
    controller.owes_nothing();
    for host in hosts {
        assert_eq!(leftovers(&testbed, host), "", "{host}");
    }
}

#[test]
#[ignore = "needs the testbed"]
fn the_second_of_two_controllers_waits_and_names_the_first() {
    let testbed = Testbed::of(&["vm3"]);
    clean(&testbed, "vm3");
    let (first, second) = (Controller::small(&testbed), Controller::small(&testbed));
    let mut running = first.start(&["run", "steps", "--limit", "vm3"]);
    running.wait_for_task("vm3", "Run a command");
    let hasty = second
        .run(&["run", "many", "--limit", "vm3", "--lock-timeout", "1"])
        .expect(2);
    let failure = hasty.failure();
    let pid = running_pid(&running);
    assert!(
        failure.contains("another run works on this host") && failure.contains(&pid),
        "{failure}"
    );
    assert_eq!(
        testbed.root("vm3", &format!("ls {FOLDER}/file-* 2>/dev/null | wc -l")),
        "0"
    );
    let patient = second.run(&["run", "many", "--limit", "vm3"]).expect(0);
    let waited = patient.of_type("warning").any(|event| {
        let text = event["message"].to_string();
        text.contains("waiting for another run") && text.contains(&pid)
    });
    assert!(waited, "{}", patient.shown());
    let ran = running.end().expect(0);
    let ended = |ran: &mosip_prov_tests::program::Ran| ran.finished()["time"].as_str().expect("a time").to_owned();
    assert!(ended(&ran) < ended(&patient));
    assert_eq!(leftovers(&testbed, "vm3"), "");
    testbed.root("vm3", &format!("rm -rf {FOLDER}"));
}

fn running_pid(running: &Running) -> String {
    format!("process {}", running.pid())
}

/// Runs `handler` until it is broken off in the way that `break_off` says, then again where nothing changes any more.
fn owed_handler(testbed: &Testbed, host: &str, break_off: impl FnOnce(&Controller) -> i32) {
    clean(testbed, host);
    let controller = Controller::small(testbed);
    let code = break_off(&controller);
    assert_eq!(
        testbed.root(host, &format!("cat {FOLDER}/noted 2>/dev/null || true")),
        ""
    );
    assert!(!controller.past().owed.is_empty(), "owed after {code}");
    testbed.root(host, &format!("rm -f {FOLDER}/fail; touch {FOLDER}/no-pause"));
    let words = ["run", "handler", "--limit", host];
    let ran = controller.run(&words).expect(0);
    assert_eq!(
        testbed.root(host, &format!("cat {FOLDER}/noted")),
        "noted",
        "{}",
        ran.shown()
    );
    controller.owes_nothing();
    // Once, not for ever.
    controller.run(&words).expect(0).unchanged();
    assert_eq!(testbed.root(host, &format!("cat {FOLDER}/noted")), "noted");
    assert_eq!(leftovers(testbed, host), "");
    clean(testbed, host);
}

#[test]
#[ignore = "needs the testbed"]
fn a_handler_owed_after_a_failure() {
    let testbed = Testbed::of(&["vm1"]);
    owed_handler(&testbed, "vm1", |controller| {
        testbed.root(
            "vm1",
            &format!("mkdir -p {FOLDER}; touch {FOLDER}/fail {FOLDER}/no-pause"),
        );
        controller.run(&["run", "handler", "--limit", "vm1"]).expect(2).code
    });
}

#[test]
#[ignore = "needs the testbed"]
fn a_handler_owed_after_an_interrupt() {
    let testbed = Testbed::of(&["vm4"]);
    owed_handler(&testbed, "vm4", |controller| {
        let mut running = controller.start(&["run", "handler", "--limit", "vm4"]);
        running.wait_for_task("vm4", "Pause");
        running.signal("INT");
        running.end().expect(130).code
    });
}

#[test]
#[ignore = "needs the testbed"]
fn a_handler_owed_after_a_kill() {
    let testbed = Testbed::of(&["vm5"]);
    owed_handler(&testbed, "vm5", |controller| {
        let mut running = controller.start(&["run", "handler", "--limit", "vm5"]);
        running.wait_for_task("vm5", "Pause");
        running.signal("KILL");
        running.end().code
    });
}

#[test]
#[ignore = "needs the testbed"]
fn a_resumed_run_begins_at_the_first_task_that_did_not_succeed() {
    let testbed = Testbed::of(&["vm1", "vm2"]);
    let controller = Controller::small(&testbed);
    for host in ["vm1", "vm2"] {
        clean(&testbed, host);
    }
    testbed.root("vm1", &format!("mkdir -p {FOLDER}; touch {FOLDER}/fail"));
    let words = ["run", "three", "--limit", "vm1,vm2"];
    controller.run(&words).expect(2);
    testbed.root("vm1", &format!("rm {FOLDER}/fail"));
    let ran = controller.run(&[&words[..], &["--resume"]].concat()).expect(0);
    let tasks: Vec<_> = ran
        .of_type("task_finished")
        .map(|event| format!("{} {}", event["host"], event["task"]))
        .collect();
    assert_eq!(
        tasks,
        [r#""vm1" "Fail where the host says so""#, r#""vm1" "Note three""#]
    );
    for host in ["vm1", "vm2"] {
        assert_eq!(
            testbed.root(host, &format!("cat {FOLDER}/one {FOLDER}/three")),
            "one\nthree",
            "{host}"
        );
        clean(&testbed, host);
    }
}

/// A killed run of `handler` whose last task was done: nothing is left but the handler.
#[test]
#[ignore = "needs the testbed"]
fn a_resumed_run_does_the_handlers_that_are_owed() {
    let testbed = Testbed::of(&["vm6"]);
    clean(&testbed, "vm6");
    testbed.root(
        "vm6",
        &format!("mkdir -p {FOLDER}; touch {FOLDER}/fail {FOLDER}/no-pause"),
    );
    let controller = Controller::small(&testbed);
    let words = ["run", "handler", "--limit", "vm6"];
    controller.run(&words).expect(2);
    testbed.root("vm6", &format!("rm {FOLDER}/fail"));
    let ran = controller.run(&[&words[..], &["--resume"]].concat()).expect(0);
    assert_eq!(
        testbed.root("vm6", &format!("cat {FOLDER}/noted")),
        "noted",
        "{}",
        ran.shown()
    );
    controller.owes_nothing();
    clean(&testbed, "vm6");
}

/// Before it: `gdb` is not there, and is fetched anew.
fn without_gdb(testbed: &Testbed, host: &str) {
    testbed.root(
        host,
        "rm -rf /run/mosip-prov /var/lib/mosip-prov
apt-get -q -y purge gdb >/dev/null 2>&1; apt-get -q -y autoremove --purge >/dev/null 2>&1; apt-get clean
ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1 || apt-get -q update >/dev/null",
    );
}

const GDB: [&str; 6] = [
    "run",
    "apt-upgrade",
    "-e",
    r#"{"apt_upgrade_additional_packages": ["gdb"]}"#,
    "--limit",
    "vm1",
];

/// Starts it and returns while dpkg is at work.
fn until_dpkg_works(testbed: &Testbed, controller: &Controller) -> Running {
    let mut running = controller.start(&GDB);
    running.wait_for(Duration::from_secs(300), |event| {
        event["type"] == "task_started" && event["action"].as_str().is_some_and(|action| action.contains("gdb"))
    });
    let dpkg = "for i in $(seq 400); do pidof dpkg >/dev/null && grep -q . /run/mosip-prov/units/*/pid && exit 0; sleep 0.05; done; exit 1";
    testbed.root("vm1", dpkg);
    running
}

#[test]
#[ignore = "needs the testbed"]
fn an_interrupt_waits_for_dpkg_and_history_tells_of_it() {
    let testbed = Testbed::of(&["vm1"]);
    without_gdb(&testbed, "vm1");
    let controller = Controller::real(&testbed);
    let running = until_dpkg_works(&testbed, &controller);
    running.signal("INT");
    let ran = running.end().expect(130);
    assert_eq!(
        testbed.root("vm1", "pidof dpkg apt-get; dpkg --audit"),
        "",
        "{}",
        ran.shown()
    );
    assert_eq!(leftovers(&testbed, "vm1"), "");
    let ran = controller.run(&GDB).expect(0);
    assert_eq!(
        testbed.root("vm1", "dpkg-query -W -f '${Status}' gdb"),
        "install ok installed",
        "{}",
        ran.shown()
    );

    let listed = controller.run(&["history"]).expect(0);
    let lines: Vec<&str> = listed.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", listed.shown());
    assert!(
        lines[0].contains("interrupted") && lines[0].contains("apt-upgrade"),
        "{}",
        listed.shown()
    );
    assert!(lines[1].ends_with("ok"), "{}", listed.shown());
    let name = lines[0].split(' ').next().expect("a name");
    controller.run(&["history", name]).expect(0).says(&[
        "begun: apt-upgrade on vm1",
        "long work begun",
        "ended: interrupted",
    ]);
    controller
        .run(&["history", "no-such-run"])
        .expect(1)
        .says(&["there is no run"]);
}

#[test]
#[ignore = "needs the testbed"]
fn a_second_interrupt_leaves_the_work_running_and_the_next_run_takes_its_result() {
    let testbed = Testbed::of(&["vm1"]);
    without_gdb(&testbed, "vm1");
    let controller = Controller::real(&testbed);
    let running = until_dpkg_works(&testbed, &controller);
    running.signal("INT");
    std::thread::sleep(Duration::from_millis(100));
    running.signal("INT");
    let ran = running
        .end()
        .expect(130)
        .says(&["left on the hosts", "vm1", "the next run"]);
    assert!(ran.took < Duration::from_secs(120), "{:?}", ran.took);
    assert_ne!(testbed.root("vm1", "ls /run/mosip-prov/units"), "", "{}", ran.shown());
    controller
        .run(&["history"])
        .expect(0)
        .says(&["did not end", "left: vm1"]);
    let ran = controller.run(&GDB).expect(0).says(&["attaching"]);
    assert_eq!(
        testbed.root("vm1", "dpkg-query -W -f '${Status}' gdb"),
        "install ok installed",
        "{}",
        ran.shown()
    );
    assert_eq!(leftovers(&testbed, "vm1"), "");
    controller.owes_nothing();
    controller.run(&GDB).expect(0).unchanged();
}

#[test]
#[ignore = "needs the testbed"]
fn a_unit_that_does_not_come_up_gets_its_file_back() {
    let testbed = Testbed::of(&["vm5"]);
    clean(&testbed, "vm5");
    let words = ["run", "service", "--limit", "vm5"];
    let controller = Controller::small(&testbed);
    controller.run(&words).expect(0);
    let file = format!("sha256sum </etc/systemd/system/{UNIT}; systemctl is-active {UNIT}");
    let good = testbed.root("vm5", &file);
    assert!(good.ends_with("\nactive"), "{good}");

    let controller = controller.with(VARIANT, "bad");
    let ran = controller.run(&words).expect(2);
    let failure = ran.failure();
    assert!(
        failure.contains("put back") && failure.contains("worked again") && failure.contains(UNIT),
        "{failure}"
    );
    assert_eq!(testbed.root("vm5", &file), good, "{failure}");
    assert_eq!(leftovers(&testbed, "vm5"), "");
    controller.owes_nothing();

    // Kept for study when asked for, and forgotten when all is well again.
    controller
        .run(&[&words[..], &["--no-rollback"]].concat())
        .expect(2)
        .says(&["--no-rollback"]);
    let state = testbed.try_root("vm5", &file);
    assert!(!String::from_utf8_lossy(&state.stdout).contains("\nactive"));
    let controller = controller.with(VARIANT, "good");
    controller.run(&words).expect(0);
    assert_eq!(testbed.root("vm5", &file), good);
    assert_eq!(leftovers(&testbed, "vm5"), "");
    clean(&testbed, "vm5");
}

#[test]
#[ignore = "needs the testbed"]
fn an_nginx_that_cannot_bind_gets_its_configuration_back() {
    let testbed = Testbed::of(&[NGINX]);
    let controller = Controller::real(&testbed);
    let words = ["run", "deploy-nginx"];
    controller.run(&words).expect(0);
    let host = format!("api.{DOMAIN}");
    // Nobody is behind it: what matters is that nginx itself answers.
    let answers = || ask(&testbed, false, &format!("https://{host}/"), &address(NGINX), &[]).status;
    assert_eq!(answers(), 502);
    let state = "sha256sum </etc/nginx/nginx.conf; systemctl is-active nginx";
    let good = testbed.root(NGINX, state);
    // A port that only the new configuration wants. `nginx -t` takes no offence at it.
    testbed.root(
        NGINX,
        "cat >/run/taken.pl <<'END'
use Socket; socket(S, PF_INET, SOCK_STREAM, 0); bind(S, sockaddr_in(5432, inet_aton('127.0.0.1'))) or die; listen(S, 1); sleep 300;
END
systemd-run -q --collect --unit=taken perl /run/taken.pl; sleep 0.5; systemctl is-active taken",
    );
    let bad = [&words[..], &["-e", "nginx_internal_listen_ip=127.0.0.1"]].concat();
    let ran = controller.run(&bad);
    let after = answers();
    let now = testbed.root(NGINX, state);
    let left = leftovers(&testbed, NGINX);
    testbed.root(NGINX, "systemctl stop taken; rm /run/taken.pl");
    let ran = ran.expect(2).says(&["put back"]);
    let failure = ran.failure();
    assert!(
        failure.contains("Address already in use") || failure.contains("bind()"),
        "{failure}"
    );
    assert!(failure.contains("worked again"), "{failure}");
    assert_eq!((after, now), (502, good), "{failure}");
    assert_eq!(left, "");
    controller.owes_nothing();
    controller.run(&words).expect(0).unchanged();
}
