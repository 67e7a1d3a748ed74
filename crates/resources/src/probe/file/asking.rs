//! How paths are asked about: the script, and its output taken apart into one answer for each path.

use super::digest;
use crate::probe::{all_failed, shorten};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mosip_prov_engine::RawAnswer;
use mosip_prov_engine::shell::quote_all;

/// Sorts the paths by kind with the shell's own tests and leaves the existing ones, links followed by where they lead
/// to, in `$@`; then stats, digests and reads them. Lines: `k=` a letter for each path; `d=` for each missing one how
/// many of its last parts are missing; `v=` targets of links; one line of `stat` for each in `$@`; `q=` which of them
/// can be digested; the digests; `c=` which of those are read; their content; `%`; what `stat` said of missing ones.
///
/// Lists are gathered as words that name their parts (`"${1}" "${3}"`): to append to `$@` copies all that is in it, which
/// takes a second for a thousand paths.
const SORT: &str = r#"k=; d=; v=; a=; b=; j=0
for p do
  j=$((j + 1))
  if [ -L "$p" ]; then
    t=$(readlink -- "$p" | base64 | tr -d '\n')
    r=$(readlink -f -- "$p" 2>/dev/null && echo /); r=${r%?/}
    a="$a \"\${$j}\""
    if [ -n "$r" ] && [ -e "$r" ]; then eval "r$j=\$r"; a="$a \"\$r$j\""; k=${k}L; else k=${k}l; r=; fi
    v="$v $t:$(printf %s "$r" | base64 | tr -d '\n')"
  elif [ -e "$p" ]; then
    k=${k}e; a="$a \"\${$j}\""
  else
    b="$b \"\${$j}\""
    f=$p; i=0
    while [ -n "$f" ] && [ ! -e "$f" ] && [ ! -L "$f" ]; do
      case $f in */*) f=${f%/*} ;; *) f= ;; esac
      i=$((i + 1))
    done
    if [ ! -d "${f:-/}" ]; then k=${k}n; elif [ -x "${f:-/}" ]; then k=${k}m; else k=${k}x; fi
    d="$d $i"
  fi
done
u=
case $k in *[mn]*) u=$(eval "stat -c . -- $b" 2>&1) ;; esac
eval "set -- $a"
s=; [ $# -eq 0 ] || s=$(stat -c '%s %f %u %g %U:%G' -- "$@" 2>/dev/null)
IFS='
'; set -f; q=; z=; a=; j=0
for l in $s; do
  j=$((j + 1)); eval "p=\${$j}"
  if [ -L "$p" ] || [ ! -f "$p" ]; then q=$q-; elif [ -r "$p" ]; then
    q=${q}r; a="$a \"\${$j}\""; z="$z${l%% *}
"
  else q=${q}u; fi
done
eval "set -- $a"
h=; [ $# -eq 0 ] || h=$(sha256sum -- "$@" 2>/dev/null | sed -n 's/^\\\{0,1\}\([0-9a-f]\{64\}\) .*/\1/p')
printf '%s\n' "k=$k" "d=$d" "v=$v"
[ -z "$s" ] || printf '%s\n' "$s"
printf '%s\n' "q=$q"
[ -z "$h" ] || printf '%s\n' "$h"
"#;

