//! `/etc/docker/daemon.json` from the settings.

use crate::settings::Reader;
use mosip_prov_resources::probe::file::{FileAsk, FileState};
use mosip_prov_resources::value::Value;
use mosip_prov_resources::{Answers, Ask, DecideError, Decision, File, Question, Resource};
use serde_json::{Map, json};

const PATH: &str = "/etc/docker/daemon.json";

/// Docker before 23 cannot check a file. What it finds wrong is printed; what it finds right, too.
const VALIDATE: &str = r#"command -v dockerd >/dev/null || exit 0
dockerd --help 2>&1 | grep -q -e --validate || exit 0
o=$(dockerd --validate --config-file "$1" 2>&1) || { echo "$o"; exit 1; }"#;

/// Docker's own settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// Layers downloaded at once.
    pub max_concurrent_downloads: u64,
    /// Layers uploaded at once.
    pub max_concurrent_uploads: u64,
    /// Size at which a container's log begins anew: `100m`.
    pub log_max_size: String,
    /// How many logs of a container are kept.
    pub log_max_file: u64,
    /// Open files of a container.
    pub ulimit_nofile: u64,
    /// Processes of a container.
    pub ulimit_nproc: u64,
    /// Where images are kept; empty leaves the choice to Docker.
    pub storage_driver: String,
    /// With `overlay2`: use it whatever the kernel's version says.
    pub override_kernel_check: bool,
}

const VARIABLE: &str = "docker_daemon_config";

impl Default for Daemon {
    fn default() -> Self {
        Self {
            max_concurrent_downloads: 20,
            max_concurrent_uploads: 20,
            log_max_size: "100m".into(),
            log_max_file: 3,
            ulimit_nofile: 1_048_576,
            ulimit_nproc: 1_048_576,
            storage_driver: "overlay2".into(),
            override_kernel_check: true,
        }
    }
}

impl Daemon {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let mut made = Self {
            storage_driver: reader.text("docker_storage_driver"),
            override_kernel_check: reader.bool("docker_overlay2_override_kernel_check"),
            ..Self::default()
        };
        if !made
            .storage_driver
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-')
        {
            let message = format!(
                "docker_storage_driver is \"{}\", which is no storage driver",
                made.storage_driver
            );
            reader.error(
                "docker_storage_driver",
                message,
                "overlay2, vfs, …, or empty to leave the choice to Docker",
            );
        }
        for (key, value) in reader.map(VARIABLE) {
            let number = match &value {
                Value::Int(number) => u64::try_from(*number).ok(),
                other => other.as_str().and_then(|text| text.trim().parse().ok()),
            };
            let field = match &*key {
                "max_concurrent_downloads" => &mut made.max_concurrent_downloads,
                "max_concurrent_uploads" => &mut made.max_concurrent_uploads,
                "log_max_file" => &mut made.log_max_file,
                "ulimit_nofile" => &mut made.ulimit_nofile,
                "ulimit_nproc" => &mut made.ulimit_nproc,
                "log_max_size" => {
                    let text = number
                        .map(|n| n.to_string())
                        .or_else(|| value.as_str().map(|text| text.trim().to_owned()));
                    match text.filter(|text| is_size(text)) {
                        Some(text) => made.log_max_size = text,
                        None => reader.error(
                            VARIABLE,
                            format!("{VARIABLE} has a log_max_size that is no size: {value:?}"),
                            "a number with k, m or g behind it: 100m",
                        ),
                    }
                    continue;
                }
                other => {
                    let message = format!("{VARIABLE} has {other}, which nothing reads");
                    reader.warn(
                        VARIABLE,
                        message,
                        "max_concurrent_downloads, max_concurrent_uploads, log_max_size, log_max_file, ulimit_nofile and ulimit_nproc are known",
                    );
                    continue;
                }
            };
            match number.filter(|number| *number > 0) {
                Some(number) => *field = number,
                None => reader.error(
                    VARIABLE,
                    format!("{VARIABLE} has a {key} that is no whole number above 0: {value:?}"),
                    "give a number",
                ),
            }
        }
        made
    }

    /// What the file holds.
    pub fn to_json(&self) -> String {
        let limit = |name: &str, value: u64| json!({ "Name": name, "Hard": value, "Soft": value });
        let mut all = Map::new();
        let mut set = |key: &str, value| all.insert(key.to_owned(), value);
        set("max-concurrent-downloads", json!(self.max_concurrent_downloads));
        set("max-concurrent-uploads", json!(self.max_concurrent_uploads));
        set("log-driver", json!("json-file"));
        set(
            "log-opts",
            // Docker takes options of a log as text only.
            json!({ "max-size": self.log_max_size, "max-file": self.log_max_file.to_string() }),
        );
        set(
            "default-ulimits",
            json!({ "nofile": limit("nofile", self.ulimit_nofile), "nproc": limit("nproc", self.ulimit_nproc) }),
        );
        if !self.storage_driver.is_empty() {
            set("storage-driver", json!(self.storage_driver));
        }
        if self.storage_driver == "overlay2" && self.override_kernel_check {
            set("storage-opts", json!(["overlay2.override_kernel_check=true"]));
        }
        format!("{:#}\n", serde_json::Value::Object(all))
    }
}

