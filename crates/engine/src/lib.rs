//! What a task is, and how plays are run: questions asked together, pure decisions, steps behind one gate.

pub mod answers;
pub mod decision;
pub mod question;
pub mod shell;
pub mod step;
pub mod task;

pub use answers::{Answers, Ask, AskError, Outcome};
pub use decision::{Change, Decision, Difference, Shown};
pub use question::{Probe, Question, RawAnswer, Touch};
pub use step::{Content, FileToWrite, Shell, Step, WriteFiles};
pub use task::{Condition, DecideError, Patience, Resource, RunAs, Task, Verdict};
