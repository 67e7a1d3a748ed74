//! One run per host at a time, across controllers.
//!
//! The lock names its owner and the target's uptime at the owner's last sign of life. A crash lets go of it: after
//! [`LEASE`] without a sign of life the next run takes it over; a run on the same controller sees at once that the
//! process is gone. Uptime does not jump when a clock is set.

use super::{BASE, BASE_IF_ANY};
use crate::shell::quote;
use crate::text::sanitize;
use std::time::Duration;

/// How long a lock holds without a sign of life.
pub(crate) const LEASE: Duration = Duration::from_secs(120);

/// How often a run gives one.
pub(crate) const RENEWAL: Duration = Duration::from_secs(30);

/// The status of a change that was not begun because the lock is not its run's any more.
pub(crate) const NOT_OURS: i32 = 96;

/// Who holds, or wants, a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The run's name.
    pub run: String,
    /// The user at the controller.
    pub user: String,
    /// The controller.
    pub controller: String,
    /// Its machine-id, which tells controllers of one name apart.
    pub machine: String,
    /// The process there.
    pub pid: u32,
    /// When the run began, for people.
    pub since: String,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!(
            "run {} of {} on {} (process {}), begun {}",
            self.run, self.user, self.controller, self.pid, self.since
        );
        f.write_str(&sanitize(&text))
    }
}

impl Owner {
    fn line(&self) -> String {
        let clean = |s: &str| s.replace(['\t', '\n'], " ");
        [
            clean(&self.run),
            clean(&self.user),
            clean(&self.controller),
            clean(&self.machine),
            self.pid.to_string(),
            clean(&self.since),
        ]
        .join("\t")
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split('\t').map(str::to_owned);
        Some(Self {
            run: fields.next()?,
            user: fields.next()?,
            controller: fields.next()?,
            machine: fields.next()?,
            pid: fields.next()?.parse().ok()?,
            since: fields.next()?,
        })
    }

    /// Whether its process is known to be gone: it ran on the machine of `other`, where there is no such process any
    /// more.
    pub fn is_gone(&self, other: &Self, exists: impl Fn(u32) -> bool) -> bool {
        !self.machine.is_empty() && self.machine == other.machine && self.pid != other.pid && !exists(self.pid)
    }
}

/// What a host said when it was entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entered {
    /// The lock is ours; or its holder, and the seconds since its last sign of life.
    pub lock: Result<(), (Option<Owner>, u64)>,
    /// The owner from whom the lock was taken over.
    pub taken_from: Option<Owner>,
    /// Long work that is there.
    pub units: Vec<FoundUnit>,
    /// Roles for which predecessors of files are kept, each as a [`super::component`].
    pub undo: Vec<String>,
}

/// Long work found on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundUnit {
    /// Its name.
    pub id: String,
    /// What it does.
    pub state: UnitState,
    /// The task it belongs to.
    pub task: String,
}

/// What long work does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnitState {
    /// It goes on.
    Running,
    /// It has ended with this status.
    Ended(i32),
    /// It was ended from outside, without a status.
    Vanished,
}

