//! How files look: what stands at the top of the repository, module headers, sizes, words that have no place in it.

/// One tracked file.
pub struct File {
    /// From the root of the repository.
    pub path: String,
    /// Its text; nothing when it is binary.
    pub text: Option<String>,
}

/// All that may stand at the top of the repository.
const TOP: &[&str] = &[
    ".cargo",
    ".ci",
    ".config",
    ".gitattributes",
    ".github",
    ".gitignore",
    ".rustfmt.toml",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "clippy.toml",
    "crates",
    "deny.toml",
    "docs",
    "inventory-examples",
    "roles",
    "rustfmt.toml",
    "tests",
    "xtask",
];

/// The most lines a source file may have outside tests.
const LONGEST: usize = 500;

/// Words that no file may hold, in two halves so that this file does not, and why.
const BANNED: &[(&str, &str, &str)] = &[
    (
        "TO",
        "DO",
        "unfinished work; finish it, or say in the documentation what is not done",
    ),
    (
        "FIX",
        "ME",
        "unfinished work; finish it, or say in the documentation what is not done",
    ),
    ("/wo", "rk/", "a path of one person's machine"),
    ("/tmp/", "briefs", "a path of one person's machine"),
    ("/tmp/", "target", "a path of one person's machine"),
    ("/tmp/", "bin/", "a path of one person's machine"),
];

/// Checks every file.
pub fn check(files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut strangers = Vec::new();
    for file in files {
        let top = file.path.split('/').next().unwrap_or_default();
        if !TOP.contains(&top) && !strangers.contains(&top) {
            strangers.push(top);
            findings.push(format!(
                "{top}: has no place at the top of the repository (xtask/src/tidy/files.rs lists what has)"
            ));
        }
        let Some(text) = &file.text else { continue };
        findings.extend(banned(&file.path, text));
        if file.path.ends_with(".rs") {
            findings.extend(source(&file.path, text));
        }
    }
    findings
}

fn is_test(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or_default();
    name == "tests.rs" || name.ends_with("_tests.rs") || parts.any(|folder| folder == "tests")
}

fn source(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let example = path.ends_with("/build.rs") || path.split('/').any(|part| part == "examples");
    if !example && !text.starts_with("//!") {
        findings.push(format!(
            "{path}:1: does not start with `//!` and what the module is for"
        ));
    }
    let lines = text.lines().count();
    if lines > LONGEST && !is_test(path) {
        findings.push(format!(
            "{path}: has {lines} lines; {LONGEST} is the most outside tests. Split it by what it is about"
        ));
    }
    for (number, line) in text.lines().enumerate() {
        if has_unsafe(line) {
            findings.push(format!("{path}:{}: unsafe code", number + 1));
        }
    }
    findings
}

/// Whether a line of Rust holds the keyword where it opens unsafe code; in comments and strings it is only a word.
fn has_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.match_indices("unsafe").any(|(at, word)| {
        let before = code[..at].chars().next_back();
        let quotes = code[..at].matches('"').count();
        let rest = code[at + word.len()..].trim_start();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '!')
            && quotes.is_multiple_of(2)
            && ["{", "fn ", "impl", "trait ", "extern ", "("]
                .iter()
                .any(|next| rest.starts_with(next))
    })
}

fn banned(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (first, second, why) in BANNED {
        let word = format!("{first}{second}");
        for (number, line) in text.lines().enumerate() {
            if line.match_indices(&word).any(|(at, _)| alone(line, at, &word)) {
                findings.push(format!("{path}:{}: `{word}`: {why}", number + 1));
            }
        }
    }
    findings
}

/// Whether the word at that place is not just a part of a longer word or path.
fn alone(line: &str, at: usize, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '}' | '$' | '-');
    let before = line[..at].chars().next_back().is_some_and(part);
    let open = word.starts_with('/');
    let after = !open && line[at + word.len()..].chars().next().is_some_and(part);
    !before && !after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        check(&[File {
            path: path.into(),
            text: Some(text.into()),
        }])
    }

    #[test]
    fn a_file_that_keeps_the_rules_has_no_finding() {
        let text = "//! What it is.\n// unsafe { is a word here\nlet tag = \"unsafe {\";\n#![forbid(unsafe_code)]\n";
        assert_eq!(findings("crates/a/src/lib.rs", text), Vec::<String>::new());
    }

    #[test]
    fn a_module_says_what_it_is_for() {
        let found = findings("crates/a/src/lib.rs", "use std::fs;\n");
        assert!(found[0].contains("does not start with `//!`"), "{found:?}");
        for path in ["crates/a/build.rs", "crates/a/examples/x.rs"] {
            assert_eq!(findings(path, "fn main() {}\n"), Vec::<String>::new());
        }
    }

    #[test]
    fn long_files_are_for_tests_only() {
        let at_most = format!("//! x\n{}", "\n".repeat(LONGEST - 1));
        assert_eq!(findings("crates/a/src/lib.rs", &at_most), Vec::<String>::new());
        let long = format!("{at_most}\n");
        let found = findings("crates/a/src/lib.rs", &long);
        assert!(found[0].contains("has 501 lines"), "{found:?}");
        for path in [
            "crates/a/tests/it.rs",
            "crates/a/src/parse/tests.rs",
            "crates/a/src/parse_tests.rs",
            "tests/src/lib.rs",
        ] {
            assert_eq!(findings(path, &long), Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn unsafe_code_is_found() {
        for line in [
            "    unsafe { x() }",
            "pub unsafe fn f() {}",
            "unsafe impl Send for X {}",
            "#[unsafe(no_mangle)]",
        ] {
            let found = findings("crates/a/src/lib.rs", &format!("//! x\n{line}\n"));
            assert_eq!(found, ["crates/a/src/lib.rs:2: unsafe code"], "{line}");
        }
    }

    #[test]
    fn a_stranger_at_the_top_is_named_once() {
        let file = |path: &str| File {
            path: path.into(),
            text: None,
        };
        let found = check(&[file("notes/a"), file("notes/b"), file("docs/a"), file("Cargo.toml")]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("notes:"), "{found:?}");
    }

    #[test]
    fn banned_words_are_found_where_they_stand_alone() {
        let todo = ["TO", "DO"].concat();
        let path = ["/wo", "rk/main"].concat();
        let found = findings("docs/a.md", &format!("fine\n{todo}: later\nsee {path}\n"));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("docs/a.md:2:") && found[1].starts_with("docs/a.md:3:"));
        let fine = format!("x{path} ${{folder}}{path} {todo}S AUTO{todo}");
        assert_eq!(findings("docs/a.md", &fine), Vec::<String>::new());
    }
}
