//! The tools of a deployment on a real machine, fetched from a server that breaks off, has not what is asked for, or has
//! something else than was said. The tools themselves are stand-ins: scripts that tell a version.

use mosip_prov_tests::program::{Program, Ran};
use mosip_prov_tests::testbed::{DEPLOYMENT, HERE, Testbed};
use mosip_prov_tests::{stdout, write};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// Serves the files of a folder to the hosts for as long as the test runs. The first answer about a file whose name begins
/// with `helm` breaks off in the midst.
struct Files {
    base: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Files {
    fn of(folder: &Path) -> Self {
        let listener = TcpListener::bind((HERE, 0)).expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("its address"));
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let (log, folder) = (Arc::clone(&seen), folder.to_owned());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = answer(&mut stream, &folder, &log);
            }
        });
        Self { base, seen }
    }

    /// The ranges that were asked for of a file, in order; empty ones for the whole file.
    fn ranges(&self, name: &str) -> Vec<String> {
        let seen = self.seen.lock().expect("lock");
        let of = seen.iter().filter_map(|line| line.strip_prefix(name));
        of.map(|range| range.trim().to_owned()).collect()
    }
}

fn answer(stream: &mut TcpStream, folder: &Path, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let name = request.split([' ', '/']).nth(2).unwrap_or_default().to_owned();
    let range = request
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("range: bytes=")
                .map(str::to_owned)
        })
        .unwrap_or_default();
    let first = {
        let mut log = log.lock().expect("lock");
        log.push(format!("{name} {range}"));
        log.iter().filter(|line| line.starts_with(&format!("{name} "))).count() == 1
    };
    let Ok(content) = std::fs::read(folder.join(&name)) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let from: usize = range.trim_end_matches('-').parse().unwrap_or(0);
    let rest = &content[from.min(content.len())..];
    let status = if range.is_empty() {
        "200 OK".to_owned()
    } else {
        format!(
            "206 Partial Content\r\nContent-Range: bytes {from}-{}/{}",
            content.len() - 1,
            content.len()
        )
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        rest.len()
    )?;
    let cut = if first && name.starts_with("helm") {
        rest.len() / 2
    } else {
        rest.len()
    };
    stream.write_all(&rest[..cut])
}

/// A stand-in for helm that keeps repositories in a file of its user.
const HELM: &str = r#"#!/bin/sh
# a stand-in
list=$HOME/helm-stand-in
touch "$list"
case "$*" in
"version --short") echo v3.9.4+gdbc6d8e ;;
"repo list -o json")
[ -s "$list" ] || { echo 'Error: no repositories to show' >&2; exit 1; }
sed 's/\(.*\) \(.*\)/{"name":"\1","url":"\2"}/' "$list" | paste -s -d , | sed 's/.*/[&]/' ;;
"repo add --force-update -- "*) grep -v "^$5 " "$list" >"$list.new"; echo "$5 $6" >>"$list.new"; mv "$list.new" "$list" ;;
"repo add -- "*) grep -q "^$4 " "$list" && { echo "Error: $4 is there" >&2; exit 1; }; echo "$4 $5" >>"$list" ;;
*) echo "Error: unknown command $*" >&2; exit 1 ;;
esac
"#;

