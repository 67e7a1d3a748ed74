//! What a task is, and how plays are run: questions asked together, pure decisions, steps behind one gate.
//!
//! The engine knows no resource, no role and no renderer. It takes [`Playbook`]s made of [`Role`]s, whose [`Task`]s
//! hold [`Resource`]s: [`prepare`] makes them into a [`Prepared`] run and reports all that is wrong with the inputs;
//! [`Engine::run`] carries it out through a transport and tells what happens as events.

pub mod answers;
mod apply;
pub mod binding;
mod bound;
mod clock;
mod compose;
pub mod decision;
mod emit;
mod fleet;
#[doc(hidden)]
pub mod fuzzing;
mod host_run;
pub mod inquiry;
pub mod journal;
mod link;
mod memory;
pub mod options;
pub mod play;
mod prepare;
pub mod prepared;
pub mod question;
mod render_files;
mod render_step;
pub mod report;
pub mod role;
mod run;
pub mod shell;
mod site;
mod sites;
pub mod step;
pub mod task;
pub mod testing;
mod text;
mod together;
mod world;

pub use answers::{Answers, Ask, AskError, Outcome};
pub use decision::{Change, Decision, Difference, Shown};
pub use inquiry::Inquiry;
pub use mosip_prov_events as events;
pub use mosip_prov_inventory as inventory;
pub use options::{CancelHandle, RunOptions};
pub use play::{CheckContext, InputCheck, Play, Playbook, RoleEntry, Serial};
pub use prepare::{TargetOf, prepare};
pub use prepared::Prepared;
pub use question::{Probe, Question, RawAnswer, Touch};
pub use report::{HostReport, RunOutcome, RunReport, TaskResult};
pub use role::{Role, RoleContext, RoleTasks};
pub use run::Engine;
pub use step::{Content, FileToWrite, Shell, Step, WriteFiles};
pub use task::{Condition, DecideError, Patience, Resource, RunAs, Task, Verdict};
pub use text::sanitize;
pub use world::host_vars;
