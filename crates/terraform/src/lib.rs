//! The real `terraform` (or `tofu`), driven through its machine-readable output: `init`, `plan`, `apply` of exactly that
//! plan, outputs. It must be on the machine that runs this.
//!
//! ```no_run
//! use mosip_prov_terraform::{Interrupt, PlanOptions, Root};
//!
//! # async fn example() -> Result<(), mosip_prov_terraform::TerraformError> {
//! let root = Root::new("/home/ubuntu/mosip/devops/terraform/obs_deployment");
//! let interrupt = Interrupt::new();
//! let mut show = |event| eprintln!("{event:?}");
//! root.init(&mut show, &interrupt).await?;
//! let plan = root.plan(&PlanOptions::default(), &mut show, &interrupt).await?;
//! if !plan.is_empty() {
//!     // Destroys and replaces are refused: `false`.
//!     root.apply(plan, false, &mut show, &interrupt).await?;
//! }
//! # Ok(()) }
//! ```
//!
//! Terraform writes to files that are its user's alone, and they are read as they grow: when this process dies, terraform
//! brings what it does to an end and leaves a whole state.

mod binary;
mod diagnostic;
mod error;
mod event;
#[doc(hidden)]
pub mod fuzzing;
mod interrupt;
mod options;
mod outputs;
mod plan;
mod process;
#[cfg(test)]
mod recorded;
mod root;
mod show;
mod store;
pub mod text;
pub mod tfvars;

pub use diagnostic::{Place, Snippet, TerraformDiagnostic, Value as SnippetValue};
pub use error::{LockInfo, TerraformError};
pub use event::{Action, BrokenLine, MessageLevel, Phase, Progress, Resource, Summary, TerraformEvent, parse_line};
pub use interrupt::Interrupt;
pub use options::{Applied, Details, PlanOptions};
pub use outputs::{Output, Outputs};
pub use plan::{OutputChange, Plan, PlannedChange};
pub use root::{OnEvent, Root};
pub use show::{AttributeChange, Shown};
