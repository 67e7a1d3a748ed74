//! The command that ran, to be offered again in the recap: as it would be typed, but without what must not be shown.

use crate::args::{BecomeOptions, InventoryOptions, Selection, What};
use clap::ValueEnum as _;
use std::path::Path;

/// The command with `verb` for the same playbooks, inventory and settings, and the given `--limit`. Values of `-e` may
/// be secrets: only files are named.
pub fn command(verb: &str, what: &What, limit: Option<&str>) -> String {
    let mut words: Vec<String> = vec!["mosip-prov".into(), verb.into()];
    words.extend(what.playbooks.iter().map(|p| quote(p)));
    let mut pair = |flag: &str, value: &str| {
        words.push(flag.to_owned());
        words.push(quote(value));
    };
    for source in &what.inventory.inventory {
        pair("-i", source);
    }
    for vars in what.inventory.extra_vars.iter().filter(|v| v.starts_with('@')) {
        pair("-e", vars);
    }
    let path = |p: &Path| p.to_string_lossy().into_owned();
    for file in &what.inventory.vault.vault_password_file {
        pair("--vault-password-file", &path(file));
    }
    let selection = &what.selection;
    if let Some(limit) = limit {
        pair("-l", limit);
    }
    if !selection.tags.is_empty() {
        pair("-t", &selection.tags.join(","));
    }
    if !selection.skip_tags.is_empty() {
        pair("--skip-tags", &selection.skip_tags.join(","));
    }
    let connection = &what.connection;
    let privilege = &what.privilege;
    let files = [
        ("--private-key", &connection.private_key),
        ("--connection-password-file", &connection.connection_password_file),
        ("--known-hosts-file", &connection.known_hosts_file),
        ("--ssh-config", &connection.ssh_config),
        ("--become-password-file", &privilege.password.become_password_file),
    ];
    for (flag, file) in files {
        if let Some(file) = file {
            pair(flag, &path(file));
        }
    }
    let seconds = connection.timeout.map(|seconds| seconds.to_string());
    let policy = connection.known_hosts.and_then(|policy| policy.to_possible_value());
    let policy = policy.map(|value| value.get_name().to_owned());
    let texts = [
        ("-T", &seconds),
        ("--known-hosts", &policy),
        ("-u", &connection.user),
        ("-c", &connection.connection),
        ("--become-user", &privilege.become_user),
    ];
    for (flag, text) in texts {
        if let Some(text) = text {
            pair(flag, text);
        }
    }
    let switches = [
        ("-J", what.inventory.vault.ask_vault_pass),
        ("-k", connection.ask_pass),
        ("-b", privilege.r#become),
        ("-K", privilege.password.ask_become_pass),
    ];
    words.extend(
        switches
            .iter()
            .filter(|(_, on)| *on)
            .map(|(flag, _)| (*flag).to_owned()),
    );
    if what.inventory.extra_vars.iter().any(|v| !v.starts_with('@')) {
        words.push("-e ...".to_owned());
    }
    words.join(" ")
}

/// The command that applies the plan in `file`, which was made of `what`: how hosts are reached is not in the plan.
pub fn apply_command(file: &Path, what: &What) -> String {
    let given = what.inventory.extra_vars.iter().filter(|v| !v.starts_with('@'));
    let of_plan = What {
        playbooks: vec![file.to_string_lossy().into_owned()],
        inventory: InventoryOptions {
            inventory: Vec::new(),
            extra_vars: given.cloned().collect(),
            ..what.inventory.clone()
        },
        selection: Selection::default(),
        connection: what.connection.clone(),
        privilege: BecomeOptions {
            r#become: false,
            become_user: None,
            ..what.privilege.clone()
        },
    };
    command("apply", &of_plan, None)
}

/// The word as a shell takes it.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn again(line: &[&str]) -> String {
        match Cli::try_parse_from(line).unwrap().command {
            Command::Run(args) => command("run", &args.what, None),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_typed_without_limit_and_secrets() {
        assert_eq!(
            again(&[
                "mosip-prov",
                "run",
                "deploy-nginx",
                "-i",
                "my hosts.ini",
                "-l",
                "vm1",
                "-K",
                "-e",
                "@v.yml"
            ]),
            "mosip-prov run deploy-nginx -i 'my hosts.ini' -e @v.yml -K"
        );
        let text = again(&["mosip-prov", "run", "a", "-e", "db_password=hunter2", "-t", "x,y"]);
        assert_eq!(text, "mosip-prov run a -t x,y -e ...");
        assert_eq!(
            again(&["mosip-prov", "run", "a", "-T", "60", "--known-hosts", "accept-new"]),
            "mosip-prov run a -T 60 --known-hosts accept-new"
        );
        let line = [
            "mosip-prov",
            "run",
            "a",
            "-i",
            "x",
            "-e",
            "p=hunter2",
            "-e",
            "@f",
            "-l",
            "h",
            "-b",
            "-K",
            "-u",
            "me",
        ];
        let Command::Run(args) = Cli::try_parse_from(line).unwrap().command else {
            panic!("run")
        };
        let file = Path::new("a b.plan");
        assert_eq!(
            apply_command(file, &args.what),
            "mosip-prov apply 'a b.plan' -u me -K -e ..."
        );
        assert_eq!(quote("it's"), "'it'\\''s'");
    }
}
