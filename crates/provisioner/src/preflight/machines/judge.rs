//! What follows from what the machines said.

use super::{AREAS, Heard, Machines, ROUTES, UDP, USER};
use crate::preflight::{Area, PreflightOptions, UNREACHABLE};
use mosip_prov_engine::Answers;
use mosip_prov_events::{Finding, Level};
use mosip_prov_preflight::fleet::{Duty, Machine};
use mosip_prov_preflight::hosts;
use mosip_prov_preflight::ports::{self, CLUSTER_FOLDERS, Told};
use mosip_prov_preflight::ranges::{self, Route};
use mosip_prov_preflight::room::Disk;
use mosip_prov_preflight::{mtu, routing, ways};
use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::probe::file::{FileAsk, FileState};
use mosip_prov_resources::{AskFacts, Facts, ask_hidden_lock_holder, ask_lock_holder};
use std::net::IpAddr;

impl Machines {
    /// `whole`: all machines were asked. Where not, nothing is said to be well that rests on all of them.
    pub(super) fn judge(&self, heard: &[(&Machine, Heard)], options: &PreflightOptions, whole: bool) -> Vec<Finding> {
        let mut found = Vec::new();
        let area = AREAS.into_iter().find(|area| options.has(*area));
        let area = area.unwrap_or(Area::Hosts).name();
        let mut known: Vec<(&Machine, &Answers, Facts)> = Vec::new();
        for (machine, heard) in heard {
            let error = match (&heard.first, &heard.second, &heard.own) {
                (Err(error), ..) | (_, Some(Err(error)), _) | (.., Some(Err(error))) => error,
                (Ok(answers), ..) => {
                    match answers.get(&AskFacts) {
                        Ok(facts) => known.push((machine, answers, facts)),
                        Err(error) => {
                            found.push(hosts::unreachable(area, "answer", machine, &error.to_string()));
                        }
                    }
                    continue;
                }
            };
            let check = if error.is_unreachable() {
                UNREACHABLE
            } else {
                "connection"
            };
            found.push(hosts::unreachable(area, check, machine, &error.to_string()));
        }
        let mut of_all = Vec::new();
        if options.has(Area::Hosts) {
            of_all.extend(self.judge_hosts(&mut found, &known, heard));
        }
        if options.has(Area::Network) {
            of_all.extend(self.judge_network(&mut found, &known, heard));
        }
        found.extend(of_all.into_iter().filter(|one| whole || one.level != Level::Ok));
        let second = heard.iter().filter(|(machine, _)| machine.is(Duty::Deployment));
        for answers in second.filter_map(|(_, heard)| heard.own.as_ref().or(heard.second.as_ref())?.as_ref().ok()) {
            found.extend(self.tools.iter().flat_map(|tools| tools.judge(answers)));
            let key = self.rke_key.as_ref().map(|key| (key, answers.get(&key.ask())));
            found.extend(key.map(|(key, answer)| match answer {
                Ok(answer) => key.judge(answer.status, &answer.output),
                Err(error) => key.judge(-1, &error.to_string()),
            }));
        }
        found
    }

    /// What is wrong with single machines goes into `found`; what rests on all of them is returned.
    fn judge_network(
        &self,
        found: &mut Vec<Finding>,
        known: &[(&Machine, &Answers, Facts)],
        heard: &[(&Machine, Heard)],
    ) -> Vec<Finding> {
        let asked: Vec<&str> = known.iter().map(|(machine, ..)| machine.name.as_str()).collect();
        let said =
            |answers: &Answers, script: String| answers.get(&AskCommand(script)).ok().map(|answer| answer.output);
        let (mut came, mut sizes) = (Vec::new(), Vec::new());
        for (machine, heard) in heard {
            let Some(Ok(answers)) = &heard.second else { continue };
            let tried = ways::ask(&self.ways, &machine.name).and_then(|ask| said(answers, ask.0));
            came.extend(
                tried
                    .iter()
                    .flat_map(|output| ways::read(&self.ways, &machine.name, output)),
            );
            let measured = self.ask_mtu(machine).and_then(|ask| said(answers, ask.0));
            sizes.extend(measured.iter().flat_map(|output| mtu::read(&machine.name, output)));
        }
        let uses_udp = |name: &str, port: u16| {
            let of = |(machine, answers, _): &(&Machine, &Answers, Facts)| {
                machine.is_called(name) && said(answers, UDP.into()).is_some_and(|output| listens(&output, port))
            };
            known.iter().any(of)
        };
        let mut of_all = ways::check(&came, &asked, uses_udp);
        of_all.extend(mtu::check(&self.fleet, &sizes, &asked));
        for (machine, answers, _) in known.iter().filter(|(machine, ..)| machine.is(Duty::Deployment)) {
            if let Some(output) = said(answers, self.ask_routing().0).filter(|output| !output.is_empty()) {
                found.extend(routing::check(&machine.name, &self.fleet, &output));
            }
        }
        of_all.extend(mtu::reached_by_peers(&self.fleet, &self.peers));
        of_all.extend(ways::from_outside(&self.fleet));
        of_all
    }