/// Sources of a stand-in for OpenSSL: configured, built and installed the way the real ones are.
const CONFIG: &str = r#"#!/bin/sh
for word; do case $word in --prefix=*) prefix=${word#--prefix=} ;; esac; done
{
printf 'all:\n\tcp program openssl\n'
printf 'install_sw: all\n\tmkdir -p $(DESTDIR)%s/bin\n\tcp openssl $(DESTDIR)%s/bin\n' "$prefix" "$prefix"
printf 'install_ssldirs:\n\tmkdir -p $(DESTDIR)%s/ssl\n' "$prefix"
} >Makefile
"#;

fn says(version: &str) -> String {
    format!("#!/bin/sh\n# a stand-in\necho '{version}'\n")
}

fn sum(path: &Path) -> String {
    let line = stdout(Command::new("sha256sum").arg(path));
    line.split(' ').next().expect("a sum").to_owned()
}

/// The files that are served, and the variables that name them.
fn offer(folder: &Path, base: &str) -> String {
    let program = |name: &str, text: &str| {
        write(&folder.join(name), text);
        mosip_prov_tests::set_mode(&folder.join(name), 0o755);
    };
    program("linux-amd64/helm", HELM);
    program("terraform", &says("Terraform v1.2.9"));
    program("istioctl", &says("1.15.0"));
    program("rke", &says("rke version v1.3.10"));
    program("openssl-1.1.1f/config", CONFIG);
    program("openssl-1.1.1f/program", &says("OpenSSL 1.1.1f  31 Mar 2020"));
    let pack = "tar -czf helm.tar.gz linux-amd64/helm && tar -czf istioctl.tar.gz istioctl && \
                tar -czf openssl.tar.gz openssl-1.1.1f && python3 -m zipfile -c terraform.zip terraform";
    stdout(Command::new("sh").args(["-c", pack]).current_dir(folder));
    let mut vars = String::from(
        "helm_repositories: {mosip: 'https://mosip.github.io/mosip-helm'}\nopenssl_build_packages: [make]\n",
    );
    for (tool, file) in [
        ("helm", "helm.tar.gz"),
        ("terraform", "terraform.zip"),
        ("istioctl", "istioctl.tar.gz"),
        ("rke", "rke"),
        ("openssl", "openssl.tar.gz"),
    ] {
        vars.push_str(&format!(
            "{tool}_url: {base}/{file}\n{tool}_sha256: {}\n",
            sum(&folder.join(file))
        ));
    }
    vars
}

fn run(testbed: &Testbed, program: &Program, vars: &Path, more: &[&str]) -> Ran {
    let inventory = testbed.deploy_inventory();
    let vars = format!("@{}", vars.display());
    let words = [
        "run",
        "deployment-node",
        "-i",
        inventory.to_str().expect("UTF-8"),
        "-e",
        &vars,
    ];
    program.run(&[&words, more].concat())
}

#[test]
#[ignore = "needs the testbed"]
fn a_bare_machine_gets_its_tools_and_is_then_left_alone() {
    let testbed = Testbed::of(&[DEPLOYMENT]);
    testbed.reset(&[DEPLOYMENT]);
    let folder = tempfile::tempdir().expect("a folder");
    let files = Files::of(folder.path());
    let vars = folder.path().join("vars.yml");
    let all = offer(folder.path(), &files.base);
    let program = Program::new();
    let on_host = |script: &str| testbed.root(DEPLOYMENT, script);

    // Without checksums nothing is fetched, and all that is wanting is told at once. kubectl is the distribution's.
    write(&vars, "helm_repositories: {}\n");
    let bare = run(&testbed, &program, &vars, &[]).expect(2);
    let failure = bare.failure();
    for part in [
        "there is no helm",
        "helm_sha256 is empty",
        "terraform_sha256",
        "istioctl_sha256",
        "rke_sha256",
    ] {
        assert!(failure.contains(part), "{part}: {failure}");
    }
    assert!(!failure.contains("kubectl"), "{failure}");
    assert_eq!(bare.count(DEPLOYMENT, "changed"), 0);

    // What is not what was said, and what is not there, replaces nothing; what came before stays.
    let right = sum(&folder.path().join("rke"));
    write(&vars, all.replace(&right, &"a".repeat(64)));
    let wrong = run(&testbed, &program, &vars, &["--tags", "tools"]).expect(2);
    let failure = wrong.failure();
    assert!(
        failure.contains(&right) && failure.contains(&"a".repeat(64)),
        "{failure}"
    );
    for (tool, is) in [
        ("helm", "755 root:root regular file"),
        ("terraform", "755 root:root regular file"),
        ("rke", "absent"),
    ] {
        assert_eq!(
            testbed.stat(DEPLOYMENT, &format!("/usr/local/bin/{tool}")),
            is,
            "{tool}"
        );
    }
    assert_eq!(on_host("ls -A /usr/local/bin | grep -c mosip-prov-part || true"), "0");
    let ranges = files.ranges("helm.tar.gz");
    assert!(
        ranges.len() == 2 && ranges[0].is_empty() && ranges[1].ends_with('-'),
        "{ranges:?}"
    );
    write(&vars, all.replace("/rke\n", "/no-rke\n"));
    let failure = run(&testbed, &program, &vars, &["--tags", "tools"]).expect(2).failure();
    assert!(
        failure.contains("404") && failure.contains("/no-rke could not be fetched"),
        "{failure}"
    );
    assert_eq!(files.ranges("no-rke").len(), 1, "tried once");

    write(&vars, &all);
    run(&testbed, &program, &vars, &[]).expect(0);
    for (command, version) in [
        ("kubectl version --client --short", "Client Version: v1.20"),
        ("helm version --short", "v3.9.4"),
        ("terraform version", "Terraform v1.2.9"),
        ("istioctl version --remote=false", "1.15.0"),
        ("rke --version", "rke version v1.3.10"),
        ("jq --version", "jq-1.6"),
        (
            "$(cat /etc/mosip-prov/openssl-folder)/openssl version",
            "OpenSSL 1.1.1f",
        ),
        (
            "cat /home/ubuntu/helm-stand-in",
            "mosip https://mosip.github.io/mosip-helm",
        ),
    ] {
        let said = on_host(command);
        assert!(said.starts_with(version), "{command}: {said}");
    }
    assert_eq!(
        testbed.stat(DEPLOYMENT, "/usr/local/bin/rke"),
        "755 root:root regular file"
    );
    assert_eq!(
        testbed.stat(DEPLOYMENT, "/opt/mosip-prov/openssl-1.1.1f.sources"),
        "absent"
    );
    let again = run(&testbed, &program, &vars, &[]).expect(0).unchanged();
    assert!(
        again.exchanges(DEPLOYMENT) <= 3,
        "{} exchanges",
        again.exchanges(DEPLOYMENT)
    );

    // A wrong one is named, and replaced where that is wanted; another URL of a repository is corrected.
    on_host(
        "printf '#!/bin/sh\\necho rke version v1.3.9\\n' >/usr/local/bin/rke; echo mosip https://old.example.org >/home/ubuntu/helm-stand-in",
    );
    let failure = run(&testbed, &program, &vars, &[]).expect(2).failure();
    assert!(
        failure.contains("/usr/local/bin/rke is version 1.3.9, and exactly 1.3.10 is needed"),
        "{failure}"
    );
    run(&testbed, &program, &vars, &["-e", "tools_replace=true"]).expect(0);
    assert_eq!(on_host("rke --version"), "rke version v1.3.10");
    assert_eq!(
        on_host("cat /home/ubuntu/helm-stand-in"),
        "mosip https://mosip.github.io/mosip-helm"
    );
}

#[test]
#[ignore = "needs the testbed"]
fn a_site_without_internet_brings_files() {
    let testbed = Testbed::of(&[DEPLOYMENT]);
    testbed.reset(&[DEPLOYMENT]);
    let folder = tempfile::tempdir().expect("a folder");
    offer(folder.path(), "http://127.0.0.1:1");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let prebuilt = folder.path().join("built/openssl/bin/openssl");
    write(&prebuilt, says("OpenSSL 1.1.1f  31 Mar 2020"));
    mosip_prov_tests::set_mode(&prebuilt, 0o755);
    stdout(Command::new("tar").args(["-C", &path("built"), "-czf", &path("built.tar.gz"), "openssl"]));
    testbed.root(
        DEPLOYMENT,
        "mkdir -p /mnt/tools && printf '#!/bin/sh\\necho rke version v1.3.10\\n' >/mnt/tools/rke",
    );
    let vars = folder.path().join("vars.yml");
    write(
        &vars,
        format!(
            "jq_source: file\njq_path: {}\nhelm_path: {}\nterraform_path: {}\nistioctl_path: {}\nrke_source: host\n\
             rke_path: /mnt/tools/rke\nhelm_repositories: {{}}\nopenssl_path: {}\nopenssl_prebuilt: true\n",
            path("jq"),
            path("helm.tar.gz"),
            path("terraform.zip"),
            path("istioctl.tar.gz"),
            path("built.tar.gz"),
        ),
    );
    write(&folder.path().join("jq"), says("jq-1.6"));
    // Nothing that could unpack a zip archive may come from a mirror that is not there.
    testbed.root(
        DEPLOYMENT,
        "command -v unzip || command -v python3 || busybox unzip --help >/dev/null 2>&1",
    );
    let program = Program::new();
    run(&testbed, &program, &vars, &[]).expect(0);
    let versions = "jq --version; helm version --short; terraform version; istioctl version; rke --version; \
                    /opt/mosip-prov/openssl-1.1.1f/bin/openssl version";
    assert_eq!(
        testbed.root(DEPLOYMENT, versions),
        "jq-1.6\nv3.9.4+gdbc6d8e\nTerraform v1.2.9\n1.15.0\nrke version v1.3.10\nOpenSSL 1.1.1f  31 Mar 2020"
    );
    run(&testbed, &program, &vars, &[]).expect(0).unchanged();
}
