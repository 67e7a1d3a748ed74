//! What an SSH agent has to offer, asked without logging in anywhere.

use crate::target::AgentSource;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long an agent may take to list its keys: it asks nobody for that.
const PATIENCE: Duration = Duration::from_secs(1);
/// Numbers of messages (RFC 9987, "SSH Agent Protocol", section 6.1).
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;

/// How many keys the agent of `source` would offer in a login; 0 where there is no agent, or it does not answer within a
/// second.
pub fn agent_keys(source: &AgentSource) -> u32 {
    match source {
        AgentSource::None => 0,
        AgentSource::Socket(path) => count(path).unwrap_or(0),
        AgentSource::Environment => std::env::var_os("SSH_AUTH_SOCK")
            .and_then(|path| count(Path::new(&path)).ok())
            .unwrap_or(0),
    }
}

fn count(socket: &Path) -> std::io::Result<u32> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&[0, 0, 0, 1, REQUEST_IDENTITIES])?;
    // Length, the kind of answer, the number of keys; the keys themselves are not needed.
    let mut start = [0_u8; 9];
    stream.read_exact(&mut start)?;
    let [_, _, _, _, kind, number @ ..] = start;
    Ok(match kind {
        IDENTITIES_ANSWER => u32::from_be_bytes(number),
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn the_keys_of_an_agent_are_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("agent");
        let source = AgentSource::Socket(path.clone());
        assert_eq!(agent_keys(&source), 0);
        let listener = UnixListener::bind(&path).expect("bound");
        let answers: [&[u8]; 4] = [
            &[0, 0, 0, 5, IDENTITIES_ANSWER, 0, 0, 0, 2, 0, 0],
            &[0, 0, 0, 5, IDENTITIES_ANSWER, 0, 0, 0, 0],
            // A refusal, and one that breaks off.
            &[0, 0, 0, 5, 5, 0, 0, 0, 9],
            &[0, 0],
        ];
        let agent = std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().expect("a client");
                let mut asked = [0_u8; 5];
                stream.read_exact(&mut asked).expect("a question");
                assert_eq!(asked, [0, 0, 0, 1, REQUEST_IDENTITIES]);
                stream.write_all(answer).expect("answered");
            }
        });
        assert_eq!([(); 4].map(|()| agent_keys(&source)), [2, 0, 0, 0]);
        agent.join().expect("ended");
        assert_eq!(agent_keys(&AgentSource::None), 0);
    }
}