    /// The same for the machines themselves.
    fn judge_hosts(
        &self,
        found: &mut Vec<Finding>,
        known: &[(&Machine, &Answers, Facts)],
        heard: &[(&Machine, Heard)],
    ) -> Vec<Finding> {
        let offset_of = |machine: &Machine| {
            let (_, heard) = heard.iter().find(|(one, _)| one.name == machine.name)?;
            heard.offset
        };
        let deployment = known.iter().find(|(machine, ..)| machine.is(Duty::Deployment));
        let reference = deployment.and_then(|(machine, ..)| offset_of(machine));
        let mut routes = Vec::new();
        for (machine, answers, facts) in known {
            let Some(measure) = self.measures.get(&machine.name) else {
                continue;
            };
            let command = |script: &str| answers.get(&AskCommand(script.into())).ok().filter(|a| a.status == 0);
            let disk = command(&Disk::ask().0).and_then(|answer| Disk::parse(&answer.output));
            if let Some(wanted) = &measure.size {
                found.extend(hosts::size(machine, facts, disk, wanted));
            }
            found.push(hosts::release(machine, facts));
            found.push(hosts::free_disk(machine, disk, measure.free_disk));
            let holder = command(&ask_lock_holder().0).map(|answer| answer.output);
            let hidden = command(&ask_hidden_lock_holder().0).map(|answer| answer.output);
            found.push(hosts::dpkg(
                machine,
                holder.as_deref(),
                hidden.as_deref().map(str::trim),
            ));
            if !machine.is(Duty::Deployment) {
                let offset = offset_of(machine);
                let seen = match (offset, reference) {
                    (Some(offset), Some(reference)) => Some(offset.relative_to(reference)),
                    (offset, _) => offset,
                };
                found.push(hosts::clock(machine, seen, measure.skew));
            }
            let wanted = ports::ports_for(&machine.duties);
            if !wanted.is_empty() {
                let is_cluster = CLUSTER_FOLDERS
                    .iter()
                    .any(|path| !matches!(answers.get(&FileAsk::new(*path)), Ok(FileState::Absent { .. })));
                let listeners = command(ports::LISTENERS).map(|answer| answer.output);
                let told = Told {
                    listeners: listeners.as_deref(),
                    as_root: command(USER).is_some_and(|answer| answer.output.trim() == "0"),
                };
                let own = facts.default_ipv4.as_ref().map(|ipv4| IpAddr::V4(ipv4.address));
                found.push(ports::check(&machine.name, &wanted, told, own, is_cluster));
            }
            if let Some(answer) = command(ROUTES) {
                let parsed = answer.output.lines().filter_map(Route::parse).collect();
                routes.push((machine.name.clone(), parsed));
            }
        }
        let identities: Vec<_> = known.iter().map(|(machine, _, facts)| (*machine, facts)).collect();
        let mut of_all = hosts::identities(&identities);
        of_all.extend(ranges::check(&self.fleet.ranges, &self.fleet.places(), &routes));
        of_all
    }
}

/// Whether `output` of `ss -Hlun` has `port`: `UNCONN 0 0 0.0.0.0:8472 0.0.0.0:*`.
fn listens(output: &str, port: u16) -> bool {
    let local = |line: &str| line.split_whitespace().nth(3)?.rsplit_once(':')?.1.parse::<u16>().ok();
    output.lines().any(|line| local(line) == Some(port))
}
