//! What a target answers: the start of a shell, sudo's questions, answers, lines of watched requests.

use crate::input::{Input, pieces};
use mosip_prov_transport::Stream;
use mosip_prov_transport::fuzzing::{Heard, NONCE, Said, Way, answers, watched};
use std::sync::LazyLock;
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
});

/// Stands for the nonce and a blank, which no variation would come upon by itself.
const MARK: u8 = 2;
/// What comes before it is said on standard error.
const OTHER_STREAM: u8 = 3;
/// The largest answer that is taken.
const LIMIT: usize = 4096;

/// It makes no difference in which pieces a target's bytes come; what is made of them is bounded by their number; a password is
/// sent once, and only to the prompt that holds the nonce. The first byte chooses who is listening and how the program ends.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let choice = input.byte();
    let rest = input.rest();
    let (stderr, stdout) = match rest.iter().position(|byte| *byte == OTHER_STREAM) {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (&rest[..0], rest),
    };
    let (stderr, stdout) = (marked(stderr), marked(stdout));
    let exit = match choice >> 6 {
        0 => None,
        1 => Some(0),
        2 => Some(1),
        _ => Some(255),
    };
    let way = choice % 3;
    let listen = |said: &Said<'_>| {
        RUNTIME.block_on(async {
            match way {
                0 => answers(said, Way::Login, 16, LIMIT).await,
                1 => answers(said, Way::Sudo, 16, LIMIT).await,
                _ => watched(said).await,
            }
        })
    };
    let said = |stderr: Vec<&'_ [u8]>, stdout: Vec<&'_ [u8]>| -> Heard {
        let first = stderr.into_iter().map(|piece| (Stream::Stderr, piece));
        let then = stdout.into_iter().map(|piece| (Stream::Stdout, piece));
        listen(&Said {
            pieces: first.chain(then).collect(),
            exit,
        })
    };
    let whole = said(vec![&stderr], vec![&stdout]);
    let seed = u64::from(choice) + rest.len() as u64;
    let cut = said(pieces(&stderr, seed), pieces(&stdout, seed + 1));
    // What comes behind an error is not looked at, and still held or not even taken.
    assert_eq!(
        (&whole.outcomes, &whole.sent),
        (&cut.outcomes, &cut.sent),
        "pieces make a difference"
    );

    let size: usize = whole.outcomes.iter().map(String::len).sum();
    // Bytes that are no text are shown as four characters, those that are no UTF-8 as three bytes.
    assert!(
        size <= 4096 + 8 * (stderr.len() + stdout.len()),
        "{size} bytes of outcomes"
    );
    assert!(whole.held <= 4 * (stderr.len() + stdout.len()));
    let given = whole.sent.windows(9).filter(|part| part == b"password\n").count();
    let asked = String::from_utf8_lossy(&stderr).contains(&format!("{NONCE}% "));
    assert!(given <= 1, "the password was sent {given} times");
    assert!(
        given == 0 || (asked && way == 1),
        "the password was sent to nobody that asked"
    );
}

fn marked(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 64);
    for byte in bytes {
        match *byte {
            MARK => {
                out.extend_from_slice(NONCE.as_bytes());
                out.push(b' ');
            }
            other => out.push(other),
        }
    }
    out
}
