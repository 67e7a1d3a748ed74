//! Keys that stay on the host: a file is read with every line that holds a key replaced by a mark that names the line,
//! and written by a text with such marks, each replaced on the host.
//!
//! | mark at the end of a line | becomes |
//! |---|---|
//! | `(kept 4)` | the whole line 4 of the file that is there |
//! | `(new alice.pub)` | the first line of the file of that name in the folder where keys are made |

/// The mark for line `number` of the present file, counted from 1.
pub fn kept(number: usize) -> String {
    format!("(kept {number})")
}

/// The mark for a key that is made on the host: see [`crate::script`] for the names.
pub(crate) fn new(name: &str) -> String {
    format!("(new {name})")
}

/// Whether a value is a mark.
pub fn is_mark(value: &str) -> bool {
    value.ends_with(')') && (value.starts_with("(kept ") || value.starts_with("(new "))
}

/// A function of `sh`: `masked FILE` prints the file, each line with a `c` before it. Lines that hold a private or preshared
/// key, in comments too, lines that could be taken for a mark, and lines with anything that looks like a key and is not
/// called public, come as marks.
pub(crate) const MASKED: &str = r##"masked() {
awk '
{
  line = $0
  low = tolower(line)
  sub(/^[ \t#]*/, "", low)
  hide = 0
  if (low ~ /^(privatekey|presharedkey)/) hide = 1
  else if (line ~ /\((kept|new) [^)]*\)[ \t\r]*$/) hide = 2
  else if (low !~ /^publickey/) {
    n = split(line, word, /[^A-Za-z0-9+\/]+/)
    for (i = 1; i <= n; i++) if (length(word[i]) == 43) hide = 2
  }
  if (hide == 1) { at = index(line, "="); print "c" (at ? substr(line, 1, at) " " : "") "(kept " NR ")" }
  else if (hide == 2) print "c(kept " NR ")"
  else print "c" line
}' "$1"
}
"##;

/// A function of `sh`: `filled OLD FOLDER <TEXT` prints the text with its marks replaced: lines of OLD, keys from FOLDER.
/// Fails when a mark means nothing.
pub(crate) const FILLED: &str = r##"filled() {
awk -v old="$1" -v keys="$2" '
BEGIN { while ((getline line < old) > 0) have[++n] = line }
{
  if (match($0, /\(kept [0-9]+\)$/)) {
    i = substr($0, RSTART + 6, RLENGTH - 7) + 0
    if (i < 1 || i > n) { print "line " i " of " old " is gone" > "/dev/stderr"; exit 3 }
    print have[i]
  } else if (match($0, /\(new [A-Za-z0-9_.-]+\)$/)) {
    file = keys "/" substr($0, RSTART + 5, RLENGTH - 6)
    if ((getline key < file) <= 0 || key == "") { print "there is no key in " file > "/dev/stderr"; exit 3 }
    close(file)
    print substr($0, 1, RSTART - 1) key
  } else print
}'
}
"##;

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing::sh_available;
    use std::process::Command;

    const KEY: &str = "aGVsbG8gdGhpcyBpcyBubyByZWFsIGtleSBhdCBhbGw=";

    fn run(shell: &[&str], script: &str) -> (i32, String) {
        let output = Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", script])
            .output()
            .expect("a shell");
        (
            output.status.code().unwrap_or(-1),
            String::from_utf8(output.stdout).expect("text"),
        )
    }

    #[test]
    fn no_key_leaves_the_host_and_all_come_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.conf");
        let text = format!(
            "[Interface]\nAddress = 10.13.13.1\nprivatekey={KEY}\n#PrivateKey = {KEY}\n# old one: {KEY}\n[Peer] # (kept 1)\nPublicKey = {KEY}\n PresharedKey = {KEY} # x\nPostUp = wg set wg0 peer '{KEY}'\nPostDown = echo bye\n"
        );
        std::fs::write(&file, &text).expect("written");
        std::fs::write(folder.path().join("x.pub"), format!("{KEY}\n")).expect("written");
        for shell in sh_available() {
            let (status, masked) = run(shell, &format!("{MASKED}\nmasked {}", file.display()));
            assert_eq!(status, 0, "{shell:?}");
            let masked: Vec<&str> = masked.lines().map(|l| l.strip_prefix('c').expect("marked")).collect();
            assert_eq!(
                masked,
                [
                    "[Interface]",
                    "Address = 10.13.13.1",
                    "privatekey= (kept 3)",
                    "#PrivateKey = (kept 4)",
                    "(kept 5)",
                    "(kept 6)",
                    &format!("PublicKey = {KEY}"),
                    " PresharedKey = (kept 8)",
                    "(kept 9)",
                    "PostDown = echo bye",
                ],
                "{shell:?}"
            );
            let script = format!(
                "{FILLED}\nfilled {0} {1} <<'E'\n{2}\nPublicKey = (new x.pub)\nE",
                file.display(),
                folder.path().display(),
                masked.join("\n")
            );
            let filled = run(shell, &script);
            assert_eq!(filled, (0, format!("{text}PublicKey = {KEY}\n")), "{shell:?}");
            for wrong in ["(kept 99)", "(kept 0)", "(new nothing)"] {
                let script = format!(
                    "{FILLED}\necho 'x = {wrong}' | filled {} {}",
                    file.display(),
                    folder.path().display()
                );
                assert_eq!(run(shell, &script).0, 3, "{shell:?} {wrong}");
            }
        }
        assert!(is_mark("(kept 3)") && is_mark("(new a.psk)") && !is_mark(KEY));
        assert_eq!((kept(3), new("a.psk")), ("(kept 3)".into(), "(new a.psk)".into()));
    }
}
