//! `init`: the first inventory, from answers.

use super::stopped;
use crate::args::{Fields, InitArgs};
use crate::diagnostics;
use crate::exit::Exit;
use crate::output::{Look, complain, say};
use crate::question::Terminal;
use crate::session::Stop;
use mosip_prov::events::Difference;
use mosip_prov::init::{self, Answers, Field, File, From, Given, Plan, Standing};
use mosip_prov::inventory::diagnostic::{Diagnostic, Diagnostics, Location};
use mosip_prov_report::diff;
use mosip_prov_report::paint::Paint;
use mosip_prov_report::text::neutral_line;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// `init`.
pub fn init(args: &InitArgs, look: &Look) -> Exit {
    match made(args, look) {
        Ok(exit) => exit,
        Err(stop) => match stop {
            Stop::Interrupted => {
                complain("interrupted; nothing was written");
                Exit::Interrupted
            }
            other => stopped(&other, look),
        },
    }
}

fn made(args: &InitArgs, look: &Look) -> Result<Exit, Stop> {
    let mut problems = Diagnostics::new();
    let mut answers = from_flags(&args.fields);
    if let Some(file) = &args.answers
        && let Err(found) = init::read_file(file, &mut answers)
    {
        problems.extend(found);
    }
    let mut unknown = Vec::new();
    if let Some(from) = &args.from_terraform {
        match outputs(from).and_then(|json| init::terraform::read(&json, from, &mut answers)) {
            Ok(names) => unknown = names,
            Err(found) => problems.extend(found),
        }
    }
    if !problems.has_errors() {
        ask_for_missing(&mut answers)?;
    }
    let plan = Plan::of(&answers, &mut problems);
    let files = match &plan {
        Some(plan) => init::files(plan, &args.dir)
            .map_err(|found| problems.extend(found))
            .ok(),
        None => None,
    };
    let Some(files) = files.filter(|_| !problems.has_errors()) else {
        return Err(Stop::Inputs(problems.into_iter().collect()));
    };
    diagnostics::report(&problems.into_iter().collect::<Vec<_>>(), look);
    if !unknown.is_empty() {
        let unknown: Vec<String> = unknown.iter().map(|name| neutral_line(name)).collect();
        complain(&format!(
            "outputs that say nothing to us: {} (docs/init.md lists those that do)",
            unknown.join(", ")
        ));
    }
    put(&files, args.force, look)
}

/// Writes what is new; what is there with another content only with `force`, and shows the difference.
fn put(files: &[File], force: bool, look: &Look) -> Result<Exit, Stop> {
    let failed = |error: init::WriteError| {
        Stop::from(Diagnostic::error(error.to_string()).help("see that it can be read and written to"))
    };
    let mut standings = Vec::new();
    for file in files {
        standings.push((file, init::standing(file).map_err(failed)?));
    }
    let paint = Paint::new(look.color_out);
    let mut refused = Vec::new();
    for (file, standing) in &standings {
        if let Standing::Different(there) = standing {
            let difference = Difference {
                what: file.path.display().to_string(),
                before: Some(masked(there)),
                after: Some(masked(&file.content)),
            };
            say(&diff::render(&difference, paint).join("\n"));
            refused.push(
                Diagnostic::error(format!("{} is there, and holds something else", file.path.display()))
                    .at(Location::file(&file.path))
                    .help("--force replaces it; or name another folder"),
            );
        }
    }
    if !refused.is_empty() && !force {
        complain("nothing was written");
        return Err(Stop::Inputs(refused));
    }
    for (file, standing) in standings {
        let word = match standing {
            Standing::Same => "as it was",
            Standing::New => "written",
            Standing::Different(_) => "replaced",
        };
        if standing != Standing::Same {
            init::write(file).map_err(failed)?;
        }
        say(&format!("{}  {word}", file.path.display()));
    }
    // A folder of inventories passes *.ini over, as with Ansible: the file itself is named.
    let inventory = files
        .first()
        .map_or(Path::new("inventory/rancher.ini"), |file| &file.path)
        .display();
    say(&format!(
        "\nnext:\n  mosip-prov dns records -i {inventory}\n  mosip-prov certificates request -i {inventory}  (or certificates \
         install DIR)\n  mosip-prov preflight -i {inventory}"
    ));
    Ok(Exit::Ok)
}

/// The text without the values of what looks like a secret by its name.
fn masked(text: &str) -> String {
    let mask = |line: &str| match line.find([':', '=']) {
        Some(at) if diagnostics::is_secret_name(line[..at].trim()) => format!("{} ***", &line[..=at]),
        _ => line.to_owned(),
    };
    text.lines().map(|line| mask(line) + "\n").collect()
}

