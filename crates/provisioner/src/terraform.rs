//! Terraform's two roots, found from the inventory, and their values, checked against it.
//!
//! ```no_run
//! use mosip_prov::terraform::{self, Interrupt, PlanOptions, Which};
//!
//! # async fn example(provisioner: &mosip_prov::Provisioner) -> Result<(), Box<dyn std::error::Error>> {
//! let found = terraform::find(provisioner, &Which::Obs)?;
//! for (name, value) in found.check()?.added {
//!     eprintln!("wrote {name} = {value}");
//! }
//! let root = found.root();
//! let (mut show, interrupt) = (|event| eprintln!("{event:?}"), Interrupt::new());
//! root.init(&mut show, &interrupt).await?;
//! let plan = root.plan(&PlanOptions::default(), &mut show, &interrupt).await?;
//! root.apply(plan, false, &mut show, &interrupt).await?;
//! println!("{:?}", root.outputs(&interrupt).await?);
//! # Ok(()) }
//! ```

mod derived;
mod values;

pub use derived::{Derived, KubeconfigOf};
pub use mosip_prov_terraform::*;
pub use values::Checked;

use crate::{InputErrors, Provisioner};
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics, Location};
use mosip_prov_inventory::vars::HostVars;
use mosip_prov_rke2::Flavor;
use std::path::{Path, PathBuf};

/// The variable that names the folder of both roots.
pub const ROOT_VARIABLE: &str = "terraform_root";
/// The variable that names the program.
pub const BINARY_VARIABLE: &str = "terraform_binary";

/// Which root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// `terraform/obs_deployment`: ingress, Longhorn and Rancher in the observation cluster.
    Obs,
    /// `terraform/mosip_deployment`: MOSIP in the main cluster.
    Mosip,
    /// Any other folder with a configuration.
    Folder(PathBuf),
}

impl Which {
    /// What a word says: `obs`, `mosip`, or a folder (there is a `/` in it, or there is such a folder).
    ///
    /// # Errors
    /// It is none of that.
    pub fn of(word: &str) -> Result<Self, InputErrors> {
        match word {
            "obs" => Ok(Self::Obs),
            "mosip" => Ok(Self::Mosip),
            word if Path::new(word).is_dir() => Ok(Self::Folder(word.into())),
            word if word.contains('/') => Err(InputErrors::of(
                Diagnostic::error(format!("there is no folder {word}")).help("name the folder of a root of terraform"),
            )),
            word => Err(InputErrors::of(
                Diagnostic::error(format!("there is no root {word}"))
                    .help("say obs, mosip, or the folder of any other root"),
            )),
        }
    }

    /// In a word.
    pub fn name(&self) -> &str {
        match self {
            Self::Obs => "obs",
            Self::Mosip => "mosip",
            Self::Folder(folder) => folder.to_str().unwrap_or("folder"),
        }
    }

    fn folder_name(&self) -> &'static str {
        match self {
            Self::Obs => "obs_deployment",
            _ => "mosip_deployment",
        }
    }

    fn flavor(&self) -> Option<Flavor> {
        match self {
            Self::Obs => Some(Flavor::Observation),
            Self::Mosip => Some(Flavor::Main),
            Self::Folder(_) => None,
        }
    }
}

/// A root that was found, with what its values must be.
#[derive(Debug, Clone)]
pub struct Located {
    root: Root,
    derived: Vec<Derived>,
}

impl Located {
    /// The root, to be run.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The same, with the root changed in how it is run.
    #[must_use]
    pub fn map(mut self, change: impl FnOnce(Root) -> Root) -> Self {
        self.root = change(self.root);
        self
    }

    /// The values that follow from the inventory; none for a folder that is neither of the two roots.
    pub fn derived(&self) -> &[Derived] {
        &self.derived
    }

    /// Checks the root's values against the inventory, and changes nothing: what [`Located::check`] would write is in the
    /// result.
    ///
    /// # Errors
    /// All that is wrong with them, with file, line and column.
    pub fn look(&self) -> Result<Checked, InputErrors> {
        values::look(self.root.folder(), &self.derived)
    }

    /// As [`Located::look`], before the cluster is there: of the kubeconfig only the path is looked at.
    ///
    /// # Errors
    /// All that is wrong with the values, with file, line and column.
    pub fn look_before_the_cluster(&self) -> Result<Checked, InputErrors> {
        let mut derived = self.derived.clone();
        for one in &mut derived {
            if let Some(kubeconfig) = &mut one.kubeconfig {
                kubeconfig.may_be_absent = true;
            }
        }
        values::look(self.root.folder(), &derived)
    }

