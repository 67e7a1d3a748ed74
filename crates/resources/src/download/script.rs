//! What runs on the target to fetch a file. All fragments leave what they have in the file `$part`, which lies beside the
//! place that it is for, and which is removed when the script ends.
//!
//! Statuses of their own, beside those of curl and wget: 65 a wrong checksum, 66 no such member, 67 a wrong version, 68 a
//! tool is missing, 69 what is fetched is not to be had.

use super::{ArchiveKind, shown_url};
use crate::file::plan::folder_of;
use crate::probe::file::digest;
use mosip_prov_engine::shell::quote;
use std::fmt::Write as _;

/// The file beside `path` that bears `mark` in its name.
pub(crate) fn part(path: &str, mark: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    format!(
        "{}/.{name}.mosip-prov-part.{mark}",
        folder_of(path).trim_end_matches('/')
    )
}

/// What is to be fetched.
pub(crate) struct Fetch<'a> {
    pub url: &'a str,
    pub sha256: Option<&'a str>,
    /// The place it is for.
    pub beside: &'a str,
}

/// Compares `$part` with the checksum; `$1` is what it is called. Status 65 when it is another.
fn compare(sha256: Option<&str>, stays: &str) -> String {
    let Some(wanted) = sha256 else {
        return "right_sum() { :; }\n".to_owned();
    };
    format!(
        "right_sum() {{\n\
         found=$(sha256sum <\"$part\") || exit\n\
         found=${{found%% *}}\n\
         [ \"$found\" = {wanted} ] && return\n\
         printf 'the SHA-256 of %s is %s, and {wanted} is wanted; %s stays as it is\\n' \"$1\" \"$found\" {stays} >&2\n\
         return 65\n}}\n",
        stays = quote(stays),
    )
}

/// Fetches a URL into `$part`, resuming what was broken off: in this run always, and from an earlier run when there is a
/// checksum that tells whether both halves fit.
pub(crate) fn fetch(fetch: &Fetch<'_>) -> String {
    let Fetch { url, sha256, beside } = fetch;
    // Parts of other sources are told apart by name.
    let mark = &digest(format!("{url}\n{}", sha256.unwrap_or_default()).as_bytes())[..16];
    let part = part(beside, mark);
    let others = self::part(beside, "");
    let fresh = if sha256.is_none() { "rm -f -- \"$part\"\n" } else { "" };
    format!(
        r#"umask 077
part={part}
url={url}
for f in {others}*; do [ "$f" = "$part" ] || rm -f -- "$f"; done
{fresh}{compare}
if command -v curl >/dev/null 2>&1; then
get() {{
code=$(curl -sS -f -L --proto =http,https --proto-redir =http,https --connect-timeout 30 --speed-limit 1 --speed-time 60 -C - -o "$part" -w '%{{http_code}}' -- "$url")
s=$?
case $s in
0) return 0 ;;
1 | 3 | 23 | 35 | 47 | 51 | 58 | 60 | 77) return 2 ;;
33) rm -f -- "$part" ;;
22) case $code in
416) rm -f -- "$part" ;;
408 | 425 | 429 | 5??) ;;
*) return 2 ;;
esac ;;
esac
return 1
}}
elif command -v wget >/dev/null 2>&1; then
if wget --version 2>/dev/null | grep -q GNU; then quietly='-nv -t 1'; else quietly=; fi
get() {{
said=$(wget -c -T 60 $quietly -O "$part" "$url" 2>&1)
s=$?
[ $s = 0 ] && return 0
printf '%s\n' "$said" | grep -v :// | tail -n 3 >&2
case $said in
*' 416'*) rm -f -- "$part" ;;
*' 408'* | *' 425'* | *' 429'*) ;;
*ERROR\ 4??* | *'/1.1 4'?? | *'/1.1 4'??\ * | *'/1.0 4'??* | *certificate*) return 2 ;;
esac
return 1
}}
else
echo 'neither curl nor wget is on the host: install one of them' >&2
exit 68
fi
fetched() {{
try=1
while :; do
[ -s "$part" ] && resumed=1 && printf 'going on after %s bytes\n' "$(wc -c <"$part")"
get
s=$?
[ $s = 0 ] && return
if [ $s = 2 ] || [ $try -ge 6 ]; then
printf '%s could not be fetched, in %s tries\n' {shown} "$try" >&2
exit 69
fi
printf 'the transfer broke off; try %s of 6 follows\n' $((try + 1))
sleep $((try * try))
try=$((try + 1))
done
}}
resumed=
printf 'fetching %s\n' {shown}
fetched
if ! why=$(right_sum {shown} 2>&1); then
rm -f -- "$part"
if [ "$resumed" ]; then
echo 'both halves do not fit; fetching it whole'
fetched
why=$(right_sum {shown} 2>&1) || {{ rm -f -- "$part"; printf '%s\n' "$why" >&2; exit 65; }}
else
printf '%s\n' "$why" >&2
exit 65
fi
fi
printf '%s bytes fetched\n' "$(wc -c <"$part")"
trap 'rm -rf -- "$part" ${{new:+"$new"}}' EXIT
"#,
        part = quote(&part),
        url = quote(url),
        others = quote(&others),
        compare = compare(*sha256, beside),
        shown = quote(&shown_url(url)),
    )
}

