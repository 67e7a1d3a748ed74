//! The fuzz targets on committed inputs, on variations of them, and on very long ones: what `cargo xtask test` runs of the
//! fuzzing. Always the same inputs, so that what fails once fails again; `cargo xtask fuzz` looks further.

use mosip_prov_fuzz::mutate::{Random, repeated, variation};
use mosip_prov_fuzz::{TARGETS, Target, target, words};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

/// Size of the long inputs: where time grows with the square of the size, these take hours rather than moments. The parser of templates
/// counts columns in 16 bits, which overflow in a longer line; that is an error only where numbers are checked.
const LONG: usize = 60_000;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The committed inputs of a target, sorted by name.
fn seeds(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = folder("corpus").join(target.name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut seeds: Vec<(String, Vec<u8>)> = files
        .map(|file| {
            let path = file.expect("a file").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (name, std::fs::read(&path).expect("read"))
        })
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{} has no inputs", target.name);
    seeds
}

fn words_of(target: &Target) -> Vec<Vec<u8>> {
    let file = folder("words").join(format!("{}.dict", target.name));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    words::parse(&text).unwrap_or_else(|line| panic!("{}: line {line} is no word", file.display()))
}

/// Runs a target; when a property does not hold, the input is kept in a file and named.
fn run(target: &Target, bytes: &[u8], what: &str) {
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(bytes)));
    if let Err(panic) = outcome {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}", target.name));
        let _ = std::fs::write(&kept, bytes);
        eprintln!("{}: {what}; the input is in {}", target.name, kept.display());
        resume_unwind(panic);
    }
}

fn committed_and_varied(name: &str) {
    let target = target(name).expect("a target");
    let seeds = seeds(target);
    for (file, bytes) in &seeds {
        run(target, bytes, &format!("corpus/{name}/{file}"));
    }
    let seeds: Vec<Vec<u8>> = seeds.into_iter().map(|(_, bytes)| bytes).collect();
    let words = words_of(target);
    let mut random = Random::new(1);
    for number in 0..target.variations {
        let bytes = variation(&mut random, &seeds, &words, 4096);
        run(target, &bytes, &format!("variation {number}"));
    }
}

/// A word or two over and over, and seeds over and over: what grows faster than its input would not come to an end here.
fn long(name: &str) {
    let target = target(name).expect("a target");
    let words = words_of(target);
    let mut random = Random::new(2);
    for number in 0..target.long {
        let part: Vec<u8> = match number {
            0 => seeds(target).into_iter().flat_map(|(_, bytes)| bytes).collect(),
            _ => (0..=random.below(3))
                .flat_map(|_| words[random.below(words.len())].clone())
                .collect(),
        };
        // A choice comes first.
        let mut bytes = vec![u8::try_from(random.below(256)).unwrap_or(0)];
        bytes.extend(repeated(&part, LONG));
        run(
            target,
            &bytes,
            &format!("{:?} over and over", String::from_utf8_lossy(&part)),
        );
    }
}

macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        const TESTED: &[&str] = &[$(stringify!($name)),+];
        $(mod $name {
            #[test]
            fn committed_and_varied() {
                super::committed_and_varied(stringify!($name));
            }

            #[test]
            fn long() {
                super::long(stringify!($name));
            }
        })+
    };
}

tests!(
    ini,
    yaml,
    jinja,
    patterns,
    known_hosts,
    vault,
    exchange,
    terraform,
    kubectl,
    rancher,
    dns,
    ssh_config,
    certificates,
    journal,
    wireguard,
    output,
);

#[test]
fn every_target_is_tested_and_has_inputs() {
    let targets: BTreeSet<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(targets, TESTED.iter().copied().collect::<BTreeSet<_>>());
    for kind in ["corpus", "words"] {
        let there: BTreeSet<String> = std::fs::read_dir(folder(kind))
            .expect("the folder")
            .map(|file| {
                let name = file.expect("a file").file_name().to_string_lossy().into_owned();
                name.trim_end_matches(".dict").to_owned()
            })
            .collect();
        let there: BTreeSet<&str> = there.iter().map(String::as_str).collect();
        assert_eq!(there, targets, "{kind}");
    }
}

#[test]
fn the_committed_inputs_stay_small() {
    let size: usize = TARGETS.iter().flat_map(seeds).map(|(_, bytes)| bytes.len()).sum();
    assert!(
        size < 600_000,
        "{size} bytes; leave out what `cargo xtask fuzz --merge` finds no use for"
    );
}