/// The file with these settings. One that says the same in another layout stays as it is: rewriting it would restart
/// Docker, and with it every container, for nothing.
#[derive(Debug, Clone)]
pub(crate) struct DaemonFile(pub Daemon);

impl DaemonFile {
    fn holding(text: String) -> File {
        File::content(PATH, text)
            .mode(0o644)
            .owner("root")
            .group("root")
            .validate(VALIDATE)
    }

    fn ask() -> FileAsk {
        FileAsk::new(PATH).with_content()
    }
}

/// The settings that a file holds, in whatever order and layout; `None` when it holds none.
fn parsed(text: &str) -> Option<serde_json::Value> {
    serde_json::from_str(text).ok()
}

impl Resource for DaemonFile {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions = Self::holding(self.0.to_json()).questions();
        let own = Self::ask().question();
        if !questions.contains(&own) {
            questions.push(own);
        }
        questions
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let wanted = self.0.to_json();
        let same = match answers.get(&Self::ask())? {
            FileState::Entry(entry) => entry
                .content
                .and_then(|bytes| String::from_utf8(bytes.to_vec()).ok())
                .filter(|there| parsed(there).is_some_and(|there| Some(there) == parsed(&wanted))),
            _ => None,
        };
        Self::holding(same.unwrap_or(wanted)).decide(answers)
    }
}

fn is_size(text: &str) -> bool {
    let digits = text.trim_end_matches(['k', 'm', 'g', 'K', 'M', 'G']);
    digits.len() + 1 >= text.len() && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing::{self as t, expect_change, expect_nothing};

    #[test]
    fn a_file_that_says_the_same_in_another_layout_stays() {
        let file = DaemonFile(Daemon::default());
        let host = |mode: u32, text: &str| t::file(Answers::new(), PATH, mode, "root", "root", text);
        let wanted = Daemon::default().to_json();
        expect_nothing(&file, &host(0o644, &wanted));
        // As Ansible's to_nice_json writes it: four blanks, keys in the alphabet's order.
        let sorted = r#"{
    "default-ulimits": {
        "nofile": {"Hard": 1048576, "Name": "nofile", "Soft": 1048576},
        "nproc": {"Hard": 1048576, "Name": "nproc", "Soft": 1048576}
    },
    "log-driver": "json-file",
    "log-opts": {"max-file": "3", "max-size": "100m"},
    "max-concurrent-downloads": 20,
    "max-concurrent-uploads": 20,
    "storage-driver": "overlay2",
    "storage-opts": ["overlay2.override_kernel_check=true"]
}"#;
        expect_nothing(&file, &host(0o644, sorted));
        // Its mode is seen to all the same.
        assert!(t::scripts(&expect_change(&file, &host(0o600, sorted))).contains("chmod"));
        for other in [sorted.replace("100m", "50m"), "{".into(), String::new()] {
            let change = expect_change(&file, &host(0o644, &other));
            assert!(
                change.differences.iter().any(|d| d.what.contains("content")),
                "{change:?}"
            );
        }
        expect_change(&file, &t::file_absent(Answers::new(), PATH));
    }
}