/// Copies a file of the target into `$part`.
pub(crate) fn copy(source: &str, beside: &str, sha256: Option<&str>) -> String {
    format!(
        "umask 077\npart={part}\ntrap 'rm -rf -- \"$part\" ${{new:+\"$new\"}}' EXIT\n\
         cat -- {source} >\"$part\" || exit\n{compare}right_sum {source} || exit\n",
        part = quote(&part(beside, "copy")),
        source = quote(source),
        compare = compare(sha256, beside),
    )
}

/// `$part` is what was sent before.
pub(crate) fn sent(beside: &str) -> String {
    format!(
        "umask 077\npart={part}\ntrap 'rm -rf -- \"$part\" ${{new:+\"$new\"}}' EXIT\n",
        part = quote(&part(beside, "archive")),
    )
}

/// Where a fetched file goes.
pub(crate) struct Place<'a> {
    pub path: &'a str,
    /// As `chown` takes it: `root:root`, `:adm`. `None` leaves it to whoever the task runs as.
    pub owner: Option<String>,
    pub mode: u32,
    pub member: Option<(ArchiveKind, &'a str)>,
    pub member_sha256: Option<&'a str>,
    /// A fragment that must succeed with the candidate as `$1`.
    pub validate: Option<String>,
}

/// Puts `$part`, or a member of it, into its place.
pub(crate) fn put(place: &Place<'_>) -> String {
    let mut out = String::new();
    if let Some((kind, name)) = place.member {
        let _ = write!(
            out,
            "new={new}\n{member} >\"$new\" || {{ printf 'there is no %s in the archive; %s stays as it is\\n' {name} {path} >&2; exit 66; }}\n\
             [ -s \"$new\" ] || {{ printf '%s in the archive is empty; %s stays as it is\\n' {name} {path} >&2; exit 66; }}\n",
            new = quote(&part(place.path, "member")),
            member = member(kind, name),
            name = quote(name),
            path = quote(place.path),
        );
        if place.member_sha256.is_some() {
            let _ = write!(
                out,
                "archive=$part part=$new\n{}right_sum {} || {{ rm -f -- \"$archive\"; exit 65; }}\npart=$archive\n",
                compare(place.member_sha256, place.path),
                quote(name),
            );
        }
    } else {
        out.push_str("new=$part\n");
    }
    if let Some(owner) = &place.owner {
        let _ = writeln!(out, "chown -- {} \"$new\" || exit", quote(owner));
    }
    let _ = writeln!(out, "chmod {:04o} \"$new\" || exit", place.mode);
    if let Some(validate) = &place.validate {
        let _ = writeln!(out, "(\nset -- \"$new\"\n{validate}\n) </dev/null || exit");
    }
    let _ = writeln!(out, "mv -f -- \"$new\" {} || exit", quote(place.path));
    out
}

/// Chooses what unpacks a `zip`: `unzip`, or what else can.
pub(crate) const ZIP_TOOL: &str = "\
if command -v unzip >/dev/null 2>&1; then zip=unzip
elif busybox unzip --help >/dev/null 2>&1; then zip='busybox unzip'
elif command -v python3 >/dev/null 2>&1; then zip=
else echo 'unzip is not on the host: install it' >&2; exit 68
fi
";

/// Prints a member of `$part`.
fn member(kind: ArchiveKind, name: &str) -> String {
    let name = quote(name);
    match kind {
        ArchiveKind::TarGz => format!("gzip -dc <\"$part\" | tar -xOf - -- {name}"),
        ArchiveKind::TarXz => format!("xz -dc <\"$part\" | tar -xOf - -- {name}"),
        ArchiveKind::Zip => format!(
            "{{\n{ZIP_TOOL}\
             if [ \"$zip\" ]; then $zip -p \"$part\" {name}\n\
             else python3 -c 'import sys,zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' \"$part\" {name}\n\
             fi\n}}"
        ),
    }
}
