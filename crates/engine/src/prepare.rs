//! Playbooks, inventory and options made into task lists, with everything that is wrong found on the way.

use crate::options::RunOptions;
use crate::play::{CheckContext, LOCAL, Play, Playbook, RoleEntry, Serial};
use crate::prepared::{Prepared, PreparedHost, PreparedPlay, PreparedRole};
use crate::role::{Defaults, RoleContext};
use crate::task::Task;
use indexmap::{IndexMap, IndexSet};
use mosip_prov_inventory::Inventory;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics, Severity};
use mosip_prov_inventory::vars::HostVars;
use mosip_prov_transport::{Identity, Target};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

/// Turns a host's variables into what is needed to reach it.
pub type TargetOf<'a> = dyn Fn(&HostVars, &mut Diagnostics) -> Option<Target> + 'a;

/// Makes `playbooks` ready to run. Nothing is connected to.
///
/// # Errors
/// Everything that is wrong with selection, settings and files, in one list; warnings are in it too.
pub fn prepare(
    playbooks: &[Playbook],
    inventory: &Arc<Inventory>,
    vars: &IndexMap<Arc<str>, HostVars>,
    options: &RunOptions,
    target_of: &TargetOf<'_>,
) -> Result<Prepared, Diagnostics> {
    let mut job = Job {
        inventory,
        vars,
        options,
        problems: Diagnostics::new(),
        limit: None,
        checked: BTreeSet::new(),
        defaults: Defaults::default(),
        complained: BTreeSet::new(),
    };
    job.read_limit();
    let mut plays = Vec::new();
    for playbook in playbooks {
        let mut hosts: IndexSet<Arc<str>> = IndexSet::new();
        for play in &playbook.plays {
            let ready = job.play(playbook, play);
            hosts.extend(ready.hosts.keys().cloned());
            plays.push(ready);
        }
        let hosts: Vec<Arc<str>> = hosts.into_iter().collect();
        let cx = CheckContext {
            inventory,
            hosts: &hosts,
            vars,
        };
        if !options.listing {
            for check in &playbook.checks {
                check.check(&cx, &mut job.problems);
            }
        }
    }
    if !job.problems.has_errors() && plays.iter().all(|p| p.hosts.is_empty()) {
        job.nobody(playbooks);
    }
    let targets = if options.listing {
        HashMap::new()
    } else {
        job.targets(&plays, target_of)
    };
    if options.listing || !job.problems.has_errors() {
        start_at(&mut plays, options, &mut job.problems);
        choose_by_tags(&mut plays, options, &mut job.problems);
    }
    if options.listing && plays.iter().any(|p| p.hosts.values().any(has_tasks)) {
        // Nothing will be connected to, so what is wrong stops nobody from seeing the list.
        job.problems = soften(job.problems);
    }
    if job.problems.has_errors() {
        return Err(job.problems);
    }
    Ok(Prepared {
        playbooks: playbooks.iter().map(|p| p.name.clone()).collect(),
        plays,
        targets,
        warnings: job
            .problems
            .into_iter()
            .filter(|d| d.severity == Severity::Warning)
            .collect(),
    })
}

fn has_tasks(part: &PreparedHost) -> bool {
    part.roles.iter().any(|r| !r.tasks.is_empty())
}

fn soften(problems: Diagnostics) -> Diagnostics {
    let mut soft = Diagnostics::new();
    soft.extend(problems.into_iter().map(|d| Diagnostic {
        severity: Severity::Warning,
        ..d
    }));
    soft
}

struct Job<'a> {
    inventory: &'a Arc<Inventory>,
    vars: &'a IndexMap<Arc<str>, HostVars>,
    options: &'a RunOptions,
    problems: Diagnostics,
    limit: Option<BTreeSet<Arc<str>>>,
    /// Placeholders and the like are reported once for each role and host.
    checked: BTreeSet<(String, Arc<str>)>,
    defaults: Defaults,
    /// Patterns that lead nowhere are reported once.
    complained: BTreeSet<String>,
}

