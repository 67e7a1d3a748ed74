//! The test of a candidate before anything is replaced: certificate, key and configuration are only right together.

use mosip_prov_resources::shell::quote;

/// The configuration that nginx reads.
pub const CONFIGURATION: &str = "/etc/nginx/nginx.conf";

/// A fragment of `sh` that succeeds when `nginx -t` accepts the candidates `$1` (certificate), `$2` (key) and `$3`
/// (configuration). The configuration names the files by their final paths `cert_path` and `key_path`, so that a copy is
/// tested that names the candidates; it lies in nginx's own folder, since relative includes count from there. What
/// nginx says is printed as it is, with the final paths in place of the temporary ones.
pub fn test_script(cert_path: &str, key_path: &str) -> String {
    format!(
        r#"c=$1 k=$2
t=$(mktemp "$(dirname "$3")/.candidate.XXXXXX") || exit
trap 'rm -f -- "$t"' EXIT
sed -e "s|{cert}\([;\"' ]\)|$c\1|g" -e "s|{key}\([;\"' ]\)|$k\1|g" "$3" >"$t" || exit
n=$(command -v nginx || echo /usr/sbin/nginx)
o=$("$n" -t -q -c "$t" 2>&1)
s=$?
printf '%s\n' "$o" | sed -e "s|$t|{configuration}|g" -e "s|$c|{cert_shown}|g" -e "s|$k|{key_shown}|g"
exit "$s""#,
        cert = pattern(cert_path),
        key = pattern(key_path),
        configuration = CONFIGURATION,
        cert_shown = cert_path,
        key_shown = key_path,
    )
}

/// The path as a regular expression of `sed` within double quotes. The settings allow no character that needs more.
fn pattern(path: &str) -> String {
    path.replace('.', "[.]").replace('+', "[+]")
}

/// A fragment of `sh` that only reads: prints how the installed nginx was built; nothing when there is none.
pub fn build_script() -> String {
    format!(
        "n=$(command -v nginx || echo {fallback}); if [ -x \"$n\" ]; then \"$n\" -V 2>&1; fi",
        fallback = quote("/usr/sbin/nginx")
    )
}

/// Whether nginx, built as `build` says (see [`build_script`]), has the stream module inside: as the vendor's own
/// packages have it, which the distribution's module package does not fit.
pub fn has_stream_inside(build: &str) -> bool {
    build.split_whitespace().any(|word| word == "--with-stream")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::{Command, Output};

    /// Runs the test on candidates in `dir`, with a stand-in for nginx that keeps what it was given and answers `says`.
    fn run(dir: &Path, says: &str) -> Output {
        let nginx = dir.join("bin/nginx");
        fs::create_dir_all(dir.join("bin")).expect("made");
        fs::write(
            &nginx,
            format!("#!/bin/sh\nshift 3\ncp \"$1\" {}/seen\n{says}\n", dir.display()),
        )
        .expect("written");
        fs::set_permissions(&nginx, fs::Permissions::from_mode(0o755)).expect("set");
        fs::create_dir_all(dir.join("etc")).expect("made");
        let conf = "ssl_certificate /s/fullchain.pem;\nssl_certificate_key /s/privkey.pem;\n# /s/fullchainXpem;\n";
        fs::write(dir.join("etc/.new"), conf).expect("written");
        Command::new("sh")
            .args([
                "-c",
                &test_script("/s/fullchain.pem", "/s/privkey.pem"),
                "sh",
                "/s/.cert-new",
                "/s/.key-new",
            ])
            .arg(dir.join("etc/.new"))
            .env("PATH", format!("{}:/usr/bin:/bin", dir.join("bin").display()))
            .output()
            .expect("sh runs")
    }

    #[test]
    fn nginx_sees_the_candidates_and_nothing_is_left() {
        let dir = tempfile::tempdir().expect("a folder");
        let output = run(dir.path(), "exit 0");
        assert!(output.status.success(), "{output:?}");
        let seen = fs::read_to_string(dir.path().join("seen")).expect("kept");
        assert_eq!(
            seen,
            "ssl_certificate /s/.cert-new;\nssl_certificate_key /s/.key-new;\n# /s/fullchainXpem;\n"
        );
        assert_eq!(fs::read_dir(dir.path().join("etc")).expect("there").count(), 1);
    }

    #[test]
    fn what_nginx_says_is_kept_with_the_final_paths() {
        let dir = tempfile::tempdir().expect("a folder");
        let says = r#"echo "nginx: [emerg] host not found in upstream \"no.invalid\" in $1:12" >&2; echo "nginx: key /s/.key-new" >&2; exit 1"#;
        let output = run(dir.path(), says);
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(
            text.contains("host not found in upstream \"no.invalid\" in /etc/nginx/nginx.conf:12"),
            "{text}"
        );
        assert!(text.contains("key /s/privkey.pem"), "{text}");
        assert_eq!(fs::read_dir(dir.path().join("etc")).expect("there").count(), 1);
    }

    #[test]
    fn a_built_in_stream_module_is_told_from_a_loadable_one() {
        assert!(has_stream_inside(
            "configure arguments: --with-stream --with-stream_ssl_module"
        ));
        assert!(!has_stream_inside(
            "configure arguments: --with-stream=dynamic --with-stream_ssl_module"
        ));
        assert!(!has_stream_inside(""));
    }
}
