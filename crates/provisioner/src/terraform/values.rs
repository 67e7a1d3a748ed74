//! A root's `terraform.tfvars`, checked against what the inventory says.

use super::derived::Derived;
use crate::InputErrors;
use mosip_prov_files::Mode;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics, Location};
use mosip_prov_inventory::placeholders::placeholder;
use mosip_prov_terraform::tfvars::{Found, Tfvars};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file that terraform reads on its own.
const FILE: &str = "terraform.tfvars";
/// What it is begun with.
const TEMPLATE: &str = "terraform.tfvars.tmp";

/// Values that are right, and what is to be written.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The file.
    pub file: PathBuf,
    /// What is added to it, or to what it is begun with: names and values.
    pub added: Vec<(String, String)>,
    /// The file that it is begun with, when it is not there yet.
    pub begun_with: Option<PathBuf>,
    text: Option<String>,
}

impl Checked {
    /// Writes the file, where anything is to be written: whole or not at all, with mode and owner as they were.
    pub(super) fn write(&self) -> Result<(), Diagnostic> {
        let Some(text) = &self.text else { return Ok(()) };
        mosip_prov_files::write(&self.file, text.as_bytes(), Mode::Kept(0o600)).map_err(|error| {
            Diagnostic::error(format!("cannot write {}: {error}", self.file.display())).help("see who owns the folder")
        })
    }
}

fn read(path: &Path) -> Result<Option<Tfvars>, Diagnostics> {
    let problem = |what: String| {
        let mut all = Diagnostics::new();
        all.push(Diagnostic::error(format!("cannot read {}: {what}", path.display())).help("see who owns it"));
        all
    };
    match fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Tfvars::parse(path, &text).map(Some),
            Err(_) => Err(problem("it is not UTF-8".into())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(problem(error.to_string())),
    }
}

/// Checks the values of the root in `folder`.
pub(super) fn look(folder: &Path, derived: &[Derived]) -> Result<Checked, InputErrors> {
    let mut problems = Diagnostics::new();
    let file = folder.join(FILE);
    let template = folder.join(TEMPLATE);
    let declared = declared(folder);
    let wanted: Vec<&Derived> = derived
        .iter()
        .filter(|one| declared.iter().any(|name| name == one.name))
        .collect();
    let (present, begun_with) = match read(&file) {
        Ok(Some(present)) => (Some(present), None),
        // Of a root that is not ours, only what is there is looked at.
        Ok(None) if derived.is_empty() => (None, None),
        Ok(None) => match read(&template) {
            Ok(Some(present)) => (Some(present), Some(template)),
            Ok(None) => (None, None),
            Err(found) => return Err(found.into()),
        },
        Err(found) => return Err(found.into()),
    };
    let fresh = begun_with.is_some() || present.is_none();
    let mut made = match present {
        Some(present) => present,
        None => Tfvars::parse(&file, "")?,
    };
    let overriding = overriding(folder, &mut problems);
    let mut added = Vec::new();
    for one in &wanted {
        let others: Vec<&Found> = overriding
            .iter()
            .filter(|(name, _)| name == one.name)
            .map(|(_, found)| found)
            .collect();
        let here = made.get(one.name).filter(|_| !fresh);
        let mut is_set = false;
        for found in here.iter().chain(others) {
            is_set = true;
            if let Err(problem) = right(one, found) {
                problems.push(*problem);
            }
        }
        if is_set {
            continue;
        }
        if let Some(kubeconfig) = &one.kubeconfig
            && let Err(wrong) = kubeconfig.check(Path::new(&one.value))
        {
            problems.push(Diagnostic::error(wrong.what).at(one.place.clone()).help(wrong.help));
            continue;
        }
        made = made.with(one.name, &one.value);
        added.push((one.name.to_owned(), one.value.clone()));
    }
    for (name, text, place) in made.strings() {
        if wanted.iter().any(|one| one.name == name) {
            continue;
        }
        if let Some((token, why)) = placeholder(text) {
            let help = match &begun_with {
                Some(_) => "copy the file to terraform.tfvars and fill in the value of this site",
                None => "fill in the value of this site",
            };
            problems.push(
                Diagnostic::error(format!("{name} is not usable: {token}: {why}"))
                    .at(place)
                    .help(help),
            );
        }
    }
    if problems.has_errors() {
        return Err(problems.into());
    }
    Ok(Checked {
        file,
        text: (!added.is_empty() || begun_with.is_some()).then(|| made.text().to_owned()),
        added,
        begun_with,
    })
}

