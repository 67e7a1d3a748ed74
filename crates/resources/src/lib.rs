//! Resources: states of a host, one file each, always in the same order: the operator's view, settings with their
//! documented defaults, questions, decision, tests on data. `docs/writing-a-resource.md` walks through one.
//!
//! Roles depend on this crate alone: the engine's types they need are re-exported here.

pub mod apt;
pub mod apt_cache;
pub mod apt_repository;
pub mod apt_upgrade;
pub mod archive;
pub mod block;
pub mod command;
pub mod container;
pub mod copy_first;
pub mod download;
pub mod file;
pub mod file_set;
pub mod firewall;
pub mod group;
pub mod health;
pub mod image;
pub mod kernel_module;
pub mod line;
pub mod probe;
pub mod reboot;
pub mod source;
pub mod swap;
pub mod sysctl;
pub mod template;
pub mod testing;
pub mod unit;
pub mod user;
pub mod versions;
pub mod wait_for;

mod apt_script;
mod settle;

pub use apt::{Apt, AptPackages};
pub use apt_cache::AptUpdate;
pub use apt_repository::AptRepository;
pub use apt_script::{ask_hidden_lock_holder, ask_lock_holder};
pub use apt_upgrade::{AptClean, AptUpgrade, UpgradeKind};
pub use archive::Archive;
pub use block::Block;
pub use command::Command;
pub use container::Container;
pub use copy_first::CopyFirst;
pub use download::Download;
pub use file::File;
pub use file_set::FileSet;
pub use firewall::Chains;
pub use group::Group;
pub use health::Health;
pub use image::Image;
pub use kernel_module::KernelModules;
pub use line::Line;
pub use probe::facts::{AskFacts, Facts};
pub use reboot::Reboot;
pub use source::Source;
pub use swap::Swap;
pub use sysctl::Sysctl;
pub use template::Template;
pub use unit::Unit;
pub use user::User;
pub use wait_for::WaitFor;

pub use mosip_prov_engine::answers::Outcome;
pub use mosip_prov_engine::inventory::{Network, diagnostic, value, vars};
pub use mosip_prov_engine::{
    Answers, Ask, AskError, Change, Condition, Content, DecideError, Decision, Difference, FileToWrite, Patience,
    Probe, Question, RawAnswer, Resource, Role, RoleContext, RoleTasks, RunAs, Shell, Shown, Step, Task, Touch,
    Verdict, WriteFiles, shell,
};
