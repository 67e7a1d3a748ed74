//! `certificates`: a pair placed, requested by way of certbot, renewed and deployed.

mod said;

use self::said::{Said, date, lines_of};
use super::run::{cannot_start, carry_out};
use super::stopped;
use crate::args::{
    AuthorityOptions, CertificatesArgs, CertificatesCommand, FrontName, HookKind, InstallArgs, InventoryOptions,
    RenewArgs, RequestArgs,
};
use crate::diagnostics;
use crate::exit::Exit;
use crate::output::{Look, complain, say};
use crate::question::Terminal;
use crate::repeat;
use crate::session::{self, Mode, Stop};
use crate::show::Showing;
use crate::signals::Signals;
use mosip_prov::certificates::{
    self, LETS_ENCRYPT, Nameservers, Placed, Request, RequestError, Source, Wanted, hook, judge, place,
};
use mosip_prov::inventory::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_report::text::neutral_line;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// `certificates`.
pub fn certificates(args: &CertificatesArgs, look: &Look) -> Exit {
    match &args.command {
        CertificatesCommand::Install(args) => install(args, look),
        CertificatesCommand::Request(args) => request(args, look),
        CertificatesCommand::Renew(args) => renew(args, look),
        CertificatesCommand::Hook { kind } => called_by_certbot(*kind),
    }
}

/// Its output and exit code are for certbot.
fn called_by_certbot(kind: HookKind) -> Exit {
    let kind = match kind {
        HookKind::Auth => hook::Kind::Auth,
        HookKind::Cleanup => hook::Kind::Cleanup,
    };
    match hook::run(kind) {
        Ok(printed) if printed.is_empty() => Exit::Ok,
        Ok(printed) => say(printed.trim_end()),
        Err(error) => {
            complain(&format!("error: {error}"));
            Exit::Failed
        }
    }
}

fn wanted(inventory: &InventoryOptions, fronts: &[FrontName], look: &Look) -> Result<Wanted, Exit> {
    let (provisioner, mut found) = session::load_inventory(inventory).map_err(|stop| stopped(&stop, look))?;
    let only: Vec<String> = fronts.iter().map(|front| front.group().to_owned()).collect();
    match certificates::wanted(&provisioner, &only) {
        Ok(wanted) => {
            found.extend(wanted.warnings.iter().cloned());
            diagnostics::report(&found, look);
            Ok(wanted)
        }
        Err(errors) => {
            found.extend(errors.diagnostics().iter().cloned());
            Err(stopped(&Stop::Inputs(found), look))
        }
    }
}

fn install(args: &InstallArgs, look: &Look) -> Exit {
    let wanted = match wanted(&args.inventory, &args.front, look) {
        Ok(wanted) => wanted,
        Err(exit) => return exit,
    };
    let source = match Source::find(&args.dir) {
        Ok(source) => source,
        Err(problems) => return stopped(&Stop::Inputs(problems), look),
    };
    match put(&source, &wanted, !args.front.is_empty(), look) {
        Ok(changed) => {
            say_next(&changed);
            Exit::Ok
        }
        Err(exit) => exit,
    }
}

fn say_next(changed: &[String]) {
    if !changed.is_empty() {
        let playbooks: Vec<&str> = changed.iter().map(|front| certificates::playbook_of(front)).collect();
        say(&format!(
            "next: mosip-prov run {} --tags certificate",
            playbooks.join(" ")
        ));
    }
}

