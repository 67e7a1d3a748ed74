//! What is decided about the release and images on a machine.

use mosip_prov_resources::testing::{self as t, expect_change, expect_error, expect_nothing};
use mosip_prov_resources::{Answers, Decision, Resource, Step};
use mosip_prov_rke2::{Image, Installed, Placed, Release, SharedFile, Tarball, artifacts};
use std::path::Path;

const RELEASE: &str = "v1.25.16+rke2r2";

fn sum(letter: &str) -> String {
    letter.repeat(64)
}

fn installed(from: artifacts::From) -> Installed {
    let tarball = Tarball {
        name: "rke2.linux-amd64.tar.gz".into(),
        sha256: sum("a"),
        from,
    };
    Installed::new(Release::parse(RELEASE).expect("a release"), tarball)
}

fn local(folder: &Path) -> Installed {
    let path = folder.join("rke2.linux-amd64.tar.gz");
    std::fs::write(&path, "the archive").expect("written");
    installed(artifacts::From::File(SharedFile::new(path)))
}

/// What the machine says to the one question of `resource`.
fn says(resource: &impl Resource, output: &str) -> Answers {
    let questions = resource.questions();
    assert_eq!(questions.len(), 1);
    t::command(Answers::new(), questions[0].subject(), 0, output)
}

#[test]
fn a_machine_with_the_release_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let it = local(folder.path());
    let version = format!("rke2 version {RELEASE} (0123abc)");
    expect_nothing(&it, &says(&it, &format!("{version}\n{}", sum("a"))));
    // Installed by other means: it is what it says.
    expect_nothing(&it, &says(&it, &format!("{version}\nunknown")));
    for other in ["changed", &sum("b")] {
        expect_change(&it, &says(&it, &format!("{version}\n{other}")));
    }
}

#[test]
fn a_release_is_brought_checked_and_unpacked() {
    let folder = tempfile::tempdir().expect("a folder");
    let it = local(folder.path());
    let change = expect_change(&it, &says(&it, "absent"));
    let Some(Step::WriteFiles(write)) = change.steps.get(1) else {
        panic!("{change:?}")
    };
    assert_eq!(write.files[0].content.bytes(), "the archive");
    assert!(write.validate.as_deref().is_some_and(|check| check.contains(&sum("a"))));
    let script = t::scripts(&change);
    assert!(script.contains("'rke2 version v1.25.16+rke2r2'"), "{script}");
    for shell in t::sh_available() {
        let checked = std::process::Command::new(shell[0])
            .args(&shell[1..])
            .args(["-n", "-c", &script])
            .status()
            .expect("runs");
        assert!(checked.success(), "{shell:?}\n{script}");
    }
    let it = installed(artifacts::From::Url("https://x/rke2.tar.gz".into()));
    let script = t::scripts(&expect_change(&it, &says(&it, "absent")));
    assert!(
        script.contains("-- https://x/rke2.tar.gz") && script.contains(&sum("a")),
        "{script}"
    );
}

#[test]
fn kubernetes_goes_one_step_at_a_time_and_never_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let it = local(folder.path());
    let from = |release: &str| says(&it, &format!("rke2 version {release} (x)\n{}", sum("b")));
    expect_change(&it, &from("v1.24.17+rke2r1"));
    expect_change(&it, &from("v1.25.16+rke2r1"));
    assert!(expect_error(&it, &from("v1.26.1+rke2r1")).contains("v1.25.16+rke2r2 is older"));
    assert!(expect_error(&it, &from("v1.25.16+rke2r3")).contains("cannot go back"));
    assert!(expect_error(&it, &from("v1.23.17+rke2r1")).contains("go by way of a release of v1.24"));
}

#[test]
fn a_program_that_does_not_tell_its_release_is_not_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let it = local(folder.path());
    // A loaded machine's program is cut off before it says anything: the record's line is the first then.
    for output in [
        "unknown".to_owned(),
        sum("a"),
        sum("b"),
        String::new(),
        format!("rke2 version dev\n{}", sum("a")),
    ] {
        let decided = it.decide(&says(&it, &output));
        assert!(
            matches!(&decided, Ok(Decision::NotYet { reason }) if reason.contains("/usr/local/bin/rke2 --version")),
            "{output:?}: {decided:?}"
        );
    }
}

#[test]
fn images_are_known_by_their_checksum() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("images");
    std::fs::write(&path, "images").expect("written");
    let it = Placed::new(Image {
        name: "rke2-images.linux-amd64.tar.zst".into(),
        sha256: sum("c"),
        size: 800_000_001,
        file: SharedFile::new(&path),
    });
    expect_nothing(&it, &says(&it, &sum("c")));
    expect_nothing(&it, &says(&it, &format!("{}  -", sum("c"))));
    let change = expect_change(&it, &says(&it, "absent"));
    assert_eq!(
        change.summary,
        "put rke2-images.linux-amd64.tar.zst into place (801 MB)"
    );
    // What was read is held only as long as it is on its way.
    drop(change);
    std::fs::remove_file(&path).expect("removed");
    assert!(expect_error(&it, &says(&it, "absent")).contains("cannot be read"));
    // Where nothing is to be brought, nothing is read.
    expect_nothing(&it, &says(&it, &sum("c")));
}