/// Takes the lock for `owner` if it is free, ours, or forsaken (`break_run` names a run whose process is known to be
/// gone), waits for changes that its last holder began, and lists the long work and the predecessors of files that are
/// there. Read by [`parse`].
pub(crate) fn enter(owner: &Owner, break_run: Option<&str>) -> String {
    format!(
        "n=0
while :; do
{BASE}\
(
{{ exec 9>\"$b/mutex\"; }} 2>/dev/null
if command -v flock >/dev/null; then flock 9; fi
# Whoever left in the meantime took mutex and folder away.
[ \"$b/mutex\" -ef /proc/self/fd/9 ] || exit 95
read -r up _ </proc/uptime; up=${{up%%.*}}
seen= who=
if [ -s \"$b/lock\" ]; then {{ read -r seen; read -r who; }} <\"$b/lock\"; fi
me={me}
run=${{who%%\t*}}
age=$((up - ${{seen:-up}}))
if [ -z \"$who\" ] || [ \"$run\" = {run} ]; then word=got
elif [ \"$run\" = {gone} ]; then word=took
elif [ $age -ge {lease} ] || [ $age -lt 0 ]; then
word=took
# A change that takes long keeps its run from giving signs of life, and is one itself.
for p in \"$b/applied/$run\".*/pid; do
if [ -f \"$p\" ] && ! [ -f \"${{p%pid}}status\" ] && read -r q <\"$p\" && kill -0 \"$q\" 2>/dev/null; then word=busy; fi
done
else word=busy; fi
if [ $word != busy ]; then
umask 077
printf '%s\\n%s\\n' \"$up\" \"$me\" | cat >\"$b/lock.new\" && mv -f \"$b/lock.new\" \"$b/lock\" || exit
fi
printf 'lock %s %s %s\\n' \"$word\" \"$age\" \"$who\"
[ $word != busy ] || exit 94
)
s=$?
n=$((n + 1))
case $s in 0|94) break ;; esac
if [ $n -ge 20 ]; then echo \"cannot write to $b\"; exit $s; fi
sleep 0.1
done
if [ $s = 0 ]; then
for r in \"$b\"/applied/*/; do
[ -d \"$r\" ] || continue
case $r in */{run}.*) continue ;; esac
i=0
while [ $i -lt 1000 ] && ! [ -f \"$r/status\" ] && [ -f \"$r/pid\" ] && read -r p <\"$r/pid\" && kill -0 \"$p\" 2>/dev/null; do
sleep 0.2
i=$((i + 1))
done
rm -rf -- \"$r\"
done
fi
for d in \"$b\"/units/*/; do
[ -f \"$d/task\" ] || continue
id=${{d%/}}; id=${{id##*/}}
if [ -f \"$d/status\" ]; then read -r s <\"$d/status\"
elif [ -f \"$d/pid\" ] && read -r p <\"$d/pid\" && kill -0 \"$p\" 2>/dev/null; then s=running
else s=vanished; fi
read -r t <\"$d/task\"
printf 'unit %s %s %s\\n' \"$id\" \"$s\" \"$t\"
done
for d in {undo}/*/; do
d=${{d%/}}
if [ -d \"$d\" ]; then printf 'undo %s\\n' \"${{d##*/}}\"; fi
done
:
",
        me = quote(&owner.line()),
        run = quote(&owner.run),
        gone = quote(break_run.unwrap_or("-")),
        lease = LEASE.as_secs(),
        undo = super::undo::FOLDER,
    )
}

/// Ends with [`NOT_OURS`], naming the holder, unless the lock is `run`'s: a reboot takes it away, and so does a run that
/// takes the host over while the connection is gone.
pub(crate) fn guard(run: &str) -> String {
    format!(
        "w=
if [ -s \"$b/lock\" ]; then {{ read -r w; read -r w; }} <\"$b/lock\"; fi
if [ \"${{w%%\t*}}\" != {run} ]; then printf 'holder %s\\n' \"$w\" >&2; exit {NOT_OURS}; fi
",
        run = quote(run)
    )
}

/// The holder that [`guard`] named; `None` when nobody holds the lock, as after a reboot.
pub(crate) fn holder(stderr: &str) -> Option<Owner> {
    let line = stderr.lines().rev().find_map(|line| line.strip_prefix("holder "))?;
    Owner::parse(line)
}

/// Reads what [`enter`] printed.
pub(crate) fn parse(output: &str) -> Result<Entered, String> {
    let mut lock = None;
    let mut taken_from = None;
    let mut units = Vec::new();
    let mut undo = Vec::new();
    for line in output.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("lock"), Some(word), Some(age), owner) => {
                let owner = owner.and_then(Owner::parse);
                lock = Some(match word {
                    "busy" => Err((owner, age.parse().unwrap_or(0))),
                    "took" => {
                        taken_from = owner;
                        Ok(())
                    }
                    _ => Ok(()),
                });
            }
            (Some("unit"), Some(id), Some(state), task) => units.push(FoundUnit {
                id: id.to_owned(),
                state: match state {
                    "running" => UnitState::Running,
                    "vanished" => UnitState::Vanished,
                    status => UnitState::Ended(status.parse().map_err(|_| format!("unit state {status:?}"))?),
                },
                task: task.unwrap_or_default().to_owned(),
            }),
            (Some("undo"), Some(role), None, None) => undo.push(role.to_owned()),
            _ => return Err(format!("unexpected line {line:?}")),
        }
    }
    Ok(Entered {
        lock: lock.ok_or("no word about the lock")?,
        taken_from,
        units,
        undo,
    })
}

/// Gives a sign of life.
pub(crate) fn renew(owner: &Owner) -> String {
    format!("{BASE_IF_ANY}{}", sign_of_life(&owner.run))
}

/// Gives a sign of life of `run`, if the lock is its own; `$b` is set.
pub(crate) fn sign_of_life(run: &str) -> String {
    format!(
        "(
[ -s \"$b/lock\" ] || exit 0
{{ exec 9>\"$b/mutex\"; }} 2>/dev/null
if command -v flock >/dev/null; then flock 9; fi
# Whoever left in the meantime took mutex and folder away.
[ \"$b/mutex\" -ef /proc/self/fd/9 ] || exit 0
seen= who=
if [ -s \"$b/lock\" ]; then {{ read -r seen; read -r who; }} <\"$b/lock\"; fi
[ \"${{who%%\t*}}\" = {run} ] || exit 0
read -r up _ </proc/uptime
umask 077
printf '%s\\n%s\\n' \"${{up%%.*}}\" \"$who\" >\"$b/lock.new\" && mv -f \"$b/lock.new\" \"$b/lock\"
)
",
        run = quote(run)
    )
}

/// Lets go of the lock and removes what this run left under `name`, `units` included; a lock that someone else took over stays,
/// and so does this run's own while changes that it made under another name of the same machine are there. `undo` names roles
/// whose predecessors are no longer needed.
pub(crate) fn leave(owner: &Owner, name: &str, units: &[String], undo: &[String]) -> String {
    let mut drop: String = units
        .iter()
        .map(|id| {
            let id = quote(id);
            // Never that of work that goes on.
            format!("if [ -f \"$b\"/units/{id}/status ] || ! kill -0 \"$(cat \"$b\"/units/{id}/pid 2>/dev/null)\" 2>/dev/null; then rm -rf -- \"$b\"/units/{id}; fi\n")
        })
        .collect();
    for role in undo {
        drop.push_str(&super::undo::forget(role));
    }
    format!(
        "{BASE_IF_ANY}\
{drop}\
rm -rf -- \"$b\"/applied/{run}.*@{name}
others=
for r in \"$b\"/applied/{run}.*; do if [ -d \"$r\" ]; then others=1; fi; done
# Contents that were sent and never put into place.
rm -rf -- /var/tmp/.mosip-prov.*.up.?????? /tmp/.mosip-prov.*.up.?????? 2>/dev/null
rmdir \"$b/units\" \"$b/applied\" 2>/dev/null
n=0
while [ -d \"$b\" ] && [ $n -lt 20 ]; do
n=$((n + 1))
(
{{ exec 9>\"$b/mutex\"; }} 2>/dev/null
if command -v flock >/dev/null; then flock 9; fi
[ \"$b/mutex\" -ef /proc/self/fd/9 ] || exit 95
seen= who=
if [ -s \"$b/lock\" ]; then {{ read -r seen; read -r who; }} <\"$b/lock\"; fi
if [ \"${{who%%\t*}}\" = {run} ] && [ -z \"$others\" ]; then rm -f \"$b/lock\"; fi
if ! [ -e \"$b/lock\" ]; then rm -f \"$b/mutex\"; rmdir \"$b\" 2>/dev/null; fi
:
) && break
sleep 0.1
done
:
",
        run = quote(&owner.run),
        name = quote(&super::component(name)),
    )
}

#[cfg(test)]
mod tests;