/// Judges and places a pair; the fronts that got another one.
fn put(source: &Source, wanted: &Wanted, every: bool, look: &Look) -> Result<Vec<String>, Exit> {
    let judgement = match judge(source, &wanted.targets, every) {
        Ok(judgement) => judgement,
        Err(problems) => {
            complain("nothing was placed");
            return Err(stopped(&Stop::Inputs(problems.into_iter().collect()), look));
        }
    };
    let mut warnings = judgement.warnings;
    warnings.extend(judgement.open.iter().map(|(target, missing)| {
        let help = missing.iter().find_map(|finding| finding.help.clone());
        Diagnostic::warning(format!(
            "not placed for {}: {}",
            target.front,
            missing
                .iter()
                .map(|finding| finding.message.as_str())
                .collect::<Vec<_>>()
                .join("; ")
        ))
        .help(help.unwrap_or_default())
    }));
    diagnostics::report(&warnings, look);
    let mut changed = Vec::new();
    for target in &judgement.fitting {
        let (front, folder) = (&target.front, target.folder.display());
        match place(source, target) {
            Ok(Placed::Same) => drop(say(&format!("{front}: as it was in {folder}"))),
            Ok(Placed::New) => {
                say(&format!("{front}: placed in {folder}"));
                changed.push(front.clone());
            }
            Ok(Placed::Replaced(kept)) => {
                let kept: Vec<_> = kept.iter().map(|file| file.display().to_string()).collect();
                say(&format!(
                    "{front}: placed in {folder}; what was there is now {}",
                    kept.join(" and ")
                ));
                changed.push(front.clone());
            }
            Err(error) => {
                complain(&format!("error: {error}"));
                return Err(Exit::Inputs);
            }
        }
    }
    Ok(changed)
}

fn request(args: &RequestArgs, look: &Look) -> Exit {
    let wanted = match wanted(&args.inventory, &args.front, look) {
        Ok(wanted) => wanted,
        Err(exit) => return exit,
    };
    match obtain(&args.authority, &wanted, args.force, look) {
        Ok(changed) => {
            say_next(&changed);
            Exit::Ok
        }
        Err(exit) => exit,
    }
}

fn renew(args: &RenewArgs, look: &Look) -> Exit {
    const DAY: u64 = 86_400;
    let wanted = match wanted(&args.how.inventory, &args.front, look) {
        Ok(wanted) => wanted,
        Err(exit) => return exit,
    };
    let mut to_deploy = wanted.pending();
    if let Some((target, end)) = wanted.first_end() {
        let left = end.duration_since(SystemTime::now()).unwrap_or_default().as_secs() / DAY;
        let due = left < u64::from(args.days);
        if !due && !args.force {
            say(&format!("{}: fine until {} ({left} days)", target.front, date(end)));
        } else {
            if end > SystemTime::UNIX_EPOCH {
                say(&format!("{}: until {} ({left} days left)", target.front, date(end)));
            } else {
                say(&format!("{}: no certificate yet", target.front));
            }
            match obtain(&args.authority, &wanted, true, look) {
                Ok(changed) => to_deploy.extend(changed.into_iter().filter(|f| !wanted.pending().contains(f))),
                Err(exit) => return exit,
            }
            // Whoever stops us from here on finds the fronts deployed by the next call.
            if let Err(error) = wanted.set_pending(&to_deploy) {
                complain(&format!(
                    "warning: cannot remember that the fronts are to be deployed: {error}"
                ));
            }
        }
    }
    if to_deploy.is_empty() {
        return Exit::Ok;
    }
    if args.no_deploy {
        say_next(&to_deploy);
        return Exit::Ok;
    }
    let exit = deploy(args, &to_deploy, look);
    if exit == Exit::Ok
        && let Err(error) = wanted.set_pending(&[])
    {
        complain(&format!(
            "warning: cannot forget that the fronts were to be deployed: {error}"
        ));
    }
    exit
}

