//! Faults: a part of the matrix that `cargo xtask faults` runs whole, and what does not fit into it: one sshd for many names
//! that takes few logins, a host that hangs, output without end.

use std::process::Command as Process;
use std::time::Duration;

use mosip_prov::Settings;
use mosip_prov::resources::{File, Task};
use mosip_prov_tests::faults::fault::sshd_with;
use mosip_prov_tests::faults::{self, steps};
use mosip_prov_tests::small_role::{SmallRole, assert_changed, run};
use mosip_prov_tests::survival::{Controller, FOLDER, leftovers};
use mosip_prov_tests::testbed::{NGINX_OBS, OBS, Testbed};
use mosip_prov_tests::{stdout, write};

/// What the controller may need at most, however much hosts print.
const MEMORY_KIB: u64 = 128 << 10;

#[test]
#[ignore = "needs the testbed"]
fn a_part_of_the_matrix() {
    let testbed = Testbed::of(&faults::hosts());
    let results = faults::run(&testbed, &faults::of_every_day(), |name, outcome, took| {
        println!("{name:<28} {outcome:?} ({:.0} s)", took.as_secs_f64());
    });
    println!("{}\n{}", results.table(), results.summary());
    let failures = results.failures();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// The addresses of the hosts' network that nobody has, given to one host.
struct Addresses<'t> {
    testbed: &'t Testbed,
    host: &'t str,
    device: String,
}

const SIX: [&str; 6] = [
    "10.61.0.201",
    "10.61.0.202",
    "10.61.0.203",
    "10.61.0.204",
    "10.61.0.205",
    "10.61.0.206",
];

impl<'t> Addresses<'t> {
    fn of(testbed: &'t Testbed, host: &'t str) -> Self {
        let device = testbed.root(host, "ip -o route get 10.61.0.1 | sed 's/.* dev \\([^ ]*\\).*/\\1/'");
        for address in SIX {
            testbed.root(
                host,
                &format!("ip address add {address}/24 dev {device} 2>/dev/null || true"),
            );
        }
        Self { testbed, host, device }
    }
}

impl Drop for Addresses<'_> {
    fn drop(&mut self) {
        for address in SIX {
            let script = format!("ip address del {address}/24 dev {}", self.device);
            let _ = self.testbed.try_root(self.host, &script);
        }
    }
}

#[test]
#[ignore = "needs the testbed"]
fn six_names_at_an_sshd_that_takes_three_logins_at_once() {
    let testbed = Testbed::of(&[OBS]);
    let addresses = Addresses::of(&testbed, OBS);
    let (sshd, port) = sshd_with(&testbed, OBS, "MaxStartups 3\nLoginGraceTime 5\nMaxSessions 1");
    let folder = tempfile::tempdir().expect("a folder");
    let hosts = folder.path().join("hosts.ini");
    let mut inventory = "[many]\n".to_owned();
    for (number, address) in SIX.iter().enumerate() {
        inventory.push_str(&format!("name{number} ansible_host={address} ansible_port={port}\n"));
    }
    inventory.push_str(&format!(
        "[many:vars]\nansible_user=ubuntu\nansible_ssh_private_key_file={}\nansible_host_key_checking=False\n",
        testbed.key().display()
    ));
    write(&hosts, inventory);
    testbed.root(OBS, &format!("rm -rf {FOLDER}; mkdir -p {FOLDER}"));
    let go = || {
        let role = SmallRole::new(|cx| {
            let large = "much\n".repeat(400_000);
            let path = |kind: &str| format!("{FOLDER}/{}-{kind}", cx.host);
            vec![
                Task::new("Write a file", File::content(path("small"), "small\n").mode(0o644)),
                Task::new("Write a large file", File::content(path("large"), large).mode(0o644)),
            ]
        });
        let settings = Settings {
            inventory: vec![hosts.to_string_lossy().into_owned()],
            // Names that are one machine share its lock and what is kept there, so that only one may change it at a time.
            check: true,
            ..Settings::default()
        };
        run(settings, role.playbook("many"))
    };
    let (first, second) = (go(), go());
    testbed.root(OBS, &format!("rm -rf {FOLDER}"));
    drop((sshd, addresses));
    for number in 0..SIX.len() {
        assert_changed(&first, &format!("name{number}"), 2);
        assert_changed(&second, &format!("name{number}"), 2);
    }
    assert_eq!(leftovers(&testbed, OBS), "");
}

/// A controller whose playbooks of [`steps`] run on two hosts, of which `words` say how to reach the first.
fn of_two(testbed: &Testbed, words: &str) -> Controller {
    let controller = Controller::small(testbed);
    write(
        controller.inventory(),
        format!(
            "[physical_vms]\n{}{}[all:vars]\nansible_user=ubuntu\nansible_ssh_private_key_file={}\nansible_host_key_checking=False\n",
            faults::fault::inventory_line(OBS, OBS, words),
            faults::fault::inventory_line(NGINX_OBS, NGINX_OBS, ""),
            testbed.key().display()
        ),
    );
    controller
}

