//! Connections that are cut, hosts that are rebooted, and a long way to the hosts.

use std::time::Duration;

use mosip_prov_tests::proxy::DelayingProxy;
use mosip_prov_tests::survival::{Controller, FOLDER, MANY, clean, leftovers, result_of_steps};
use mosip_prov_tests::testbed::{CONNECTED, Testbed, address};
use mosip_prov_tests::write;

/// When a host is cut off, by the task at whose beginning it happens, and so much later.
const MOMENTS: [(&str, u64); 9] = [
    ("Install a package", 0),
    ("Install a package", 600),
    // Together with the next they stand before and after: changes that travel together begin together.
    ("Write a file", 0),
    ("Write a large file", 0),
    ("Write a large file", 40),
    ("Run a command", 1500),
    ("Run a long command", 0),
    ("Run a long command", 2500),
    ("restart the unit", 700),
];

/// How long a host is cut off, in seconds: a moment, longer than TCP likes, longer than the connection lives.
const LENGTHS: [u64; 3] = [5, 20, 90];

/// Runs `steps` on all hosts, each cut off at its own moment for so many seconds; what is not as it should be then.
fn cut_all(testbed: &Testbed, seconds: impl Fn(usize) -> u64, reconnect_timeout: &str) -> Vec<(String, String)> {
    std::thread::scope(|scope| {
        for host in CONNECTED {
            scope.spawn(move || clean(testbed, host));
        }
    });
    let controller = Controller::small(testbed);
    let words = ["run", "steps", "--reconnect-timeout", reconnect_timeout];
    let mut running = controller.start(&words);
    // As long as all have to be cut, and healed.
    std::thread::scope(|scope| {
        let mut left: Vec<_> = CONNECTED.into_iter().zip(MOMENTS).enumerate().collect();
        while !left.is_empty() && running.is_running() {
            let events = running.events();
            left.retain(|(index, (host, (task, delay)))| {
                let begun = events
                    .iter()
                    .any(|event| event["type"] == "task_started" && event["host"] == *host && event["task"] == *task);
                if begun {
                    let (host, delay) = (*host, Duration::from_millis(*delay));
                    let length = Duration::from_secs(seconds(*index));
                    scope.spawn(move || {
                        std::thread::sleep(delay);
                        let cut = testbed.cut(host);
                        std::thread::sleep(length);
                        drop(cut);
                    });
                }
                !begun
            });
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(left.is_empty(), "never cut: {left:?}");
    });
    let ran = running.end();
    let mut wrong = Vec::new();
    if reconnect_timeout == "0" {
        // Whatever came of the first run, the next one makes good.
        assert!(matches!(ran.code, 0 | 2 | 4), "{}", ran.shown());
        let lost = CONNECTED
            .iter()
            .filter(|host| ran.count(host, "unreachable") > 0)
            .count();
        println!(
            "not waited for: {lost} of {} lost in {:.0} s",
            CONNECTED.len(),
            ran.took.as_secs_f64()
        );
        controller.run(&words).expect(0);
    } else {
        println!("waited for: ended in {:.0} s with {}", ran.took.as_secs_f64(), ran.code);
        if ran.code != 0 {
            wrong.push(("all".to_owned(), ran.shown()));
        }
    }
    let again = controller.run(&words).expect(0);
    if wrong.is_empty() {
        again.unchanged();
    }
    controller.owes_nothing();
    let looks: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = CONNECTED
            .into_iter()
            .map(|host| scope.spawn(move || (host, result_of_steps(testbed, host), leftovers(testbed, host))))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a look"))
            .collect()
    });
    let (_, good, _) = &looks[0];
    assert!(
        good.contains("install ok installed") && good.contains("active"),
        "{good}"
    );
    for (host, result, left) in &looks {
        if result != good {
            wrong.push(((*host).to_owned(), format!("{result}\nis not\n{good}")));
        }
        if !left.is_empty() {
            wrong.push(((*host).to_owned(), format!("left there:\n{left}")));
        }
    }
    wrong
}

#[track_caller]
fn all_right(wrong: &[(String, String)]) {
    let shown: Vec<_> = wrong.iter().map(|(host, text)| format!("{host}: {text}")).collect();
    assert!(wrong.is_empty(), "{}", shown.join("\n\n"));
}

/// Every moment once, with the lengths in turn. With MOSIP_PROV_CUTS=all every moment with every length, with 0, 1 or 2 that
/// round of it.
#[test]
#[ignore = "needs the testbed"]
fn links_that_are_cut_and_come_back() {
    let testbed = Testbed::get();
    let rounds = match std::env::var("MOSIP_PROV_CUTS").as_deref() {
        Ok("all") => 0..LENGTHS.len(),
        Ok(number) => number.parse().map(|round| round..round + 1).expect("all or a number"),
        Err(_) => 0..1,
    };
    for round in rounds {
        all_right(&cut_all(
            &testbed,
            |index| LENGTHS[(index + round) % LENGTHS.len()],
            "120",
        ));
    }
}

