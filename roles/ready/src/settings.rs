//! The settings of the checks, as `defaults.yml` documents them.

use mosip_prov_preflight::guide::{Size, WantedSize};
use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::vars::HostVars;

/// All settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether a machine is compared with the guide.
    pub guide_sizes: bool,
    /// Sizes in place of the guide's, 0 for the guide's own.
    pub least: Size,
    /// Free space on `/` that it must have, in MiB.
    pub min_free_disk: u64,
    /// How far its clock may be off, in seconds.
    pub max_clock_skew: u64,
    /// The version of istioctl.
    pub istio_version: String,
}

impl Settings {
    /// Reads them; all that is wrong goes into `problems`, and then there are none.
    pub fn read(vars: &HostVars, problems: &mut Diagnostics) -> Option<Self> {
        let before = problems.error_count();
        let guide_sizes = problems
            .take(vars.bool("check_guide_sizes").map_err(Diagnostic::from))
            .flatten();
        let mut number = |name: &str, unit: &str| {
            let value = problems
                .take(vars.int(name).map_err(Diagnostic::from))
                .flatten()
                .unwrap_or(0);
            u64::try_from(value).unwrap_or_else(|_| {
                problems.push(
                    Diagnostic::error(format!("{name} is {value}, and a number of {unit} is wanted"))
                        .at(vars.location(name))
                        .help("give 0 or more"),
                );
                0
            })
        };
        let least = Size {
            vcpus: u32::try_from(number("check_min_vcpus", "processors")).unwrap_or(u32::MAX),
            memory_gib: number("check_min_memory", "GiB"),
            disk_gib: number("check_min_disk", "GiB"),
        };
        let min_free_disk = number("check_min_free_disk", "MiB");
        let max_clock_skew = number("check_max_clock_skew", "seconds");
        let istio_version = problems
            .take(vars.string("istio_version").map_err(Diagnostic::from))
            .flatten();
        let made = Self {
            guide_sizes: guide_sizes.unwrap_or(true),
            least,
            min_free_disk,
            max_clock_skew,
            istio_version: istio_version.unwrap_or_default().trim().to_owned(),
        };
        (problems.error_count() == before).then_some(made)
    }

    /// What a machine is compared with, where the guide asks for `guide`; `None` where it is not to be compared.
    pub fn wanted(&self, guide: Option<Size>) -> Option<WantedSize> {
        let guide = guide.filter(|_| self.guide_sizes);
        guide.map(|guide| WantedSize::new(guide, self.least))
    }
}