const READ: &str = r#"c=; a=; j=0
for l in $z; do
  j=$((j + 1)); eval "p=\${$j}"
  case $p in /proc/*|/sys/*) l=0 ;; esac
  if [ "$l" -gt 0 ] && [ "$l" -le 65536 ]; then c=${c}y; a="$a \"\${$j}\""; else c=${c}-; fi
done
eval "set -- $a"
printf '%s\n' "c=$c"
[ $# -eq 0 ] || cat -- "$@" 2>/dev/null | base64
"#;

pub(super) fn script(subjects: &[&str], content: bool) -> String {
    let read = if content { READ } else { "echo c=\n" };
    format!(
        "set -- {}\n{SORT}{read}printf '%%\\n%s\\n' \"$u\"\n",
        quote_all(subjects.iter().copied())
    )
}

struct Parts<'a> {
    kinds: &'a str,
    depths: Vec<usize>,
    links: Vec<(&'a str, &'a str)>,
    stats: Vec<&'a str>,
    digestible: &'a str,
    digests: Vec<&'a str>,
    read: &'a str,
    content: Vec<u8>,
    unseen: &'a str,
}

fn parts(output: &str) -> Option<Parts<'_>> {
    let (body, unseen) = output.split_once("\n%").unwrap_or((output, ""));
    let mut lines = body.lines().peekable();
    let kinds = lines.next()?.strip_prefix("k=")?;
    let depths = lines.next()?.strip_prefix("d=")?;
    let depths = depths
        .split_whitespace()
        .map(|d| d.parse().ok())
        .collect::<Option<_>>()?;
    let links = lines.next()?.strip_prefix("v=")?;
    let links = links
        .split_whitespace()
        .map(|l| l.split_once(':'))
        .collect::<Option<_>>()?;
    let mut stats = Vec::new();
    let digestible = loop {
        let line = lines.next()?;
        match line.strip_prefix("q=") {
            Some(rest) => break rest,
            None => stats.push(line),
        }
    };
    let mut digests = Vec::new();
    let read = loop {
        let line = lines.next()?;
        match line.strip_prefix("c=") {
            Some(rest) => break rest,
            None => digests.push(line),
        }
    };
    let encoded: String = lines.collect();
    Some(Parts {
        kinds,
        depths,
        links,
        stats,
        digestible,
        digests,
        read,
        content: BASE64.decode(encoded).unwrap_or_default(),
        unseen: unseen.trim_start_matches('\n'),
    })
}

/// The answer's line for each of the existing paths, in order.
fn entry_lines(parts: &Parts<'_>) -> Option<Vec<String>> {
    if parts.digestible.len() != parts.stats.len() {
        return None;
    }
    let digestible = parts.digestible.matches('r').count();
    let mut digests = (parts.digests.len() == digestible).then(|| parts.digests.iter());
    let mut reads = parts.read.chars();
    let mut content = parts.content.as_slice();
    let mut lines = Vec::new();
    for (stat, class) in parts.stats.iter().zip(parts.digestible.chars()) {
        let (size, rest) = stat.split_once(' ')?;
        let (raw_mode, owner) = rest.split_once(' ')?;
        let raw_mode = u32::from_str_radix(raw_mode, 16).ok()?;
        let kind = match raw_mode & 0o170_000 {
            0o100_000 => "regular",
            0o040_000 => "directory",
            0o120_000 => "link",
            _ => "other",
        };
        let mut line = format!("{kind} {:o} {size} {owner}", raw_mode & 0o7777);
        match class {
            'r' => {
                let known = digests
                    .as_mut()
                    .and_then(Iterator::next)
                    .copied()
                    .unwrap_or("unreadable");
                line.push(' ');
                line.push_str(known);
                if reads.next() == Some('y') {
                    let length: usize = size.parse().ok()?;
                    let (mine, rest) = content.split_at(length.min(content.len()));
                    content = rest;
                    // A file that changed while it was read would shift the others: the digest tells.
                    if digest(mine) == known {
                        line.push(' ');
                        line.push_str(&BASE64.encode(mine));
                    }
                } else if size == "0" && known == digest(b"") {
                    line.push_str(" =");
                }
            }
            'u' => line.push_str(" unreadable"),
            _ => line.push_str(" -"),
        }
        lines.push(line);
    }
    Some(lines)
}

pub(super) fn split(output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
    let not_understood = || all_failed(subjects.len(), &shorten(output));
    let Some(parts) = parts(output) else {
        return not_understood();
    };
    if parts.kinds.len() != subjects.len() {
        return not_understood();
    }
    let expected: usize = parts
        .kinds
        .chars()
        .map(|k| match k {
            'L' => 2,
            'e' | 'l' => 1,
            _ => 0,
        })
        .sum();
    let entries = match entry_lines(&parts) {
        Some(lines) if lines.len() == expected => Ok(lines),
        _ => Err("something vanished or could not be seen while it was looked at; try again".to_owned()),
    };
    let mut proofs = proofs(&parts).into_iter();
    let mut entries = entries.map(Vec::into_iter);
    let mut depths = parts.depths.iter();
    let mut links = parts.links.iter();
    let mut next_entry = || match &mut entries {
        Ok(lines) => lines.next().ok_or_else(|| "the output breaks off".to_owned()),
        Err(reason) => Err(reason.clone()),
    };
    subjects
        .iter()
        .zip(parts.kinds.chars())
        .map(|(path, kind)| match kind {
            'e' => next_entry(),
            'l' | 'L' => {
                let own = next_entry();
                let other = if kind == 'L' {
                    next_entry()
                } else {
                    Ok("dangling".into())
                };
                let (target, leads_to) = links.next().ok_or("the output breaks off")?;
                let own = own?;
                Ok(format!(
                    "{} {target} {leads_to}\n{}",
                    own.trim_end_matches(" -"),
                    other?
                ))
            }
            _ => {
                let depth = *depths.next().ok_or("the output breaks off")?;
                let above = above(path, depth);
                let proof = proofs.next().unwrap_or_else(|| Err("the output breaks off".into()));
                match kind {
                    'x' => Err(format!("{above}: Permission denied")),
                    'n' => proof.map(|()| format!("blocked {above}")),
                    _ => proof.map(|()| format!("absent {above}")),
                }
            }
        })
        .collect()
}

/// For each missing path, what `stat` said of it: that it is not there, or why that cannot be told.
fn proofs(parts: &Parts<'_>) -> Vec<Result<(), String>> {
    let proves = |line: &str| line.ends_with(": No such file or directory") || line.ends_with(": Not a directory");
    let missing = parts.depths.len();
    let lines: Vec<&str> = parts.unseen.lines().collect();
    if lines.len() == missing {
        let proof = |line: &&str| if proves(line) { Ok(()) } else { Err((*line).to_owned()) };
        return lines.iter().map(proof).collect();
    }
    // A name with a newline in it takes several lines with busybox: then all are proven, or none is.
    let expected = parts.kinds.chars().filter(|k| matches!(k, 'm' | 'n')).count();
    if lines.iter().filter(|line| proves(line)).count() == expected {
        vec![Ok(()); missing]
    } else {
        vec![Err(shorten(parts.unseen)); missing]
    }
}

/// `path` without its last `depth` parts.
fn above(path: &str, depth: usize) -> &str {
    let mut rest = path;
    for _ in 0..depth {
        rest = rest.rsplit_once('/').map_or("", |(head, _)| head);
    }
    if rest.is_empty() { "/" } else { rest }
}