/// Runs just what depends on the certificates of these fronts.
fn deploy(args: &RenewArgs, fronts: &[String], look: &Look) -> Exit {
    let playbooks: Vec<String> = fronts.iter().map(|f| certificates::playbook_of(f).to_owned()).collect();
    let mut what = args.how.of(&playbooks);
    if what.selection.tags.is_empty() {
        what.selection.tags = vec!["certificate".to_owned()];
    }
    let found = playbooks
        .iter()
        .filter_map(|name| mosip_prov::playbooks::find(name).ok());
    let found: Vec<_> = found.collect();
    let prepared = match session::prepare_these(&what, Mode::Run(args.survival), &found, Diagnostics::new()) {
        Ok(prepared) => prepared,
        Err(stop) => return stopped(&stop, look),
    };
    let limit = what.selection.limit.clone();
    let showing = Showing {
        diff: false,
        command: Some(repeat::command("run", &what, None)),
        same_command: Some(repeat::command("run", &what, limit.as_deref())),
        apply_command: Some(repeat::command("run", &what, limit.as_deref())),
    };
    carry_out(prepared, showing, &args.output, false, look)
}

/// Has a certificate issued and places it; the fronts that got another one.
fn obtain(options: &AuthorityOptions, wanted: &Wanted, force: bool, look: &Look) -> Result<Vec<String>, Exit> {
    let request = ready_request(options, wanted, force).map_err(|stop| stopped(&stop, look))?;
    say(&format!(
        "requesting a certificate for {} from {}",
        request.names.join(", "),
        request.server.as_deref().unwrap_or(LETS_ENCRYPT)
    ));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| cannot_start(&error))?;
    let mut said = Said::default();
    let outcome = runtime.block_on(async {
        let mut signals = Signals::new().map_err(|error| cannot_start(&error))?;
        let stop = async {
            let name = signals.next().await;
            complain(&format!("{name}: ending certbot"));
        };
        Ok::<_, Exit>(certificates::request(&request, |progress| said.tell(&progress), stop).await)
    })?;
    runtime.shutdown_background();
    match outcome {
        Ok(source) => put(&source, wanted, true, look),
        Err(error) => Err(failure(&error, &request, look)),
    }
}

fn ready_request(options: &AuthorityOptions, wanted: &Wanted, force: bool) -> Result<Request, Stop> {
    let mut problems = Diagnostics::new();
    let nameservers = nameservers(&options.nameserver, &mut problems);
    let folder = options.certbot_dir.clone().unwrap_or_else(|| wanted.certbot_folder());
    let folder = std::path::absolute(&folder).unwrap_or(folder);
    if !is_program(&options.certbot) {
        problems.push(
            Diagnostic::error(format!("{} is not there", options.certbot.display()))
                .help("install it: apt-get install certbot; or name it with --certbot"),
        );
    }
    let mut names = certificates::names_to_request(&wanted.domain, &wanted.targets);
    names.extend(
        options
            .domains
            .iter()
            .filter(|name| !names.contains(name))
            .cloned()
            .collect::<Vec<_>>(),
    );
    let own = std::env::current_exe().map_err(|error| {
        Stop::from(Diagnostic::error(format!(
            "the path of mosip-prov itself is not known: {error}"
        )))
    })?;
    let (email, agree_tos) = match certificates::has_account(&folder, options.server.as_deref()) {
        true => (options.email.clone(), true),
        false if problems.has_errors() => (None, false),
        false => registration(options, &mut problems)?,
    };
    match nameservers {
        Some(nameservers) if !problems.has_errors() => Ok(Request {
            certbot: options.certbot.clone(),
            folder,
            server: options.server.clone(),
            email,
            agree_tos,
            name: wanted.domain.clone(),
            names,
            force,
            hook: vec![own.to_string_lossy().into_owned(), "certificates".into(), "hook".into()],
            auth_hook: options.auth_hook.clone(),
            cleanup_hook: options.cleanup_hook.clone(),
            nameservers,
            timeout: Duration::from_secs(options.wait),
            interval: Duration::from_secs(options.interval),
        }),
        _ => Err(Stop::Inputs(problems.into_iter().collect())),
    }
}

