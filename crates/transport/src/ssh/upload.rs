//! Large content over SFTP, with many writes in flight; through the exchange where there is no SFTP.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use bytes::Bytes;
use russh::ChannelMsg;
use russh_sftp::client::{Config, SftpSession};
use russh_sftp::protocol::OpenFlags;
use tokio::io::AsyncWriteExt as _;

use super::channel::{Session, SshOpener};
use crate::error::ErrorKind;
use crate::exchange::Shells;
use crate::host::{Identity, Request};
use crate::stats::Counters;

/// With the usual 16, 50 MB over a 20 ms link take 2.5 s in place of 0.75 s.
const WRITES: usize = 64;
/// How much one request carries where there is no SFTP.
const PIECE: usize = 4 << 20;

/// Makes a folder that only the login user can enter, with an empty file in it. Its name tells whose it is, so that one that was left
/// behind goes with the next shell of that user.
const PLACE: &str = "umask 077; for d in /var/tmp /tmp \"$HOME\"; do \
u=$(mktemp -d \"$d/.mosip-prov.$$.up.XXXXXX\" 2>/dev/null) || continue; \
: >\"$u/content\" && echo \"$u/content\" && exit 0; rm -rf \"$u\"; \
done; exit 1";

/// Puts content into a new file of the login user and returns its path.
pub(super) async fn upload(
    shells: &Shells<SshOpener>,
    content: Bytes,
    counters: &Counters,
) -> Result<String, ErrorKind> {
    let response = shells.run(&Identity::Login, &Request::new(PLACE), None).await?;
    let path = response.stdout_text().trim_end_matches('\n').to_string();
    if !response.success() || !path.starts_with('/') {
        return Err(ErrorKind::NoSpace {
            said: "no temporary file could be made in /var/tmp, /tmp or the home directory".into(),
        });
    }
    // It is written to, and read and removed by root later on: it must be what was asked for.
    if !is_our_upload(&path) {
        return Err(ErrorKind::Protocol(format!("{path:?} is not a file of ours")));
    }
    let began = Instant::now();
    let sent = sftp(shells.opener(), &path, &content).await;
    counters.uploaded(sent.as_ref().map_or(0, |_| content.len()), began.elapsed());
    let outcome = match sent {
        Ok(()) => Ok(()),
        Err(Failed::NoSftp) => pieces(shells, &path, &content).await,
        Err(Failed::Write(said)) => {
            tracing::debug!(said, "SFTP failed, sending through the shell to learn why");
            pieces(shells, &path, &content).await
        }
    };
    match outcome {
        Ok(()) => Ok(path),
        Err(error) => {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let (quoted, folder) = (crate::files::quote(&path)?, crate::files::quote(folder)?);
            // The first error counts; this one would only say the same again.
            let _ = shells
                .run(
                    &Identity::Login,
                    &Request::new(format!("rm -f {quoted}; rmdir {folder}")),
                    None,
                )
                .await;
            Err(error)
        }
    }
}

/// Whether a path is one that [`PLACE`] makes.
fn is_our_upload(path: &str) -> bool {
    let Some((folder, "content")) = path.rsplit_once('/') else {
        return false;
    };
    let name = folder.rsplit_once('/').map_or("", |(_, name)| name);
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    name.starts_with(".mosip-prov.")
        && name.contains(".up.")
        && name.chars().all(plain)
        && !folder.split('/').any(|part| part == "..")
        && !folder.contains(char::is_control)
}

enum Failed {
    NoSftp,
    Write(String),
}

async fn sftp(opener: &SshOpener, path: &str, content: &[u8]) -> Result<(), Failed> {
    if opener.no_sftp.load(Relaxed) {
        return Err(Failed::NoSftp);
    }
    let Session {
        mut channel,
        place,
        client: _client,
    } = opener.session().await.map_err(|_| Failed::NoSftp)?;
    channel
        .request_subsystem(true, "sftp")
        .await
        .map_err(|_| Failed::NoSftp)?;
    // The refusal has to be looked for: the SFTP client would only run into its time limit.
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => break,
            Some(ChannelMsg::Failure) => {
                opener.no_sftp.store(true, Relaxed);
                // A session that never ran anything is not given back when it is closed; one whose program has ended is.
                let _ = channel.exec(false, "exit").await;
                tokio::spawn(async move {
                    while channel.wait().await.is_some() {}
                    drop(place);
                });
                return Err(Failed::NoSftp);
            }
            Some(_) => {}
            None => return Err(Failed::NoSftp),
        }
    }
    let config = Config {
        max_concurrent_writes: WRITES,
        request_timeout_secs: 60,
        ..Config::default()
    };
    let session = SftpSession::new_with_config(channel.into_stream(), config)
        .await
        .map_err(|_| Failed::NoSftp)?;
    let written = async {
        let mut file = session
            .open_with_flags(path, OpenFlags::WRITE | OpenFlags::TRUNCATE)
            .await
            .map_err(|error| error.to_string())?;
        file.write_all(content).await.map_err(|error| error.to_string())?;
        file.close().await.map_err(|error| error.to_string())
    }
    .await;
    // Ends sftp-server, which gives the session's place back.
    let _ = session.close().await;
    drop(place);
    written.map_err(Failed::Write)
}

async fn pieces(shells: &Shells<SshOpener>, path: &str, content: &Bytes) -> Result<(), ErrorKind> {
    let quoted = crate::files::quote(path)?;
    let mut from = 0;
    let mut redirect = ">";
    loop {
        let piece = content.slice(from..content.len().min(from + PIECE));
        from += piece.len();
        let request = Request::new(format!("cat {redirect}{quoted}")).payload(piece);
        let response = shells.run(&Identity::Login, &request, None).await?;
        if !response.success() {
            return Err(ErrorKind::NoSpace {
                said: format!("writing {path}: {}", response.stderr_text().trim()),
            });
        }
        if from >= content.len() {
            return Ok(());
        }
        redirect = ">>";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_is_written_to() {
        assert!(is_our_upload("/var/tmp/.mosip-prov.4711.up.aB3xYz/content"));
        assert!(is_our_upload("/home/it's me/.mosip-prov.1.up.aB3xYz/content"));
        for path in [
            "/etc/shadow",
            "/etc/shadow/content",
            "/var/tmp/.mosip-prov.1.up.aB3xYz/../../../etc/content",
            "/var/tmp/.mosip-prov.1.up.aB3xYz/content\n/etc/shadow",
            "banner\n/var/tmp/.mosip-prov.1.up.aB3xYz/content",
            "/var/tmp/.mosip-prov.1.up.a b/content",
            "content",
        ] {
            assert!(!is_our_upload(path), "{path:?}");
        }
    }

    #[test]
    fn the_place_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let made = std::process::Command::new("sh")
            .args(["-c", PLACE])
            .output()
            .expect("sh");
        let path = String::from_utf8(made.stdout).expect("text").trim_end().to_owned();
        assert!(is_our_upload(&path), "{path}");
        let mode = |path: &std::path::Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        let file = std::path::Path::new(&path);
        let folder = file.parent().expect("a folder");
        assert_eq!((mode(file), mode(folder)), (0o600, 0o700));
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