fn from_flags(fields: &Fields) -> Answers {
    let mut answers = Answers::default();
    let one = |text: &Option<String>| text.iter().cloned().collect::<Vec<_>>();
    for (field, texts) in [
        (Field::Domain, one(&fields.domain)),
        (Field::Node, fields.node.clone()),
        (Field::Obs, one(&fields.obs)),
        (Field::Nginx, one(&fields.nginx)),
        (Field::NginxObs, one(&fields.nginx_obs)),
        (Field::PublicIp, one(&fields.public_ip)),
        (Field::Wireguard, one(&fields.wireguard)),
        (Field::WireguardEndpoint, one(&fields.wireguard_endpoint)),
        (Field::User, one(&fields.user)),
        (Field::PrivateKey, one(&fields.private_key)),
    ] {
        answers.give(
            field,
            Given {
                texts,
                from: From::Flag,
                place: None,
            },
        );
    }
    answers
}

/// Asks for what is missing, when something must be asked for and somebody is there. A wrong answer is told at once.
fn ask_for_missing(answers: &mut Answers) -> Result<(), Stop> {
    let must_ask = Field::ALL.into_iter().any(|field| {
        answers.get(field).is_none() && field.default_of(answers).is_none() && !field.is_optional(answers)
    });
    if !must_ask || !std::io::stdin().is_terminal() {
        return Ok(());
    }
    let Some(mut terminal) = Terminal::open() else {
        return Ok(());
    };
    for field in Field::ALL {
        if answers.get(field).is_some() || (field == Field::WireguardEndpoint && field.is_optional(answers)) {
            continue;
        }
        let default = field.default_of(answers);
        let default = default.or_else(|| field.is_optional(answers).then(|| "-".to_owned()));
        let question = match &default {
            Some(default) => format!("{} [{default}]", field.question()),
            None => field.question().to_owned(),
        };
        loop {
            let typed = terminal.ask(&question)?;
            let texts: Vec<String> = match (typed.is_empty(), &default) {
                (true, Some(default)) => vec![default.clone()],
                (true, None) => Vec::new(),
                (false, _) if field.is_list() => typed
                    .split(|c: char| c.is_whitespace() || c == ',')
                    .filter(|word| !word.is_empty())
                    .map(str::to_owned)
                    .collect(),
                (false, _) => vec![typed],
            };
            if texts.is_empty() {
                terminal.say("  an answer is wanted")?;
                continue;
            }
            let mut with = answers.clone();
            with.give(
                field,
                Given {
                    texts,
                    from: From::Asked,
                    place: None,
                },
            );
            match first_problem(&with, answers) {
                Some(problem) => terminal.say(&format!("  {problem}"))?,
                None => {
                    *answers = with;
                    break;
                }
            }
        }
    }
    Ok(())
}

/// The first thing that is wrong with the newest answer: what is missing beside it is not.
fn first_problem(with: &Answers, before: &Answers) -> Option<String> {
    let problems = |answers: &Answers| {
        let mut found = Diagnostics::new();
        init::plan::check(answers, &mut found);
        found.iter().filter(|d| d.is_error()).cloned().collect::<Vec<_>>()
    };
    let old = problems(before);
    let problem = problems(with).into_iter().find(|new| !old.contains(new))?;
    Some(match &problem.help {
        Some(help) => format!("{}; {help}", problem.message),
        None => problem.message,
    })
}

/// What `terraform output -json` prints: of a root, or kept in a file.
fn outputs(from: &Path) -> Result<Vec<u8>, Vec<Diagnostic>> {
    let problem = |message: String, help: &str| vec![Diagnostic::error(message).at(Location::file(from)).help(help)];
    let shown = from.display();
    if !from.is_dir() {
        return std::fs::read(from).map_err(|error| {
            problem(
                format!("{shown} cannot be read: {error}"),
                "name the root's folder, or a file with its outputs",
            )
        });
    }
    for program in ["terraform", "tofu"] {
        let done = Command::new(program)
            .args(["output", "-json", "-no-color"])
            .current_dir(from)
            .stdin(Stdio::null())
            .output();
        match done {
            Ok(done) if done.status.success() => return Ok(done.stdout),
            Ok(done) => {
                let said = String::from_utf8_lossy(&done.stderr);
                let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
                return Err(problem(
                    format!(
                        "`{program} output -json` in {shown} ended with {}: {}",
                        done.status,
                        said.join(" / ")
                    ),
                    "run it there yourself, and apply the root first",
                ));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(problem(
                    format!("{program} cannot be started: {error}"),
                    "see that it may be run",
                ));
            }
        }
    }
    Err(problem(
        "neither terraform nor tofu is there to be asked for outputs".to_owned(),
        "install one, or give a file with what `terraform output -json` printed elsewhere",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_in_differences() {
        assert_eq!(
            masked("a: 1\nrancher_token: abc\ndb_password = \"x\"\n"),
            "a: 1\nrancher_token: ***\ndb_password = ***\n"
        );
    }
}
