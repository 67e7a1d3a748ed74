//! How is planned, and what an apply comes to.

use crate::diagnostic::TerraformDiagnostic;
use crate::event::Summary;
use serde::Serialize;

/// Which attributes of a plan's resources are read. That costs one more run of terraform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Details {
    /// None: addresses and actions alone.
    None,
    /// Those of all resources, where at least one is changed in place or replaced.
    #[default]
    OfChanges,
    /// Those of all resources, new ones too.
    All,
}

/// How is planned.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlanOptions {
    /// Everything is to be destroyed.
    pub destroy: bool,
    /// Which attributes are read.
    pub details: Details,
}

/// What an apply came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Applied {
    /// Terraform's counts.
    pub summary: Summary,
    /// Warnings.
    pub warnings: Vec<TerraformDiagnostic>,
}