/// Whether a value that is set is right.
fn right(wanted: &Derived, found: &Found) -> Result<(), Box<Diagnostic>> {
    let Derived {
        name, value, because, ..
    } = wanted;
    let wrong = |message: String, help: String| {
        let mut problem = Diagnostic::error(message).at(found.place.clone()).help(help);
        if let Some(place) = &wanted.place {
            problem = problem.related(place.clone(), "this says what it must be");
        }
        Err(Box::new(problem))
    };
    let Some(text) = &found.string else {
        return wrong(
            format!("{name} is no plain string, so that it cannot be compared with the inventory"),
            format!("write {name} = \"{value}\""),
        );
    };
    if let Some((token, why)) = placeholder(text) {
        return wrong(
            format!("{name} is not usable: {token}: {why}"),
            format!("write {name} = \"{value}\"; or remove the line, and it is written"),
        );
    }
    if let Some(kubeconfig) = &wanted.kubeconfig {
        let path = Path::new(text);
        if text.starts_with('~') {
            return wrong(
                format!("{name} begins with ~, which terraform takes for the name of a folder"),
                format!("write it from the root: {name} = \"{value}\""),
            );
        }
        if !path.is_absolute() {
            return wrong(
                format!("{name} is {text:?}, which is no absolute path"),
                format!("write it from the root: {name} = \"{value}\""),
            );
        }
        return kubeconfig
            .check(path)
            .or_else(|found| wrong(format!("{name}: {}", found.what), found.help));
    }
    if wanted.right.iter().any(|right| right == text) {
        return Ok(());
    }
    wrong(
        format!("{name} is {text:?}, and {because}"),
        format!("write {name} = \"{value}\", or correct the inventory"),
    )
}

/// The variables that the root declares.
fn declared(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|end| end != "tf" && end != "tofu") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        found.extend(text.lines().filter_map(|line| {
            let rest = line.trim_start().strip_prefix("variable")?.trim_start();
            Some(rest.strip_prefix('"')?.split('"').next()?.to_owned())
        }));
    }
    found
}

/// What terraform reads after `terraform.tfvars`, so that it wins: `terraform.tfvars.json` and `*.auto.tfvars[.json]`.
fn overriding(folder: &Path, problems: &mut Diagnostics) -> Vec<(String, Found)> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name == "terraform.tfvars.json" || name.ends_with(".auto.tfvars") || name.ends_with(".auto.tfvars.json")
        })
        .collect();
    files.sort();
    let mut found = Vec::new();
    for path in files {
        if path.extension().is_some_and(|end| end == "json") {
            let json: serde_json::Value = match fs::read(&path).map(|text| serde_json::from_slice(&text)) {
                Ok(Ok(json)) => json,
                _ => {
                    let place = Location::file(path);
                    problems.push(
                        Diagnostic::error("this is no JSON that can be read")
                            .at(place)
                            .help("mend it"),
                    );
                    continue;
                }
            };
            for (name, value) in json.as_object().into_iter().flatten() {
                let string = value.as_str().map(str::to_owned);
                let place = Location::file(path.clone());
                found.push((name.clone(), Found { string, place }));
            }
            continue;
        }
        match read(&path) {
            Ok(Some(file)) => {
                let names: Vec<String> = file.names().map(str::to_owned).collect();
                found.extend(names.into_iter().filter_map(|name| {
                    let value = file.get(&name)?;
                    Some((name, value))
                }));
            }
            Ok(None) => {}
            Err(wrong) => problems.extend(wrong),
        }
    }
    found
}
