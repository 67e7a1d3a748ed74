//! What is bound to what, as data.

use super::*;
use crate::step::{FileToWrite, Shell, WriteFiles};
use std::time::Duration;

fn key(byte: u8) -> Key {
    Key::new([byte; 32])
}

fn rests() -> Digest {
    key(9).digest("answers", [b"as they are".as_slice()])
}

fn task(name: &str, kind: Kind) -> Planned {
    Planned {
        play: ("book".into(), "play".into()),
        role: "role".into(),
        task: name.into(),
        handler: false,
        kind,
        reason: format!("{name} is so"),
        differences: Vec::new(),
        change: (kind == Kind::Change).then(|| digest(&Change::new(name))),
        answers: Some(rests()),
        again: false,
    }
}

fn now(tasks: Vec<Planned>) -> Decisions {
    Decisions {
        plays: tasks.iter().map(|t| t.play.clone()).collect(),
        tasks,
        ..Decisions::default()
    }
}

fn digest(change: &Change) -> Digest {
    digest_of(&key(1), "h root", change, rests(), false)
}

#[test]
fn which_decisions_fit_which() {
    use Kind::{Change, Failed, Nothing, Open, Skipped};
    let all = [Nothing, Skipped, Change, Open, Failed];
    // Something else on the host is still to be done, else it would count as done.
    let other = task("other", Change);
    let mut fitting = Vec::new();
    for planned in all {
        for have in all {
            let planned_tasks = [other.clone(), task("t", planned)];
            let moved = compare("h", &planned_tasks, &now(vec![other.clone(), task("t", have)]));
            if moved.is_empty() {
                fitting.push((planned, have));
            } else {
                assert_eq!(moved.len(), 1);
                assert_eq!((moved[0].task.task.as_str(), moved[0].task.host.as_str()), ("t", "h"));
                assert!(moved[0].planned.starts_with(planned.word()) && moved[0].now.starts_with(have.word()));
            }
        }
    }
    assert_eq!(
        fitting,
        [
            (Nothing, Nothing),
            (Nothing, Skipped),
            (Skipped, Nothing),
            (Skipped, Skipped),
            (Change, Change),
            (Open, Nothing),
            (Open, Skipped),
            (Open, Change),
            (Open, Open),
            (Failed, Failed)
        ]
    );
}

#[test]
fn tasks_that_came_or_went_are_differences_and_order_is_none() {
    let (a, b, c) = (task("a", Kind::Change), task("b", Kind::Nothing), task("c", Kind::Open));
    assert_eq!(
        compare("h", &[a.clone(), b.clone()], &now(vec![b.clone(), a.clone()])),
        []
    );
    let names = |moved: Vec<Moved>| -> Vec<(String, String, String)> {
        moved.into_iter().map(|m| (m.task.task, m.planned, m.now)).collect()
    };
    assert_eq!(
        names(compare("h", &[a.clone(), b.clone()], &now(vec![a.clone(), c.clone()]))),
        [
            (
                "c".into(),
                "not among the tasks".into(),
                "known after earlier changes: c is so".into()
            ),
            (
                "b".into(),
                "nothing to do: b is so".into(),
                "not among the tasks".into()
            )
        ]
    );
    // Two tasks of one name are two.
    assert_eq!(
        compare("h", &[a.clone(), a.clone()], &now(vec![a.clone(), a.clone()])),
        []
    );
    assert_eq!(compare("h", &[a.clone(), a.clone()], &now(vec![a.clone()])).len(), 1);
    // A handler is no task.
    let handler = Planned {
        handler: true,
        ..a.clone()
    };
    assert_eq!(compare("h", std::slice::from_ref(&a), &now(vec![handler])).len(), 2);
    // A play that is left out is not compared: it is not carried out either.
    let later = Planned {
        play: ("book".into(), "later".into()),
        ..b
    };
    assert_eq!(compare("h", &[a.clone(), later], &now(vec![a])), []);
}

#[test]
fn a_host_that_fails_says_why_and_not_all_that_follows() {
    let (a, b, c) = (
        task("a", Kind::Change),
        task("b", Kind::Change),
        task("c", Kind::Change),
    );
    let planned = [a.clone(), b.clone(), c.clone()];
    let mut have = now(vec![a.clone(), task("b", Kind::Failed)]);
    have.cut_off = true;
    let moved = compare("h", &planned, &have);
    assert_eq!(moved.len(), 1);
    assert_eq!(moved[0].now, "fails: b is so");
    let mut have = now(vec![a]);
    (have.cut_off, have.failure) = (true, Some("no way there".into()));
    let moved = compare("h", &planned, &have);
    assert_eq!(
        moved.iter().map(|m| m.now.as_str()).collect::<Vec<_>>(),
        ["not come to: no way there"; 2]
    );
    // Nothing to do so far is not nothing to do.
    let mut have = now(vec![task("a", Kind::Nothing)]);
    have.cut_off = true;
    assert!(!compare("h", &planned, &have).is_empty());
}

