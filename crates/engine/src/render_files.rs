//! Files of several changes, prepared together and put in place one after the other: a few processes for each folder,
//! where each file by itself takes nine.
//!
//! Next to the places where they belong, files are made in a folder that only its owner can enter; there they get their
//! owner and mode, and are seen to be whole. Only when all are ready is the first put in place. If any is not, none is,
//! and the fragment says [`UNPREPARED`]: whoever sent it sends the changes again, each by itself, and so learns which of
//! them it is and why.

use crate::decision::Change;
use crate::render_step::Rendered;
use crate::shell::quote;
use crate::step::{FileToWrite, Step};
use bytes::BytesMut;
use indexmap::{IndexMap, IndexSet};
use std::fmt::Write;

/// The status in the first frame of files that could not be made ready together. Nothing was put in place.
pub(crate) const UNPREPARED: i32 = 94;

/// Of how many files at most one fragment is, and how long their paths are together: they become arguments.
const FILES: usize = 1000;
const PATHS: usize = 256 * 1024;

/// How much text the script of one exchange holds at most, and of one file: the shell that carries it out holds it in memory.
pub(crate) const TEXT: usize = 1024 * 1024;
const TEXT_OF_ONE: usize = 4096;

/// `o PID` sets `r` to the process of that number and when it began: the number alone may be another's by now. Folders that
/// belong to nobody who is still at work are an earlier run's that was killed.
const OWNERS: &str = r#"o() { r=; { read -r r <"/proc/$1/stat"; } 2>/dev/null; q=${r%% *}; set -- ${r##*) }; r=$q-${20}; }
o self; me=$r
c() {
for l in "$1"..mosip-prov.*; do
[ -d "$l" ] && [ ! -L "$l" ] && [ -O "$l" ] || continue
w=${l##*/..mosip-prov.}; w=${w%.*}; o "${w%%-*}"
[ "$w" = "$r" ] || rm -rf -- "$l"
done
set -- "$1".*.mosip-prov.*
[ -e "$1" ] || [ -L "$1" ]
}
"#;

/// `m FILE PLACE` puts one in place and says so, unless it is there. With -T a link to a folder is replaced, not entered.
const MOVE: &str = r#"m() {
[ -e "$1" ] || return 0
if [ -d "$2" ]; then o=$(mv -fT -- "$1" "$2" 2>&1); else o=$(mv -f -- "$1" "$2" 2>&1); fi
s=$?
printf '%s %s\n%s\n' "$s" "${#o}" "$o"
[ "$s" = 0 ] || exit 1
}
"#;

/// Puts all in place by one process, up to the first that does not go: `mv` would go on after that one.
const MOVE_ALL: &str =
    r#"perl -e 'while (@ARGV) { rename(shift, shift) or exit 1; syswrite(STDOUT, "0 0\n\n") or exit 255 }'"#;

/// The file that `change` writes, when there is nothing more to it.
pub(crate) fn plain_file(change: &Change) -> Option<&FileToWrite> {
    match change.steps.as_slice() {
        [Step::WriteFiles(write)] if write.validate.is_none() => match write.files.as_slice() {
            [file] if file.keep_first.is_none() => Some(file),
            _ => None,
        },
        _ => None,
    }
}

/// The files that the first of `changes` write, as many as may be prepared together; empty when they are not two at least.
pub(crate) fn first_files<'a>(changes: &[&'a Change]) -> Vec<&'a FileToWrite> {
    let mut paths = IndexSet::new();
    let mut length = 0;
    let files: Vec<&FileToWrite> = changes
        .iter()
        .map_while(|change| plain_file(change))
        .take(FILES)
        .take_while(|file| {
            length += file.path.len();
            length <= PATHS && paths.insert(file.path.as_str())
        })
        .collect();
    if files.len() > 1 { files } else { Vec::new() }
}

/// What the script itself may hold: text that may be shown anywhere, and that every shell takes as it is.
fn text(file: &FileToWrite) -> Option<&str> {
    let content = &file.content;
    let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    if content.is_sensitive() || content.bytes().len() > TEXT_OF_ONE || !content.bytes().iter().all(plain) {
        return None;
    }
    std::str::from_utf8(content.bytes()).ok()
}