#[test]
#[ignore = "needs the testbed"]
fn links_that_nobody_waits_for() {
    let testbed = Testbed::get();
    all_right(&cut_all(&testbed, |_| 90, "0"));
}

/// Reboots `host` when `task` has begun there, and compares it with `reference`, which nothing happens to; what must hold
/// at the end, by the run or by the next one.
fn reboot_during(host: &str, reference: &str, task: &str, how: &str) {
    let testbed = &Testbed::of(&[host, reference]);
    clean(testbed, host);
    let controller = Controller::small(testbed);
    let words = ["run", "steps", "--limit", host];
    let mut running = controller.start(&words);
    running.wait_for_task(host, task);
    std::thread::sleep(Duration::from_millis(800));
    match how {
        "hard" => testbed.xtask(&["restart", host]),
        _ => testbed.root(
            host,
            "systemd-run -q --on-active=0.1 --timer-property=AccuracySec=10ms systemctl reboot",
        ),
    };
    let ran = running.end();
    println!(
        "rebooted ({how}) during \"{task}\": ended with {} in {:.0} s",
        ran.code,
        ran.took.as_secs_f64()
    );
    if ran.code != 0 {
        controller.run(&words).expect(0);
    }
    controller.run(&words).expect(0).unchanged();
    controller.owes_nothing();
    // The unit is not enabled: it need not run after a reboot, unless its restart came later.
    testbed.root(host, "systemctl start survive");
    clean(testbed, reference);
    controller.run(&["run", "steps", "--limit", reference]).expect(0);
    assert_eq!(result_of_steps(testbed, host), result_of_steps(testbed, reference));
    assert_eq!(leftovers(testbed, host), "");
    assert_eq!(ran.code, 0, "in the same run:\n{}", ran.shown());
}

#[test]
#[ignore = "needs the testbed"]
fn a_host_that_is_rebooted_during_long_work() {
    reboot_during("vm1", "vm4", "Run a long command", "orderly");
}

#[test]
#[ignore = "needs the testbed"]
fn a_host_that_is_rebooted_during_a_command() {
    reboot_during("vm2", "vm5", "Run a command", "hard");
}

#[test]
#[ignore = "needs the testbed"]
fn a_host_that_is_rebooted_during_an_installation() {
    reboot_during("vm3", "vm6", "Install a package", "orderly");
}

#[test]
#[ignore = "needs the testbed"]
fn two_hundred_files_over_a_long_way_take_few_exchanges() {
    let hosts = ["vm1", "vm2", "vm3", "vm4", "vm5", "vm6"];
    let testbed = Testbed::of(&hosts);
    let controller = Controller::small(&testbed);
    let one_way = Duration::from_millis(13);
    let proxies = hosts.map(|host| DelayingProxy::start(&format!("{}:22", address(host)), one_way));
    let mut inventory = "[physical_vms]\n".to_owned();
    for (host, proxy) in hosts.iter().zip(&proxies) {
        clean(&testbed, host);
        inventory.push_str(&format!(
            "{host} ansible_host=127.0.0.1 ansible_port={}\n",
            proxy.port()
        ));
    }
    inventory.push_str(&format!(
        "[mosip_obs]\n[nginx]\n[nginx_obs]\n[all:vars]\nansible_user=ubuntu\nansible_ssh_private_key_file={}\nansible_host_key_checking=False\n",
        testbed.key().display()
    ));
    write(controller.inventory(), inventory);
    let ran = controller.run(&["run", "many"]).expect(0);
    for host in hosts {
        assert_eq!(ran.count(host, "changed"), MANY as u64 + 1, "{}", ran.shown());
        assert!(ran.exchanges(host) <= 10, "{host}: {} exchanges", ran.exchanges(host));
        let written = testbed.root(host, &format!("cat {FOLDER}/file-* | sort -u | wc -l"));
        assert_eq!(written, MANY.to_string());
    }
    let again = controller.run(&["run", "many"]).expect(0).unchanged();
    for host in hosts {
        assert!(
            again.exchanges(host) <= 2,
            "{host}: {} exchanges",
            again.exchanges(host)
        );
    }
    println!(
        "{MANY} files at 26 ms: {} exchanges in {:.2} s, then {} in {:.2} s",
        ran.exchanges("vm1"),
        ran.took.as_secs_f64(),
        again.exchanges("vm1"),
        again.took.as_secs_f64()
    );
    for host in hosts {
        assert_eq!(leftovers(&testbed, host), "");
        testbed.root(host, &format!("rm -rf {FOLDER}"));
    }
}
