//! Becoming another user: the command line for it, and what sudo's words mean.

use crate::error::BecomeError;
use crate::host::BecomeUser;
use crate::target::SudoSettings;

/// What is printed instead of sudo's own prompt. sudo turns `%%` into `%`, so the command line itself never contains it.
pub(super) fn prompt(nonce: &str) -> String {
    format!("{nonce}% ")
}

/// The command line that starts `shell -c 'boot'`, as `user` if there is one. Valid in every login shell.
pub(super) fn command(
    shell: &str,
    boot: &str,
    nonce: &str,
    user: Option<&BecomeUser>,
    sudo: &SudoSettings,
) -> Result<String, BecomeError> {
    let Some(user) = user else {
        return Ok(format!("exec {shell} -c '{boot}'"));
    };
    let name = user.as_str();
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-@+$".contains(c);
    if name.is_empty() || name.starts_with('-') || !name.chars().all(plain) {
        return Err(BecomeError::BadUserName { user: name.into() });
    }
    let how = match sudo.password {
        Some(_) => format!("-S -p '{nonce}%% '"),
        None => "-n".to_string(),
    };
    Ok(format!(
        "exec env LC_ALL=C LANGUAGE=C {} {how} -H -u '{name}' -- {shell} -c '{boot}'",
        sudo.program
    ))
}

/// Reads what sudo said when it gave up. It has no codes of its own, so its words in the C locale are all there is.
pub(super) fn explain(said: &str, status: Option<i32>, user: &str) -> BecomeError {
    let user = user.to_string();
    let has = |text: &str| said.contains(text);
    if has("you must have a tty") {
        return BecomeError::RequireTty;
    }
    if has("incorrect password attempt") || has("Sorry, try again") {
        return BecomeError::WrongPassword { user };
    }
    if has("is not in the sudoers file")
        || has("is not allowed to")
        || has("may not run sudo")
        || has("not allowed to run sudo")
    {
        return BecomeError::NotAllowed {
            user,
            said: last_line(said),
        };
    }
    if has("a password is required") || has("a terminal is required") {
        return BecomeError::PasswordRequired { user };
    }
    if has("unknown user") {
        return BecomeError::UnknownUser { user };
    }
    match status {
        Some(127) => BecomeError::NoSudo { said: last_line(said) },
        other => BecomeError::Other {
            user,
            status: other.unwrap_or(-1),
            said: last_line(said),
        },
    }
}

fn last_line(said: &str) -> String {
    said.lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty())
        .unwrap_or("nothing")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_sudo_become_types() {
        let lecture = "We trust you have received the usual lecture\n\n";
        type Fits = fn(&BecomeError) -> bool;
        let cases: [(&str, Option<i32>, Fits); 8] = [
            ("sudo: a password is required\n", Some(1), |e| {
                matches!(e, BecomeError::PasswordRequired { .. })
            }),
            ("sudo: 1 incorrect password attempt\n", Some(1), |e| {
                matches!(e, BecomeError::WrongPassword { .. })
            }),
            ("bob is not in the sudoers file.\n", Some(1), |e| {
                matches!(e, BecomeError::NotAllowed { .. })
            }),
            (
                "Sorry, user bob is not allowed to execute '/bin/sh' as root on vm1.\n",
                Some(1),
                |e| matches!(e, BecomeError::NotAllowed { .. }),
            ),
            ("sudo: sorry, you must have a tty to run sudo\n", Some(1), |e| {
                matches!(e, BecomeError::RequireTty)
            }),
            (
                "sudo: unknown user nobody2\nsudo: error initializing audit plugin\n",
                Some(1),
                |e| matches!(e, BecomeError::UnknownUser { .. }),
            ),
            ("env: 'sudo': No such file or directory\n", Some(127), |e| {
                matches!(e, BecomeError::NoSudo { .. })
            }),
            ("sudo: account validation failure\n", Some(1), |e| {
                matches!(e, BecomeError::Other { status: 1, .. })
            }),
        ];
        for (said, status, fits) in cases {
            let error = explain(&format!("{lecture}{said}"), status, "root");
            assert!(fits(&error), "{said:?} became {error:?}");
        }
    }

    #[test]
    fn a_user_name_cannot_leave_its_quotes() {
        for name in ["", "-s", "a'b", "a b", "a;b", "a\\b", "a\nb"] {
            let error = command(
                "/bin/sh",
                "x",
                "n",
                Some(&BecomeUser::new(name)),
                &SudoSettings::default(),
            );
            assert!(matches!(error, Err(BecomeError::BadUserName { .. })), "{name:?}");
        }
    }
}