/// The files of one folder, by their numbers.
#[derive(Default)]
struct Folder<'a> {
    number: usize,
    files: Vec<usize>,
    names: Vec<&'a str>,
    /// By owner and group, and mode.
    attributes: IndexMap<(String, u32), Vec<usize>>,
}

fn numbers(of: &[usize], between: &str) -> String {
    of.iter().map(usize::to_string).collect::<Vec<_>>().join(between)
}

/// Prints one frame for each of `files` that is in place, in their order, and one for the first that could not be put there; ends
/// with a status other than 0 after that one, or when nothing was begun. `room` is how much text the script may still hold.
pub(crate) fn write_together(files: &[&FileToWrite], room: &mut usize) -> Rendered {
    let mut payload = BytesMut::new();
    let mut folders: IndexMap<String, Folder<'_>> = IndexMap::new();
    let mut contents = String::new();
    let mut all = String::new();
    let mut each = String::new();
    for (index, file) in files.iter().enumerate() {
        let number = index + 1;
        let (place, name) = match file.path.rsplit_once('/') {
            Some((folder, name)) => (format!("{folder}/"), name),
            None => ("./".to_owned(), file.path.as_str()),
        };
        let next = folders.len() + 1;
        let folder = folders.entry(place).or_default();
        if folder.number == 0 {
            folder.number = next;
        }
        folder.files.push(index);
        folder.names.push(name);
        let owners = format!("{}:{}", quote(&file.owner), quote(&file.group));
        folder.attributes.entry((owners, file.mode)).or_default().push(number);
        let staged = format!("\"$d{}/{number}\"", folder.number);
        let bytes = file.content.bytes();
        let _ = match text(file).filter(|text| text.len() <= *room) {
            Some("") => writeln!(contents, ": >{staged} || return"),
            Some(text) => {
                *room -= text.len();
                writeln!(contents, "printf %s {} >{staged} || return", quote(text))
            }
            None => {
                payload.extend_from_slice(bytes);
                writeln!(contents, "head -c {} >{staged} || return", bytes.len())
            }
        };
        let path = match file.path.contains('/') {
            true => quote(&file.path).into_owned(),
            false => quote(&format!("./{}", file.path)).into_owned(),
        };
        let _ = write!(all, " {staged} {path}");
        let _ = writeln!(each, "m {staged} {path}");
    }
    let mut out = "(\n".to_owned();
    let mut made = String::new();
    let mut checks = String::new();
    let mut stages = String::new();
    for (place, folder) in &folders {
        let number = folder.number;
        let place = quote(place);
        let names: String = folder
            .names
            .iter()
            .map(|name| format!(" {place}.{}.mosip-prov.*", quote(name)))
            .collect();
        let _ = writeln!(out, "d{number}=");
        let _ = write!(stages, " ${{d{number}:+\"$d{number}\"}}");
        let _ = writeln!(
            made,
            "if c {place}; then rm -f --{names}; fi\nd{number}=$(mktemp -d {place}..mosip-prov.\"$me\".XXXXXX) || return"
        );
        let _ = write!(checks, "(cd \"$d{number}\"");
        for ((owners, mode), of) in &folder.attributes {
            let of = numbers(of, " ");
            let _ = write!(checks, " && chown -- {owners} {of} && chmod {mode:04o} {of}");
        }
        let _ = writeln!(checks, ") || return");
        // A full disk must not leave a short file behind, whatever the tools reported.
        let sizes: Vec<usize> = folder.files.iter().map(|i| files[*i].content.bytes().len()).collect();
        let of: Vec<usize> = folder.files.iter().map(|i| i + 1).collect();
        let _ = writeln!(
            checks,
            "[ \"$(cd \"$d{number}\" && stat -c %s {})\" = '{}' ] || return",
            numbers(&of, " "),
            numbers(&sizes, "\n")
        );
    }
    let _ = write!(
        out,
        "trap 'rm -rf --{stages}' EXIT\numask 077\n{OWNERS}{MOVE}p() {{\n{made}{contents}{checks}}}\n\
         p 2>/dev/null || {{ printf '{UNPREPARED} 0\\n\\n'; exit 1; }}\n\
         {MOVE_ALL}{all} 2>/dev/null\n\
         case $? in 0 | 1 | 126 | 127) ;; *) exit 1 ;; esac\n{each}:\n)"
    );
    Rendered {
        fragment: out,
        payload: payload.freeze(),
    }
}

#[cfg(test)]
mod tests;
