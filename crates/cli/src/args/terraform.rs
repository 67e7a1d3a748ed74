//! `terraform`: what it takes.

use super::{Format, InventoryOptions, help};
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

/// What `terraform` takes.
#[derive(Debug, Args)]
pub struct TerraformArgs {
    /// The root: `obs` (Rancher and what it needs), `mosip`, or the folder of any other.
    #[arg(value_name = "ROOT", value_hint = ValueHint::DirPath)]
    pub root: String,
    /// What to do with it.
    #[command(subcommand)]
    pub command: TerraformCommand,
}

/// What there is to do with a root.
#[derive(Debug, Subcommand)]
pub enum TerraformCommand {
    /// Bring providers and modules, and prepare the state's place.
    #[command(after_help = help::TERRAFORM)]
    Init(InitArgs),
    /// Show what would be changed, and keep that plan for `apply`; change nothing.
    #[command(after_help = help::TERRAFORM)]
    Plan(PlanArgs),
    /// Apply exactly the plan that is shown: the one that `plan` kept, else a new one.
    #[command(after_help = help::TERRAFORM)]
    Apply(ApplyArgs),
    /// Show the outputs; sensitive ones are masked.
    #[command(after_help = help::TERRAFORM)]
    Output(OutputArgs),
    /// Destroy everything that the root made.
    #[command(after_help = help::TERRAFORM)]
    Destroy(DestroyArgs),
}

/// Where the root is, and which program works on it.
#[derive(Debug, Clone, Args)]
pub struct RootOptions {
    #[command(flatten)]
    pub inventory: InventoryOptions,
    /// The program, in place of the variable terraform_binary; else terraform, else tofu, on the PATH.
    #[arg(long, value_name = "PROGRAM", value_hint = ValueHint::CommandName, help_heading = "Terraform")]
    pub terraform: Option<PathBuf>,
    /// Seconds to wait for a lock of the state that somebody else holds.
    #[arg(long, value_name = "SECONDS", default_value_t = 0, help_heading = "Terraform")]
    pub lock_timeout: u64,
}

/// What `terraform ROOT init` takes.
#[derive(Debug, Args)]
pub struct InitArgs {
    #[command(flatten)]
    pub root: RootOptions,
}

/// What `terraform ROOT plan` takes.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub root: RootOptions,
    /// Plan to destroy everything.
    #[arg(long)]
    pub destroy: bool,
    /// Show the attributes of new resources too, not only those that change.
    #[arg(short = 'D', long)]
    pub diff: bool,
    /// End with exit code 3 when anything would change.
    #[arg(long)]
    pub exit_code: bool,
    /// Lines to read, or JSON.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What `terraform ROOT apply` takes.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    pub root: RootOptions,
    #[command(flatten)]
    pub consent: Consent,
    /// Plan anew, though `plan` kept a plan.
    #[arg(long)]
    pub replan: bool,
    /// Show the attributes of new resources too, not only those that change.
    #[arg(short = 'D', long)]
    pub diff: bool,
    /// Lines to read, or JSON.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What may be done without asking.
#[derive(Debug, Clone, Copy, Args)]
pub struct Consent {
    /// Do not ask whether the plan is to be applied.
    #[arg(short, long)]
    pub yes: bool,
    /// Let the plan destroy and replace what is there.
    #[arg(long)]
    pub allow_destroy: bool,
}

/// What `terraform ROOT output` takes.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// Only this output.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Print the bare value of this one output, though it is sensitive.
    #[arg(long, requires = "name")]
    pub reveal: bool,
    #[command(flatten)]
    pub root: RootOptions,
    /// Lines to read, or JSON.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What `terraform ROOT destroy` takes.
#[derive(Debug, Args)]
pub struct DestroyArgs {
    #[command(flatten)]
    pub root: RootOptions,
    #[command(flatten)]
    pub consent: Consent,
    /// Lines to read, or JSON.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn read(args: &[&str]) -> Result<TerraformArgs, clap::Error> {
        let args = [&["mosip-prov", "terraform"], args].concat();
        Cli::try_parse_from(args).map(|cli| match cli.command {
            Command::Terraform(args) => *args,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_root_and_what_to_do_with_it() {
        let args = read(&["obs", "plan", "-i", "rancher.ini", "--exit-code", "-D"]).expect("taken");
        assert_eq!(args.root, "obs");
        let TerraformCommand::Plan(plan) = args.command else {
            panic!("{args:?}")
        };
        assert!(plan.exit_code && plan.diff && !plan.destroy);
        assert_eq!(plan.root.inventory.inventory, ["rancher.ini"]);
        let args = read(&["./plan", "apply", "-y", "--terraform", "tofu"]).expect("taken");
        let TerraformCommand::Apply(apply) = args.command else {
            panic!("{args:?}")
        };
        assert!(apply.consent.yes && !apply.consent.allow_destroy);
        assert_eq!(apply.root.terraform, Some("tofu".into()));
    }

    #[test]
    fn nothing_is_revealed_by_accident() {
        assert!(read(&["obs", "output", "--reveal"]).is_err(), "which?");
        let args = read(&["obs", "output", "rancher_bootstrap_password", "--reveal"]).expect("taken");
        assert!(matches!(
            args.command,
            TerraformCommand::Output(OutputArgs { reveal: true, .. })
        ));
        assert!(read(&["obs"]).is_err() && read(&["plan"]).is_err());
    }
}
