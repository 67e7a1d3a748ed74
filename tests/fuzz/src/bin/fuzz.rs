//! The driver that looks at coverage: libFuzzer, with the target that `MOSIP_PROV_FUZZ_TARGET` names. `cargo xtask fuzz` builds
//! and runs it.

#![no_main]

use mosip_prov_fuzz::Target;
use std::sync::LazyLock;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("MOSIP_PROV_FUZZ_TARGET").unwrap_or_default();
    mosip_prov_fuzz::target(&name).unwrap_or_else(|| panic!("MOSIP_PROV_FUZZ_TARGET={name} is no fuzz target"))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
