//! One case of the matrix: a step, met by a fault.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::fault::{Fault, Outcome, SmallDisk, When, inventory_line};
use super::steps::{self, HOLD, REACHED, Step};
use crate::program::Ran;
use crate::survival::{Controller, Running, leftovers};
use crate::testbed::Testbed;
use crate::write;

/// The two hosts that a case has for itself.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// The host of the run.
    pub host: &'static str,
    /// The other one, for what is delegated.
    pub partner: &'static str,
}

impl Pair {
    /// Whom the fault strikes: the machine where the step is carried out.
    fn struck(self, step: Step) -> &'static str {
        match step {
            Step::Delegated => self.partner,
            _ => self.host,
        }
    }
}

/// The state that an undisturbed run makes, or why it makes none.
pub fn undisturbed(testbed: &Testbed, pair: Pair, step: Step) -> Result<String, String> {
    caught(|| Ok(make_undisturbed(testbed, pair, step)))
}

fn make_undisturbed(testbed: &Testbed, pair: Pair, step: Step) -> String {
    steps::prepare(testbed, step, pair.host, pair.partner);
    let controller = controller(testbed, pair, None, step, None);
    controller.run(&words(step, pair)).expect(0);
    let state = steps::state(testbed, step, pair.host, pair.partner);
    steps::clean(testbed, pair.host);
    steps::clean(testbed, pair.partner);
    state
}

fn words(step: Step, pair: Pair) -> [&'static str; 6] {
    // The name lives as long as the process.
    let name: &'static str = Box::leak(steps::playbook(step, pair.partner).into_boxed_str());
    ["run", name, "--limit", pair.host, "--reconnect-timeout", "60"]
}

fn controller(testbed: &Testbed, pair: Pair, fault: Option<Fault>, step: Step, disk: Option<&SmallDisk>) -> Controller {
    let controller = match disk {
        Some(disk) => Controller::small_in(testbed, disk.path()),
        None => Controller::small(testbed),
    };
    let of = |host: &str| match fault {
        Some(fault) if host == pair.struck(step) => fault.words(),
        _ => String::new(),
    };
    let known = match disk {
        Some(disk) => format!(
            "ansible_ssh_common_args='-o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={}/known_hosts'",
            disk.path().display()
        ),
        None => "ansible_host_key_checking=False".to_owned(),
    };
    write(
        controller.inventory(),
        format!(
            "[physical_vms]\n{}{}[mosip_obs]\n[nginx]\n[nginx_obs]\n[all:vars]\nansible_user=ubuntu\nansible_ssh_private_key_file={}\n{known}\n",
            inventory_line(pair.host, pair.host, &of(pair.host)),
            inventory_line(pair.partner, pair.partner, &of(pair.partner)),
            testbed.key().display()
        ),
    );
    controller
}

/// `work`, with a panic as the failure that it is.
fn caught<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(text.unwrap_or_else(|| "it panicked".to_owned()))
    })
}

/// Runs a case; what came of it, or why it is wrong. The hosts are as before in either case.
pub fn run(testbed: &Testbed, pair: Pair, fault: Fault, step: Step, undisturbed: &str) -> Result<String, String> {
    let outcome = caught(|| case(testbed, pair, fault, step, undisturbed));
    for host in [pair.host, pair.partner] {
        let cleaned = catch_unwind(AssertUnwindSafe(|| steps::clean(testbed, host)));
        if cleaned.is_err() {
            // A host that does not answer any more is of no use to the next case.
            testbed.reset(&[host]);
        }
    }
    outcome
}

