//! Streams recorded from Terraform 1.11.4 with roots of `terraform_data`.

macro_rules! recorded {
    ($($name:ident $file:literal),+ $(,)?) => {
        $(pub const $name: &str = include_str!(concat!("recorded/", $file, ".jsonl"));)+
        /// All of them, with their names.
        pub const ALL: &[(&str, &str)] = &[$(($file, $name)),+];
    };
}

recorded! {
    INIT "init",
    PLAN "plan",
    REPLAN "replan",
    APPLY "apply",
    INTERRUPTED "interrupted",
    STALE "stale",
    LOCKED "locked",
    NO_NETWORK "no_network",
    NOT_INITIALISED "not_initialised",
    NO_BACKEND "no_backend",
    NO_VALUE "no_value",
    INVALID "invalid",
    UNSUPPORTED "unsupported",
    WRONG_VERSION "wrong_version",
    PRECONDITION "precondition",
    PROVISIONER "provisioner",
}

/// `show -json` of the plan behind [`REPLAN`].
pub const SHOW: &str = include_str!("recorded/show.json");