#[test]
fn a_host_where_nothing_is_left_to_be_done_fits() {
    let planned = [task("a", Kind::Change), task("b", Kind::Open), task("c", Kind::Nothing)];
    let done = |kinds: [Kind; 3]| {
        let names = ["a", "b", "c"].into_iter().zip(kinds);
        now(names.map(|(name, kind)| task(name, kind)).collect())
    };
    assert_eq!(
        compare("h", &planned, &done([Kind::Nothing, Kind::Skipped, Kind::Nothing])),
        []
    );
    // Half of it done by somebody else is not what was looked at.
    assert_eq!(
        compare("h", &planned, &done([Kind::Nothing, Kind::Change, Kind::Nothing])).len(),
        1
    );
}

#[test]
fn where_the_words_are_the_same_it_is_said_what_is_not() {
    let planned = task("a", Kind::Change);
    let mut have = planned.clone();
    have.change = Some(digest(&Change::new("a").step(Shell::new("s", "another"))));
    let said = |have: &Planned| {
        compare("h", std::slice::from_ref(&planned), &now(vec![have.clone()]))[0]
            .now
            .clone()
    };
    assert!(said(&have).contains("the inputs have changed"), "{}", said(&have));
    have.answers = Some(key(9).digest("answers", [b"other".as_slice()]));
    assert!(said(&have).contains("the host is not as it was"), "{}", said(&have));
}

fn write(content: Content, mode: u32) -> Change {
    Change::new("write").step(WriteFiles {
        files: vec![FileToWrite {
            path: "/etc/f".into(),
            content,
            mode,
            owner: "root".into(),
            group: "root".into(),
            keep_first: None,
        }],
        validate: None,
    })
}

#[test]
fn whatever_would_be_done_or_shown_is_in_the_digest() {
    let base = || write(Content::public("x"), 0o644).differs("content", Shown::Absent, Shown::text("x"));
    let shell = |script: &str| Change::new("s").step(Shell::new("s", script));
    let reading =
        |text: &'static str| Change::new("s").step(Shell::new("s", "cat").reading(Content::sensitive(text.as_bytes())));
    let changes = [
        base(),
        write(Content::public("y"), 0o644).differs("content", Shown::Absent, Shown::text("x")),
        write(Content::sensitive("x"), 0o644).differs("content", Shown::Absent, Shown::text("x")),
        write(Content::public("x"), 0o600).differs("content", Shown::Absent, Shown::text("x")),
        write(Content::public("x"), 0o644).differs("content", Shown::text(""), Shown::text("x")),
        base().differs("mode", Shown::Absent, Shown::text("x")),
        base().touching([Touch::Path("/etc/f".into())]),
        base().touching([Touch::Path("/etc/g".into())]),
        base().step(Shell::new("then", "true")),
        shell("a"),
        shell("ab"),
        reading("a"),
        reading("b"),
        Change::new("s").step(Shell::new("s", "a").long(Duration::from_secs(1))),
        Change::new("s").step(Step::Reboot {
            timeout: Duration::from_secs(1),
        }),
        Change::new("s").step(Step::Reboot {
            timeout: Duration::from_secs(2),
        }),
    ];
    for (n, one) in changes.iter().enumerate() {
        assert_eq!(digest(one), digest(&one.clone()));
        for (m, other) in changes.iter().enumerate() {
            assert_eq!(n == m, digest(one) == digest(other), "{n} {m}");
        }
    }
    // The summary is only words.
    assert_eq!(
        digest(&base()),
        digest(&Change {
            summary: "other".into(),
            ..base()
        })
    );
}

#[test]
fn what_is_not_shown_rests_on_the_answers() {
    let other = key(9).digest("answers", [b"other".as_slice()]);
    let of = |change: &Change, rests_on, hidden| digest_of(&key(1), "h", change, rests_on, hidden);
    let shown = write(Content::public("x"), 0o644).differs("content", Shown::text("a"), Shown::text("x"));
    assert_eq!(of(&shown, rests(), false), of(&shown, other, false));
    assert_ne!(of(&shown, rests(), true), of(&shown, other, true));
    let secret = write(Content::sensitive("x"), 0o600).differs("content", Shown::Masked, Shown::Masked);
    assert_ne!(of(&secret, rests(), false), of(&secret, other, false));
    let nothing_shown = Change::new("run it");
    assert_ne!(of(&nothing_shown, rests(), false), of(&nothing_shown, other, false));
}

#[test]
fn digests_are_keyed_have_a_purpose_and_come_back_from_their_text() {
    let parts = || [b"hunter2".as_slice()];
    let one = key(1).digest("answers", parts());
    assert_ne!(one, key(2).digest("answers", parts()));
    assert_ne!(one, key(1).digest("change", parts()));
    assert_ne!(
        key(1).digest("x", [b"ab".as_slice(), b"c"]),
        key(1).digest("x", [b"a".as_slice(), b"bc"])
    );
    assert_eq!(one.to_string().parse(), Ok(one));
    for wrong in [
        "",
        "ab",
        &"g".repeat(64),
        &"A".repeat(64),
        &"a".repeat(63),
        &"a".repeat(65),
        &"a".repeat(66),
    ] {
        assert_eq!(wrong.parse::<Digest>(), Err(NoDigest), "{wrong}");
    }
    assert!(!format!("{:?}", key(7)).contains('7'));
}