fn case(testbed: &Testbed, pair: Pair, fault: Fault, step: Step, undisturbed: &str) -> Result<String, String> {
    steps::prepare(testbed, step, pair.host, pair.partner);
    let struck = pair.struck(step);
    let before = steps::state_of_step(testbed, step, pair.host, pair.partner);
    let set_up = fault.set_up(testbed, struck);
    let disk = (fault == Fault::OwnDisk).then(SmallDisk::new);
    let mut controller = controller(testbed, pair, Some(fault), step, disk.as_ref());
    let clock = tempfile::NamedTempFile::new().expect("a file");
    if matches!(fault, Fault::OwnClockAhead | Fault::OwnClockBack) {
        controller = controller
            .with("LD_PRELOAD", &own_faketime())
            .with("FAKETIME_TIMESTAMP_FILE", &clock.path().to_string_lossy())
            .with("FAKETIME_NO_CACHE", "1")
            .with("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        write(clock.path(), "+0\n");
    }
    let words = words(step, pair);
    let holds = fault.when() == When::Held || step == Step::Ask;
    if holds {
        testbed.root(pair.host, &format!(": >{HOLD}"));
    }
    let mut running = controller.start(&words);
    let mut strikes = Vec::new();
    let release = || drop(testbed.root(pair.host, &format!("rm -f {HOLD}")));
    if holds && fault.when() != When::Before {
        wait_for_hold(testbed, pair.host, &mut running)?;
    } else if fault.when() == When::Midst {
        running.wait_for_task(pair.host, step.task());
        std::thread::sleep(Duration::from_millis(step.midst()));
    }
    match fault {
        Fault::Kill => running.signal("KILL"),
        Fault::Interrupt => running.signal("INT"),
        Fault::OwnClockAhead => write(clock.path(), "+86400\n"),
        Fault::OwnClockBack => write(clock.path(), "-86400\n"),
        Fault::OwnDisk => disk.iter().for_each(SmallDisk::fill),
        Fault::Cut | Fault::Reboot if holds => {
            release();
            strikes.push(fault.strike(testbed, struck));
        }
        _ => strikes.push(fault.strike(testbed, struck)),
    }
    if holds {
        release();
    }
    let ran = running.end();
    let half_way = steps::state_of_step(testbed, step, pair.host, pair.partner);
    drop(strikes);
    disk.iter().for_each(SmallDisk::clear);
    let said = judge(fault, step, &ran)?;

    let mut wrong = Vec::new();
    let again = controller.run(&words);
    if again.code != 0 {
        return Err(format!(
            "the next run does not end well: {}\nafter: {}",
            again.shown(),
            ran.shown()
        ));
    }
    let third = controller.run(&words);
    if third.code != 0 || third.count(pair.host, "changed") != 0 {
        wrong.push(format!(
            "not quiet afterwards: {}\n{}",
            third.tasks("changed").join("\n"),
            third.shown()
        ));
    }
    let state = steps::state(testbed, step, pair.host, pair.partner);
    if state != undisturbed {
        wrong.push(format!("not as undisturbed:\n{state}\nis not\n{undisturbed}"));
    }
    let at_end = steps::state_of_step(testbed, step, pair.host, pair.partner);
    if matches!(fault.outcome(step), Outcome::Stops(_) | Outcome::Either(_)) && half_way != before && half_way != at_end
    {
        wrong.push(format!(
            "half done when it stopped:\n{half_way}\nis neither\n{before}\nnor\n{at_end}"
        ));
    }
    let past = controller.past();
    if !past.owed.is_empty() || !past.units.is_empty() {
        wrong.push(format!("owed: {:?}, left: {:?}", past.owed, past.units));
    }
    drop(set_up);
    for host in [pair.host, pair.partner] {
        if host == pair.host || step == Step::Delegated {
            let left = leftovers(testbed, host);
            if !left.is_empty() {
                wrong.push(format!("left on {host}:\n{left}"));
            }
        }
    }
    if wrong.is_empty() {
        Ok(said)
    } else {
        wrong.push(ran.shown());
        Err(wrong.join("\n"))
    }
}

fn wait_for_hold(testbed: &Testbed, host: &str, running: &mut Running) -> Result<(), String> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        if testbed.try_root(host, &format!("test -e {REACHED}")).status.success() {
            return Ok(());
        }
        if !running.is_running() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let said: Vec<String> = running.events().iter().map(ToString::to_string).collect();
    Err(format!("it did not come to the step:\n{}", said.join("\n")))
}

/// In short what came of the run that met the fault; an error when it may not come of it.
fn judge(fault: Fault, step: Step, ran: &Ran) -> Result<String, String> {
    let wrong = |what: &str| Err(format!("{what}\n{}", ran.shown()));
    let stopped = |words: &[&str]| {
        if !matches!(ran.code, 2 | 4) {
            return wrong(&format!("it ended with {}", ran.code));
        }
        let text = ran.shown();
        if !words.iter().any(|word| text.contains(word)) {
            return wrong(&format!("none of {words:?} is said"));
        }
        if let Some(place) = fault.named_place().filter(|place| !text.contains(place)) {
            return wrong(&format!("{place} is not named"));
        }
        Ok("stopped".to_owned())
    };
    match fault.outcome(step) {
        Outcome::Undisturbed if ran.code == 0 => Ok("done".to_owned()),
        Outcome::Undisturbed => wrong(&format!("it ended with {}", ran.code)),
        Outcome::Either(_) if ran.code == 0 => Ok("done".to_owned()),
        Outcome::Either(words) | Outcome::Stops(words) => stopped(words),
        Outcome::Ended(code) if ran.code == code => Ok("ended".to_owned()),
        Outcome::Ended(_) if ran.code == 0 => Ok("done".to_owned()),
        Outcome::Ended(_) => wrong(&format!("it ended with {}", ran.code)),
    }
}

fn own_faketime() -> String {
    for folder in ["x86_64-linux-gnu", "aarch64-linux-gnu"] {
        let path = format!("/usr/lib/{folder}/faketime/libfaketime.so.1");
        if std::path::Path::new(&path).exists() {
            return path;
        }
    }
    panic!("libfaketime is not installed on this machine: apt-get install libfaketime, or run by cargo xtask")
}