/// Address and agreement, from flags or asked for.
fn registration(options: &AuthorityOptions, problems: &mut Diagnostics) -> Result<(Option<String>, bool), Stop> {
    let asks_email = options.email.is_none() && !options.no_email;
    if !asks_email && options.agree_tos {
        return Ok((options.email.clone(), true));
    }
    let server = options.server.as_deref().unwrap_or(LETS_ENCRYPT);
    let Some(mut terminal) = Terminal::open() else {
        if asks_email {
            problems.push(
                Diagnostic::error(format!(
                    "certbot has no account with {server} yet, and needs an e-mail address for it"
                ))
                .help("give --email ADDRESS, or --no-email"),
            );
        }
        if !options.agree_tos {
            problems.push(
                Diagnostic::error(format!("the terms of service of {server} were not agreed to"))
                    .help("read them, and give --agree-tos"),
            );
        }
        return Ok((None, false));
    };
    let mut email = options.email.clone();
    if asks_email {
        email = ask_email(&mut terminal)?;
    }
    let agreed =
        options.agree_tos || terminal.confirm(&format!("Do you agree to the terms of service of {server}?"))?;
    if !agreed {
        problems.push(
            Diagnostic::error(
                "the authority's terms of service were not agreed to, and it issues nothing without that",
            )
            .help("read them at the authority's site, and run the command again"),
        );
    }
    Ok((email, agreed))
}

fn ask_email(terminal: &mut Terminal) -> Result<Option<String>, Stop> {
    loop {
        let typed = terminal.ask("E-mail address for the authority's notices (Enter: none)")?;
        match typed.as_str() {
            "" => return Ok(None),
            text if text.contains('@') && !text.contains(char::is_whitespace) => return Ok(Some(typed)),
            _ => terminal.say("  that is no e-mail address")?,
        }
    }
}

fn nameservers(named: &[String], problems: &mut Diagnostics) -> Option<Nameservers> {
    if named.is_empty() {
        let system = Nameservers::of_system()
            .map_err(|error| Diagnostic::error(error.to_string()).help("name one with --nameserver"));
        return problems.take(system);
    }
    let mut servers = Vec::new();
    for text in named {
        match certificates::parse_nameserver(text) {
            Ok(address) => servers.push(address),
            Err(help) => problems.push(Diagnostic::error(format!("--nameserver {text} is no address")).help(help)),
        }
    }
    Nameservers::new(servers)
}

/// Whether `program` is a file, or a name found on the PATH.
fn is_program(program: &Path) -> bool {
    if program.components().count() > 1 {
        return program.is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn failure(error: &RequestError, request: &Request, look: &Look) -> Exit {
    let logs = request.folder.join("logs/letsencrypt.log");
    let (help, exit) = match error {
        RequestError::Interrupted => {
            complain("interrupted; no certificate was requested or placed, and records that were created can go");
            return Exit::Interrupted;
        }
        RequestError::Start { .. } => (
            "install it: apt-get install certbot; or name it with --certbot".to_owned(),
            Exit::Inputs,
        ),
        RequestError::Io { .. } => ("see that the folder can be written to".to_owned(), Exit::Inputs),
        RequestError::Timeout { lacks, .. } => (
            format!(
                "{}\ncreate what is missing, and run the command again; --wait waits longer",
                lines_of(lacks).join("\n")
            ),
            Exit::Failed,
        ),
        RequestError::Hook { .. } => (
            "mend the command of --auth-hook, and run the command again".to_owned(),
            Exit::Failed,
        ),
        RequestError::Certbot { output, .. } => (
            format!(
                "{}\nall of it is in {}",
                output.lines().map(neutral_line).collect::<Vec<_>>().join("\n"),
                logs.display()
            ),
            Exit::Failed,
        ),
        RequestError::Nothing(_) => (format!("see {}", logs.display()), Exit::Failed),
    };
    diagnostics::report(&[Diagnostic::error(error.to_string()).help(help)], look);
    exit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs() {
        assert!(is_program(Path::new("sh")) && is_program(Path::new("/bin/sh")));
        assert!(!is_program(Path::new("/bin")) && !is_program(Path::new("no-such-certbot")));
    }
}
