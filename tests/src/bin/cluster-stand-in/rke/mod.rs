//! A stand-in for RKE 1: the same command line, files and messages; nodes that are nodes as far as `kubectl` can tell.

mod addons;
mod config;
mod hosts;
mod log;
mod remote;
mod schema;
mod state;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;

use mosip_prov::inventory::value::Value as Yaml;
use mosip_prov::inventory::yaml::parse_value;
use serde_json::Value;

use crate::Outcome;
use crate::args::Args;
use log::Log;

/// YAML text as JSON.
///
/// # Errors
/// It is no YAML.
pub fn yaml(text: &str) -> Result<Value, String> {
    fn convert(value: Yaml) -> Value {
        match value {
            Yaml::Null => Value::Null,
            Yaml::Bool(value) => value.into(),
            Yaml::Int(value) => i64::try_from(value).map_or_else(|_| value.to_string().into(), Value::from),
            Yaml::Float(value) => value.into(),
            Yaml::Str(text) | Yaml::Unsafe(text) => Value::String(text.to_string()),
            Yaml::Secret(_) => Value::Null,
            Yaml::List(items) => items.into_iter().map(convert).collect(),
            Yaml::Map(entries) => Value::Object(
                entries
                    .into_iter()
                    .map(|(name, value)| (name.to_string(), convert(value)))
                    .collect(),
            ),
        }
    }
    parse_value(text, "the document")
        .map(convert)
        .map_err(|error| error.to_string())
}

/// Where a cluster's files are.
struct Files {
    config: PathBuf,
    state: PathBuf,
    kubeconfig: PathBuf,
    /// What a test wants of the run.
    wishes: PathBuf,
}

impl Files {
    fn of(config: &str) -> Self {
        let config = PathBuf::from(config);
        let name = config.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self {
            state: config.with_extension("rkestate"),
            kubeconfig: config.with_file_name(format!("kube_config_{name}")),
            wishes: config.with_file_name("rke-stand-in.json"),
            config,
        }
    }
}

/// Runs `rke` with these words.
pub fn main(words: &[String], version: &str) -> ExitCode {
    if matches!(words.first().map(String::as_str), Some("--version" | "-v" | "-version")) {
        println!("rke version {version}");
        return ExitCode::SUCCESS;
    }
    let log = Log::new();
    match command(words, version, &log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.fatal(error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn command(words: &[String], version: &str, log: &Log) -> Outcome {
    let valued = ["config", "cert-dir", "dind-storage-driver", "dind-dns-server"];
    let switches = [
        "debug",
        "d",
        "quiet",
        "q",
        "trace",
        "update-only",
        "disable-port-check",
        "init",
        "custom-certs",
        "ssh-agent-auth",
        "ignore-docker-version",
        "force",
    ];
    let args = Args::parse(words, &valued, &switches)?;
    let from_environment = std::env::var("RKE_CONFIG").ok();
    let config = args
        .get("config")
        .or(from_environment.as_deref())
        .unwrap_or("cluster.yml");
    let files = Files::of(config);
    match args.rest.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["up"] => {
            log.info(format!("Running RKE version: {version}"));
            up::up(&files, args.is_set("init"), log)
        }
        ["remove"] => {
            log.info(format!("Running RKE version: {version}"));
            if !args.is_set("force") {
                return Err("a stand-in asks no questions: rke remove needs --force".into());
            }
            hosts::remove(&files, log)
        }
        _ => Err("No help topic: a stand-in knows --version, up and remove".into()),
    }
}