impl Job<'_> {
    fn read_limit(&mut self) {
        let Some(limit) = &self.options.limit else {
            return;
        };
        match self.inventory.select(limit) {
            Ok(hosts) if hosts.is_empty() => self.problems.push(
                Diagnostic::error(format!("--limit {limit} matches no host"))
                    .help("`mosip-prov inventory list` shows the hosts and groups there are"),
            ),
            Ok(hosts) => self.limit = Some(hosts.into_iter().collect()),
            Err(error) => {
                self.problems.push(
                    Diagnostic::error(format!("--limit: {error}"))
                        .help("`mosip-prov inventory graph` shows the groups and hosts there are"),
                );
            }
        }
    }

    fn play(&mut self, playbook: &Playbook, play: &Play) -> PreparedPlay {
        let (selected, serves) = self.select(play);
        let mut hosts = IndexMap::new();
        for name in &selected {
            if let Some(part) = self.host(play, name) {
                hosts.insert(name.clone(), part);
            }
        }
        PreparedPlay {
            playbook: playbook.name.clone(),
            name: play.name.clone(),
            batches: self.batches(play, &selected),
            hosts,
            max_fail_percentage: play.max_fail_percentage,
            wait_for_hosts: play.wait_for_hosts,
            serves,
            helpers: OnceLock::new(),
            consulted: OnceLock::new(),
        }
    }

    /// The play's hosts inside the limit, and the hosts it serves.
    fn select(&mut self, play: &Play) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let mut hosts = if play.local_by_default && self.inventory.hosts_of(&play.hosts).is_empty() {
            self.select_pattern(play, LOCAL)
        } else {
            self.select_pattern(play, &play.hosts)
        };
        if play.local_by_default && hosts.len() > 1 {
            self.problems.push(
                Diagnostic::error(format!(
                    "group {} has {} hosts, and there is one deployment node",
                    play.hosts,
                    hosts.len()
                ))
                .help("leave one: the machine that has the tools and the kubeconfigs"),
            );
        }
        let limit = self.limit.clone();
        let within = |host: &Arc<str>| limit.as_ref().is_none_or(|l| l.contains(host));
        let Some(pattern) = &play.serves else {
            hosts.retain(within);
            return (hosts, Vec::new());
        };
        let served = self.select_pattern(play, pattern);
        if served.is_empty() || !served.iter().chain(&hosts).any(within) {
            hosts.clear();
        }
        (hosts, served)
    }

    fn select_pattern(&mut self, play: &Play, pattern: &str) -> Vec<Arc<str>> {
        let known: Vec<&str> = pattern
            .split([':', ','])
            .filter(|part| {
                let group = part.trim_start_matches(['!', '&']);
                !play.optional_groups.iter().any(|g| g == group)
                    || self.inventory.group(group).is_some()
                    || self.inventory.host(group).is_some()
            })
            .collect();
        if known.iter().all(|part| part.starts_with(['!', '&'])) {
            return Vec::new();
        }
        match self.inventory.select(&known.join(":")) {
            Ok(hosts) => hosts,
            Err(error) => {
                let problem = Diagnostic::error(format!("play \"{}\": {error}", play.name))
                    .help("add the group and its hosts to the inventory, or name another inventory with -i");
                // Several plays of one run may be for the same group.
                if self.complained.insert(error.to_string()) {
                    self.problems.push(problem);
                }
                Vec::new()
            }
        }
    }

    fn nobody(&mut self, playbooks: &[Playbook]) {
        let patterns: BTreeSet<&str> = playbooks
            .iter()
            .flat_map(|p| p.plays.iter().map(|play| play.hosts.as_str()))
            .collect();
        let patterns = patterns.into_iter().collect::<Vec<_>>().join(", ");
        let problem = match &self.options.limit {
            Some(limit) => Diagnostic::error(format!(
                "--limit {limit} leaves no host of {patterns}, so there is nothing to do"
            ))
            .help("the limit names hosts that no play of these playbooks is for; `--list-hosts` without it shows which are"),
            None => Diagnostic::error(format!("the inventory has no host in {patterns}"))
                .help("add the group and its hosts to the inventory, or name another inventory with -i"),
        };
        self.problems.push(problem);
    }

    fn host(&mut self, play: &Play, name: &Arc<str>) -> Option<PreparedHost> {
        let vars = self.vars.get(name)?;
        let identity = self.identity(play, vars);
        let roles = play
            .roles
            .iter()
            .filter_map(|entry| self.role(entry, name, vars))
            .collect();
        Some(PreparedHost { identity, roles })
    }

    fn identity(&mut self, play: &Play, vars: &HostVars) -> Identity {
        if let Some(user) = &self.options.become_user {
            return Identity::user(user);
        }
        let wanted = self
            .problems
            .take(vars.bool("ansible_become").map_err(Into::into))
            .flatten();
        let user = self
            .problems
            .take(vars.string("ansible_become_user").map_err(Into::into))
            .flatten();
        match (wanted, user, &play.become_user) {
            (Some(false), ..) | (None, None, None) => Identity::Login,
            (_, Some(user), Some(_)) | (Some(true), Some(user), None) => Identity::user(user),
            (_, None, Some(user)) => Identity::user(user),
            (Some(true), None, None) => Identity::root(),
            (None, Some(_), None) => Identity::Login,
        }
    }

    fn role(&mut self, entry: &RoleEntry, name: &Arc<str>, vars: &HostVars) -> Option<PreparedRole> {
        let role = entry.role.as_ref();
        let vars = vars.clone().with_defaults(self.defaults.of(role, &mut self.problems)?);
        let cx = RoleContext {
            host: name,
            vars: &vars,
            inventory: self.inventory,
            vars_of_all: self.vars,
        };
        let first_time = self.checked.insert((role.name().to_owned(), name.clone()));
        let mut problems = Diagnostics::new();
        let mut made = role.tasks(&cx, &mut problems);
        if first_time {
            self.problems.extend(problems);
        }
        let handlers: Vec<Arc<str>> = made.handlers.iter().map(|h| h.name.clone()).collect();
        for task in made.tasks.iter_mut().chain(&mut made.handlers) {
            task.tags.extend(entry.tags.iter().cloned());
            self.sound(role.name(), task, &handlers);
        }
        Some(PreparedRole {
            name: role.name().to_owned(),
            tasks: made.tasks,
            handlers: made.handlers,
            resumed: false,
        })
    }

    /// Mistakes of a role's author.
    fn sound(&mut self, role: &str, task: &Task, handlers: &[Arc<str>]) {
        for wanted in &task.notify {
            if !handlers.contains(wanted) {
                self.problems.push(Diagnostic::error(format!(
                    "role {role}: task \"{}\" notifies \"{wanted}\", which is no handler of that role",
                    task.name
                )));
            }
        }
        for other in task.others().filter(|name| self.inventory.host(name).is_none()) {
            self.problems.push(Diagnostic::error(format!(
                "role {role}: task \"{}\" needs {other}, which the inventory does not have",
                task.name
            )));
        }
    }

    fn batches(&mut self, play: &Play, hosts: &[Arc<str>]) -> Vec<Vec<Arc<str>>> {
        let size = match &play.serial {
            None => hosts.len(),
            Some(Serial::Hosts(size)) => *size,
            Some(Serial::Percent(percent)) => share(hosts.len(), *percent),
            Some(Serial::Variable(name)) => self.serial_of(name, hosts),
        };
        hosts.chunks(size.max(1)).map(<[_]>::to_vec).collect()
    }

    fn serial_of(&mut self, name: &str, hosts: &[Arc<str>]) -> usize {
        let Some(vars) = hosts.first().and_then(|h| self.vars.get(h)) else {
            return hosts.len();
        };
        let Some(text) = self.problems.take(vars.string(name).map_err(Into::into)).flatten() else {
            return hosts.len();
        };
        let size = match text.trim().strip_suffix('%') {
            Some(percent) => percent
                .trim()
                .parse()
                .ok()
                .filter(|p| (1..=100).contains(p))
                .map(|p| share(hosts.len(), p)),
            None => text.trim().parse().ok().filter(|n| *n > 0),
        };
        size.unwrap_or_else(|| {
            self.problems.push(
                Diagnostic::error(format!("{name} is {text:?}, which is no number of hosts"))
                    .at(vars.location(name))
                    .help("give a number such as 2, or a share such as 30%"),
            );
            hosts.len()
        })
    }

    /// What is needed to reach every host that tasks run on.
    fn targets(&mut self, plays: &[PreparedPlay], target_of: &TargetOf<'_>) -> HashMap<Arc<str>, Target> {
        let mut names: Vec<Arc<str>> = Vec::new();
        for part in plays.iter().flat_map(|p| &p.hosts) {
            names.push(part.0.clone());
            for task in part.1.roles.iter().flat_map(|r| r.tasks.iter().chain(&r.handlers)) {
                names.extend(task.others().map(Arc::from));
            }
        }
        let mut targets = HashMap::new();
        for name in names {
            if targets.contains_key(&name) {
                continue;
            }
            if let Some(vars) = self.vars.get(&name)
                && let Some(target) = target_of(vars, &mut self.problems)
            {
                targets.insert(name, target);
            }
        }
        targets
    }
}

