//! What is made of answers that no shell of ours gives.

use crate::fuzzing::{Heard, NONCE, Said, Way, answers, watched};
use crate::host::Stream;

fn said(pieces: &[(Stream, &[u8])]) -> Said<'static> {
    let leaked: Vec<(Stream, &'static [u8])> = pieces
        .iter()
        .map(|(stream, bytes)| (*stream, &*Box::leak(bytes.to_vec().into_boxed_slice())))
        .collect();
    Said {
        pieces: leaked,
        exit: Some(0),
    }
}

async fn heard(stdout: &str) -> Heard {
    answers(&said(&[(Stream::Stdout, stdout.as_bytes())]), Way::Login, 4, 1000).await
}

#[tokio::test]
async fn sizes_beyond_all_numbers_are_refused() {
    let huge = u64::MAX;
    let heard = heard(&format!(
        "{NONCE} ready 1 /tmp/.mosip-prov.1.x\n{NONCE} done ok 0 {huge} {huge} 1 0.00 0.00\n"
    ))
    .await;
    assert!(heard.outcomes[1].contains("was announced"), "{:?}", heard.outcomes);
}

#[tokio::test]
async fn a_clock_beyond_all_numbers_takes_no_time() {
    for (began, ended) in [
        ("0.00", "184467440737095516.15"),
        ("x", "18446744073709551615.99"),
        ("9.99", "1.00"),
    ] {
        let heard = heard(&format!(
            "{NONCE} ready 1 /tmp/.mosip-prov.1.x\n{NONCE} done ok 7 0 0 0 {began} {ended}\n"
        ))
        .await;
        assert_eq!(heard.outcomes[1], "7 b\"\" b\"\"", "{began} to {ended}");
    }
}

#[tokio::test]
async fn a_marked_line_without_end_is_given_up() {
    let endless = vec![b'x'; 1 << 20];
    let start = format!("{NONCE} ready 1 /tmp/.mosip-prov.1.x\n{NONCE} done ");
    let mut pieces: Vec<(Stream, &[u8])> = vec![(Stream::Stdout, start.as_bytes())];
    pieces.extend(std::iter::repeat_n((Stream::Stdout, &endless[..]), 20));
    let heard = answers(&said(&pieces), Way::Login, 4, 1000).await;
    assert!(
        heard.outcomes[1].starts_with("Protocol"),
        "{:?}",
        heard.outcomes[1].get(..100)
    );
    assert!(heard.outcomes[1].len() < 5000);
    assert!(heard.held < 3 << 20, "{} bytes were held", heard.held);
}

#[tokio::test]
async fn the_mark_on_standard_error_is_found_in_pieces_and_behind_noise() {
    let noise = vec![b'x'; 1 << 20];
    let start = format!("{NONCE} ready 1 /tmp/.mosip-prov.1.x\n");
    let mark = format!("{NONCE} ready\nheard\n");
    let (head, tail) = mark.split_at(9);
    let mut pieces: Vec<(Stream, &[u8])> = vec![(Stream::Stdout, start.as_bytes())];
    pieces.extend(std::iter::repeat_n((Stream::Stderr, &noise[..]), 20));
    pieces.extend([(Stream::Stderr, head.as_bytes()), (Stream::Stderr, tail.as_bytes())]);
    let heard = watched(&said(&pieces)).await;
    assert_eq!(heard.outcomes[1..], ["Stderr heard"]);
}