    /// Checks the root's values against the inventory, and writes those that are missing into `terraform.tfvars`, which is
    /// begun with what `terraform.tfvars.tmp` holds. Nothing is written when anything is wrong.
    ///
    /// # Errors
    /// All that is wrong with them, with file, line and column; the file cannot be written.
    pub fn check(&self) -> Result<Checked, InputErrors> {
        let checked = self.look()?;
        checked.write().map_err(InputErrors::of)?;
        Ok(checked)
    }
}

/// Finds a root. `obs` and `mosip` are looked for in `terraform/` of the checkout that holds the inventory, or in the folder
/// that the variable `terraform_root` names.
///
/// # Errors
/// It is not there; what its values follow from is wrong.
pub fn find(provisioner: &Provisioner, which: &Which) -> Result<Located, InputErrors> {
    let mut problems = Diagnostics::new();
    let node = deployment_node(provisioner);
    let vars = provisioner.vars_of(&node);
    let text = |name: &str, problems: &mut Diagnostics| {
        let value = vars.and_then(|vars| problems.take(vars.string(name).map_err(Diagnostic::from)).flatten());
        value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let base = provisioner.inventory().base_dir();
    let folder = match which {
        Which::Folder(folder) => Some(folder.clone()),
        _ => {
            let named = text(ROOT_VARIABLE, &mut problems);
            let place = vars.and_then(|vars| vars.set_at(ROOT_VARIABLE));
            problems.take(locate(which, named.as_deref(), place, base))
        }
    };
    let program = text(BINARY_VARIABLE, &mut problems).map(|text| match (text.contains('/'), base) {
        (true, Some(base)) => base.join(text),
        _ => text.into(),
    });
    let derived = match which.flavor() {
        Some(flavor) => derived::of(provisioner, &node, flavor, &mut problems),
        None => Vec::new(),
    };
    let openssl = problems.take(openssl());
    match folder {
        Some(folder) if !problems.has_errors() => {
            let mut root = Root::new(&folder)
                .with_program(program)
                .with_first_on_path(openssl.flatten());
            if let (Some(journal), Some(_)) = (provisioner.journal_folder(), which.flavor()) {
                root = root.keeping_files_in(journal.join("terraform").join(which.name()));
            }
            Ok(Located { root, derived })
        }
        _ => Err(problems.into()),
    }
}

/// A folder as a root, without an inventory.
///
/// # Errors
/// What the deployment node says about its OpenSSL cannot be read.
pub fn in_folder(folder: &Path) -> Result<Located, InputErrors> {
    let openssl = openssl().map_err(InputErrors::of)?;
    Ok(Located {
        root: Root::new(folder).with_first_on_path(openssl),
        derived: Vec::new(),
    })
}

/// The folder of the OpenSSL that role `deployment-node` put beside the system's own: the registration client's keystore is
/// made by what terraform starts.
fn openssl() -> Result<Option<PathBuf>, Diagnostic> {
    role_deployment_node::openssl_folder().map_err(|error| {
        Diagnostic::error(format!("cannot read {}: {error}", role_deployment_node::OPENSSL_PLACE))
            .help("it says where OpenSSL 1.1.1f is; run the playbook deployment-node again")
    })
}

/// The host of group `deployment`, else this machine.
fn deployment_node(provisioner: &Provisioner) -> String {
    let hosts = provisioner.inventory().hosts_of("deployment");
    (*hosts.first().unwrap_or(&"localhost")).to_owned()
}

/// The variables of the first host of `group`.
fn vars_of_group<'a>(provisioner: &'a Provisioner, group: &str) -> Option<&'a HostVars> {
    let hosts = provisioner.inventory().hosts_of(group);
    provisioner.vars_of(hosts.first()?)
}

fn locate(
    which: &Which,
    named: Option<&str>,
    place: Option<Location>,
    base: Option<&Path>,
) -> Result<PathBuf, Diagnostic> {
    let name = which.folder_name();
    if let Some(named) = named {
        let parent = base.unwrap_or(Path::new("")).join(named);
        let folder = parent.join(name);
        return match folder.is_dir() {
            true => Ok(folder),
            false => Err(Diagnostic::error(format!(
                "{ROOT_VARIABLE} is {named}, and there is no folder {}",
                folder.display()
            ))
            .at(place)
            .help("name the folder that holds obs_deployment and mosip_deployment")),
        };
    }
    let start = base.map(|base| base.canonicalize().unwrap_or_else(|_| base.to_owned()));
    let found = start.iter().flat_map(|start| start.ancestors());
    let mut candidates = found.map(|folder| folder.join("terraform").join(name));
    candidates.find(|folder| folder.is_dir()).ok_or_else(|| {
        let from = start
            .as_ref()
            .map_or_else(|| "the inventory, which is no file".into(), |s| s.display().to_string());
        Diagnostic::error(format!("there is no terraform/{name} in {from} or any folder above")).help(format!(
            "set {ROOT_VARIABLE} to the folder that holds {name}, or name the root's folder itself"
        ))
    })
}