fn share(hosts: usize, percent: u8) -> usize {
    (hosts * usize::from(percent) / 100).max(1)
}

/// Leaves out what comes before the first task whose name matches `--start-at-task`.
fn start_at(plays: &mut [PreparedPlay], options: &RunOptions, problems: &mut Diagnostics) {
    let Some(wanted) = &options.start_at_task else {
        return;
    };
    let pattern = glob(wanted);
    let mut names: BTreeSet<String> = BTreeSet::new();
    let mut found = false;
    for play in plays.iter_mut() {
        // All hosts of a play have the same roles, so the place is looked for by role and name.
        let place = play.hosts.values().find_map(|part| {
            part.roles.iter().enumerate().find_map(|(role, r)| {
                let at = r.tasks.iter().position(|t| pattern.is_match(&t.name))?;
                let from: Vec<Arc<str>> = r.tasks[at..].iter().map(|t| t.name.clone()).collect();
                Some((role, from))
            })
        });
        if found {
            break;
        }
        for part in play.hosts.values_mut() {
            for (number, role) in part.roles.iter_mut().enumerate() {
                names.extend(role.tasks.iter().map(|t| t.name.to_string()));
                match &place {
                    Some((at, from)) if number == *at => {
                        // A host without that task starts at the next one that it has.
                        let skip = role
                            .tasks
                            .iter()
                            .position(|t| from.contains(&t.name))
                            .unwrap_or(role.tasks.len());
                        role.tasks.drain(..skip);
                    }
                    Some((at, _)) if number > *at => {}
                    _ => role.tasks.clear(),
                }
            }
        }
        found = place.is_some();
    }
    if !found {
        let nearest = names
            .iter()
            .max_by(|a, b| similarity(a, wanted).total_cmp(&similarity(b, wanted)))
            .map(|n| format!("did you mean \"{n}\"? "))
            .unwrap_or_default();
        problems.push(
            Diagnostic::error(format!("--start-at-task {wanted:?} matches no task"))
                .help(format!("{nearest}`mosip-prov tasks PLAYBOOK` lists them")),
        );
    }
}

