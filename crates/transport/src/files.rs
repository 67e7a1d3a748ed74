//! Files of a target through the exchange.

use bytes::Bytes;

use crate::error::ErrorKind;
use crate::exchange::Shells;
use crate::host::{Identity, Request};
use crate::process::Opener;

/// A word as POSIX shells read it back unchanged.
///
/// # Errors
/// [`ErrorKind::BadRequest`] for a NUL byte, which no shell word can hold.
pub fn quote(word: &str) -> Result<String, ErrorKind> {
    shlex::try_quote(word)
        .map(|quoted| quoted.into_owned())
        .map_err(|_| ErrorKind::BadRequest("a word cannot contain a NUL byte".into()))
}

/// The content of a file, in one round trip.
pub(crate) async fn download<O: Opener>(
    shells: &Shells<O>,
    identity: &Identity,
    path: &str,
    limit: usize,
) -> Result<Bytes, ErrorKind> {
    let quoted = quote(path)?;
    // One byte more than allowed tells a file that is too large, without reading all of it.
    let most = limit.saturating_add(1);
    let request = Request::new(format!("exec head -c {most} <{quoted}"));
    let response = shells
        .run(identity, &request, Some(most.saturating_add(64 << 10)))
        .await?;
    if !response.success() {
        return Err(ErrorKind::File {
            path: path.into(),
            said: response.stderr_text().trim().to_string(),
        });
    }
    if response.stdout.len() > limit {
        return Err(ErrorKind::OutputTooLarge {
            size: response.stdout.len() as u64,
            limit: limit as u64,
        });
    }
    Ok(response.stdout)
}