/// The sshd of [`sshd_with`], and all of its processes that serve somebody.
const SERVING: &str =
    "l=$(cat /run/faults/sshd.pid); a=$(pgrep -P $l); echo $l $a $(for p in $a; do pgrep -P $p; done)";

/// Whatever stops them, they go on when this goes.
struct Stopped<'t> {
    testbed: &'t Testbed,
    processes: String,
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        let _ = self
            .testbed
            .try_root(OBS, &format!("kill -CONT {} 2>/dev/null", self.processes));
    }
}

#[test]
#[ignore = "needs the testbed"]
fn a_host_that_hangs_holds_nobody_up_and_is_told() {
    let testbed = Testbed::of(&[OBS, NGINX_OBS]);
    for host in [OBS, NGINX_OBS] {
        steps::prepare(&testbed, faults::Step::Command, host, host);
    }
    testbed.root(OBS, &format!(": >{}", steps::HOLD));
    let (sshd, port) = sshd_with(&testbed, OBS, "");
    let controller = of_two(&testbed, &format!("ansible_port={port}"));
    let name = steps::playbook(faults::Step::Command, OBS);
    let words = ["run", &name, "--reconnect-timeout", "4"];
    let mut running = controller.start(&words);
    running.wait_for_task(OBS, "Wait for the fault");
    let processes = testbed.root(OBS, SERVING).replace('\n', " ");
    testbed.root(OBS, &format!("rm -f {}; kill -STOP {processes}; true", steps::HOLD));
    let stopped = Stopped {
        testbed: &testbed,
        processes,
    };
    // The other one is done while this one hangs.
    running.wait_for(Duration::from_secs(60), |event| {
        event["type"] == "host_finished" && event["host"] == NGINX_OBS && event["complete"] == true
    });
    assert!(running.is_running(), "the one that hangs is waited for");
    let ran = running.end().expect(4);
    let told = ran.of_type("host_unreachable").next().expect("it is told");
    assert_eq!(told["host"], OBS);
    let warned = ran.of_type("warning").any(|event| {
        let text = event["message"].to_string();
        event["host"] == OBS && text.contains("the connection was lost while") && text.contains("4 s")
    });
    assert!(warned, "{}", ran.shown());
    drop(stopped);
    controller.run(&words).expect(0);
    controller.run(&words).expect(0).unchanged();
    let state = |host| steps::state(&testbed, faults::Step::Command, host, host);
    assert_eq!(state(OBS), state(NGINX_OBS));
    controller.owes_nothing();
    drop(sshd);
    for host in [OBS, NGINX_OBS] {
        steps::clean(&testbed, host);
        assert_eq!(leftovers(&testbed, host), "");
    }
}

/// The most memory that a process had so far, in KiB; nothing of one that has ended.
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// Runs a playbook of [`steps`] to its end and watches how much memory that takes.
fn watched(controller: &Controller, words: &[&str]) -> (mosip_prov_tests::program::Ran, u64) {
    let running = controller.start(words);
    let pid = running.pid();
    let watch = std::thread::spawn(move || {
        let mut most = 0;
        // One that has ended and was not waited for has no memory any more.
        while let Some(now) = peak(pid) {
            most = most.max(now);
            std::thread::sleep(Duration::from_millis(10));
        }
        most
    });
    let ran = running.end();
    let most = watch.join().expect("it was watched");
    assert!(most > 0, "its memory was never seen");
    (ran, most)
}

#[test]
#[ignore = "needs the testbed"]
fn a_gigabyte_of_output_is_bounded_and_harmless() {
    let testbed = Testbed::of(&[NGINX_OBS]);
    let controller = of_two(&testbed, "");
    for kind in ["long", "short"] {
        let name = format!("flood-{kind}");
        let words = ["run", &name, "--limit", NGINX_OBS];
        let (ran, most) = watched(&controller, &words);
        let ran = ran.expect(2);
        println!("{kind}: {most} KiB, {:.1} s", ran.took.as_secs_f64());
        assert!(most < MEMORY_KIB, "{kind}: {most} KiB");
        let failure = ran.failure();
        // Its own status and its last words, whatever came before them.
        assert!(
            failure.contains("status 7") && failure.contains("its last words"),
            "{failure}"
        );
        for event in &ran.events {
            let text = event.to_string();
            assert!(!text.contains("\\u001b") && !text.contains('\u{1b}'), "{text}");
        }
        assert!(!ran.stdout.contains('\u{1b}'), "{kind}");
        controller.owes_nothing();
    }
    assert_eq!(leftovers(&testbed, NGINX_OBS), "");
}

#[test]
#[ignore = "needs the testbed"]
fn what_is_left_out_here_is_named() {
    let suite = mosip_prov_tests::program_path("MOSIP_PROV_FAULTS", "fault-suite", "mosip-prov-tests");
    let listed = stdout(Process::new(&suite).arg("--list"));
    let left_out = stdout(Process::new(&suite).arg("--left-out"));
    let here = faults::of_every_day().len();
    assert_eq!(listed.lines().count(), left_out.lines().count() + here);
    assert_eq!(listed.matches("with the tests").count(), here);
}