/// Shared trigrams, as a share: enough to find the task that was meant.
fn similarity(a: &str, b: &str) -> f64 {
    let grams = |s: &str| -> BTreeSet<Vec<char>> {
        let chars: Vec<char> = s.to_lowercase().chars().collect();
        chars.windows(3).map(<[_]>::to_vec).collect()
    };
    let (a, b) = (grams(a), grams(b));
    let shared = a.intersection(&b).count() as f64;
    shared / (a.len().max(b.len()).max(1)) as f64
}

fn glob(pattern: &str) -> regex::Regex {
    let mut text = String::from("(?s)^");
    for c in pattern.chars() {
        match c {
            '*' => text.push_str(".*"),
            '?' => text.push('.'),
            c => text.push_str(&regex::escape(&c.to_string())),
        }
    }
    text.push('$');
    // Every character is escaped or translated, so the pattern is always valid; what is not matches nothing.
    regex::Regex::new(&text).unwrap_or_else(|_| never())
}

#[allow(clippy::expect_used)]
fn never() -> regex::Regex {
    regex::Regex::new("[^\\s\\S]").expect("a constant pattern")
}

fn choose_by_tags(plays: &mut [PreparedPlay], options: &RunOptions, problems: &mut Diagnostics) {
    let mut any = false;
    let mut known: BTreeSet<String> = BTreeSet::new();
    for part in plays.iter_mut().flat_map(|p| p.hosts.values_mut()) {
        for role in &mut part.roles {
            for task in &role.tasks {
                known.extend(task.tags.iter().cloned());
            }
            role.tasks
                .retain(|t| options.chooses(t.tags.iter().map(String::as_str)));
            any |= !role.tasks.is_empty();
        }
    }
    let by_tags = !options.tags.is_empty() || !options.skip_tags.is_empty();
    if by_tags && !any {
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        problems.push(
            Diagnostic::error(format!(
                "no task is left by --tags {} --skip-tags {}",
                options.tags.join(","),
                options.skip_tags.join(",")
            ))
            .help(if known.is_empty() {
                "these playbooks have no tags".to_owned()
            } else {
                format!("the tags there are: {known}")
            }),
        );
    }
}
