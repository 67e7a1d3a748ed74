//! Pairs made for the test, good and bad in every way.

use super::*;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair, date_time_ymd,
};
use std::fs;
use std::time::Duration;

/// 2026-06-15 00:00 UTC.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_781_481_600)
}

fn params(common_name: &str, names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).expect("names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = params(name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// A root, an intermediate below it, and what is needed to issue server certificates.
struct House {
    root: CertifiedIssuer<'static, KeyPair>,
    intermediate: Certificate,
    issuer: Issuer<'static, KeyPair>,
    dir: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let root =
            CertifiedIssuer::self_signed(authority("Test Root"), KeyPair::generate().expect("key")).expect("root");
        let key = KeyPair::generate().expect("key");
        let intermediate = authority("Test Intermediate")
            .signed_by(&key, &root)
            .expect("intermediate");
        Self {
            root,
            intermediate,
            issuer: Issuer::new(authority("Test Intermediate"), key),
            dir: tempfile::tempdir().expect("a folder"),
        }
    }

    fn leaf(&self, params: &CertificateParams) -> (String, KeyPair) {
        let key = KeyPair::generate().expect("key");
        let leaf = params.signed_by(&key, &self.issuer).expect("leaf");
        (leaf.pem(), key)
    }

    fn pair(&self, certificate: &str, key: &str, names: &[&str]) -> CertificatePair {
        let (cert_path, key_path) = (
            self.dir.path().join("fullchain.pem"),
            self.dir.path().join("privkey.pem"),
        );
        fs::write(&cert_path, certificate).expect("written");
        fs::write(&key_path, key).expect("written");
        CertificatePair::new(cert_path, key_path, names.iter().map(|n| (*n).to_owned()).collect()).as_of(now())
    }

    /// The findings about a chain of a leaf made with `params` and the intermediate.
    fn findings(&self, params: &CertificateParams, names: &[&str]) -> Vec<Diagnostic> {
        let (leaf, key) = self.leaf(params);
        check_pair(&self.pair(&(leaf + &self.intermediate.pem()), &key.serialize_pem(), names))
    }
}

fn messages(found: &[Diagnostic]) -> String {
    found.iter().map(|d| format!("{d}\n")).collect()
}

fn wildcard() -> CertificateParams {
    params("*.mosip.net", &["*.mosip.net", "mosip.net"])
}

/// The only finding, an error that holds all of `parts`.
#[track_caller]
fn assert_one_error(found: &[Diagnostic], parts: &[&str]) {
    assert_eq!(found.len(), 1, "{}", messages(found));
    assert!(found[0].is_error(), "{}", found[0]);
    assert!(found[0].help.is_some(), "{}", found[0]);
    for part in parts {
        assert!(found[0].to_string().contains(part), "{part:?} not in {}", found[0]);
    }
}

#[track_caller]
fn assert_one_warning(found: &[Diagnostic], parts: &[&str]) {
    assert_eq!(found.len(), 1, "{}", messages(found));
    assert!(!found[0].is_error(), "{}", found[0]);
    for part in parts {
        assert!(found[0].to_string().contains(part), "{part:?} not in {}", found[0]);
    }
}

#[test]
fn a_good_pair_has_no_finding() {
    let house = House::new();
    let names = ["api.mosip.net", "prereg.mosip.net", "mosip.net"];
    assert_eq!(messages(&house.findings(&wildcard(), &names)), "");
    let (leaf, key) = house.leaf(&wildcard());
    let with_root = leaf + &house.intermediate.pem() + &house.root.pem();
    assert_eq!(
        messages(&check_pair(&house.pair(&with_root, &key.serialize_pem(), &names))),
        ""
    );
}

#[test]
fn keys_of_all_three_forms_are_read() {
    let openssl = |args: &[&str], input: &str| {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("in.pem");
        fs::write(&path, input).expect("written");
        let output = std::process::Command::new("openssl")
            .args(args)
            .arg("-in")
            .arg(&path)
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8(output.stdout).expect("PEM"))
    };
    let house = House::new();
    let (leaf, key) = house.leaf(&wildcard());
    let chain = leaf + &house.intermediate.pem();
    let sec1 = openssl(&["ec"], &key.serialize_pem()).expect("openssl is installed");
    assert!(sec1.contains("BEGIN EC PRIVATE KEY"), "{sec1}");
    assert_eq!(
        messages(&check_pair(&house.pair(&chain, &sec1, &["api.mosip.net"]))),
        ""
    );
    // `openssl ecparam -genkey` puts the parameters first.
    let with_parameters =
        format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{sec1}");
    assert_eq!(
        messages(&check_pair(&house.pair(&chain, &with_parameters, &["api.mosip.net"]))),
        ""
    );

    let encrypted = openssl(&["pkey", "-aes256", "-passout", "pass:x"], &key.serialize_pem()).expect("openssl");
    assert_one_error(
        &check_pair(&house.pair(&chain, &encrypted, &[])),
        &["encrypted", "openssl pkey"],
    );
    let old_style = openssl(&["ec", "-aes256", "-passout", "pass:x"], &key.serialize_pem()).expect("openssl");
    assert_one_error(&check_pair(&house.pair(&chain, &old_style, &[])), &["encrypted"]);

    let rsa = std::process::Command::new("openssl")
        .args(["genrsa", "-traditional", "2048"])
        .output()
        .expect("openssl");
    let pkcs1 = String::from_utf8(rsa.stdout).expect("PEM");
    assert!(pkcs1.contains("BEGIN RSA PRIVATE KEY"), "{pkcs1}");
    let pkcs8 = openssl(&["pkey"], &pkcs1).expect("openssl");
    let public = KeyPair::from_pem(&pkcs8).expect("rsa key");
    let leaf = wildcard().signed_by(&public, &house.issuer).expect("leaf").pem();
    let chain = leaf + &house.intermediate.pem();
    assert_eq!(
        messages(&check_pair(&house.pair(&chain, &pkcs1, &["api.mosip.net"]))),
        ""
    );
    assert_eq!(
        messages(&check_pair(&house.pair(&chain, &pkcs8, &["api.mosip.net"]))),
        ""
    );
    assert_one_error(
        &check_pair(&house.pair(&chain, &key.serialize_pem(), &[])),
        &["does not belong"],
    );
    let p521 = std::process::Command::new("openssl")
        .args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"])
        .output()
        .expect("openssl");
    let p521 = String::from_utf8(p521.stdout).expect("PEM");
    assert_one_warning(&check_pair(&house.pair(&chain, &p521, &[])), &["rare kind"]);
}

#[test]
fn time_is_told_in_words() {
    let house = House::new();
    let mut params = wildcard();
    params.not_after = date_time_ymd(2026, 6, 14);
    assert_one_error(
        &house.findings(&params, &[]),
        &["\"*.mosip.net\"", "expired on 2026-06-14", "renew"],
    );
    params.not_after = date_time_ymd(2026, 7, 10);
    assert_one_warning(&house.findings(&params, &[]), &["expires in 25 days, on 2026-07-10"]);
    params.not_after = date_time_ymd(2026, 7, 15);
    assert_eq!(messages(&house.findings(&params, &[])), "");
    params.not_after = date_time_ymd(2027, 1, 1);
    params.not_before = date_time_ymd(2026, 7, 1);
    assert_one_error(&house.findings(&params, &[]), &["not valid before 2026-07-01", "clock"]);
}

#[test]
fn an_intermediate_that_ended_is_found_too() {
    let house = House::new();
    let mut old = authority("Old Intermediate");
    old.not_after = date_time_ymd(2026, 2, 1);
    let key = KeyPair::generate().expect("key");
    let intermediate = old.signed_by(&key, &house.root).expect("intermediate");
    let leaf_key = KeyPair::generate().expect("key");
    let leaf = wildcard().signed_by(&leaf_key, &Issuer::new(old, key)).expect("leaf");
    let pair = house.pair(&(leaf.pem() + &intermediate.pem()), &leaf_key.serialize_pem(), &[]);
    assert_one_error(
        &check_pair(&pair),
        &["\"Old Intermediate\" (2 of", "expired on 2026-02-01"],
    );
}

#[test]
fn every_name_that_is_not_covered_is_its_own_finding() {
    let house = House::new();
    let found = house.findings(
        &params("x", &["api.mosip.net"]),
        &["api.mosip.net", "idp.mosip.net", "a.b.mosip.net"],
    );
    assert_eq!(found.len(), 2, "{}", messages(&found));
    assert!(found.iter().all(Diagnostic::is_error));
    assert!(
        found[0]
            .to_string()
            .contains("not good for idp.mosip.net: it is issued for api.mosip.net"),
        "{}",
        found[0]
    );
    assert!(
        found[0].to_string().contains("idp.mosip.net or *.mosip.net"),
        "{}",
        found[0]
    );
    assert!(found[1].to_string().contains("a.b.mosip.net"), "{}", found[1]);
}

#[test]
fn a_wildcard_covers_one_label_only() {
    let house = House::new();
    assert_one_error(
        &house.findings(&wildcard(), &["api.mosip.net", "rancher.obs.mosip.net"]),
        &["rancher.obs.mosip.net"],
    );
    let without_apex = params("*.mosip.net", &["*.mosip.net"]);
    assert_one_error(
        &house.findings(&without_apex, &["mosip.net"]),
        &["not good for mosip.net"],
    );
}

#[test]
fn further_names_are_warned_about() {
    let house = House::new();
    let (leaf, key) = house.leaf(&params("*.mosip.net", &["*.mosip.net"]));
    let pair = house
        .pair(
            &(leaf + &house.intermediate.pem()),
            &key.serialize_pem(),
            &["api.mosip.net"],
        )
        .further(vec!["mosip.net".into(), "iam.mosip.net".into()]);
    assert_one_warning(&check_pair(&pair), &["not good for mosip.net"]);
}

#[test]
fn the_common_name_does_not_count() {
    let house = House::new();
    assert_one_error(
        &house.findings(&params("api.mosip.net", &[]), &["api.mosip.net"]),
        &["no name at all"],
    );
}

#[test]
fn the_key_of_another_certificate_is_refused_and_not_shown() {
    let house = House::new();
    let (leaf, _) = house.leaf(&wildcard());
    let (_, other) = house.leaf(&wildcard());
    let pem = other.serialize_pem();
    let found = check_pair(&house.pair(&(leaf + &house.intermediate.pem()), &pem, &[]));
    assert_one_error(
        &found,
        &[
            "privkey.pem does not belong to the first certificate of",
            "fullchain.pem",
        ],
    );
    let secret = pem.lines().nth(1).expect("a line of the key");
    assert!(!format!("{found:?}").contains(secret));
}

#[test]
fn order_and_completeness_of_the_chain() {
    let house = House::new();
    let (leaf, key) = house.leaf(&wildcard());
    let key = key.serialize_pem();
    let (intermediate, root) = (house.intermediate.pem(), house.root.pem());
    // Right leaf, the rest in the wrong order.
    let found = check_pair(&house.pair(&format!("{leaf}{root}{intermediate}"), &key, &[]));
    assert_one_error(
        &found,
        &["out of order", r#""*.mosip.net", "Test Intermediate", "Test Root""#],
    );
    // The leaf at the end: nginx would take the intermediate for it, so the key would not fit either.
    let found = check_pair(&house.pair(&format!("{intermediate}{leaf}"), &key, &["api.mosip.net"]));
    assert_one_error(&found, &["out of order", r#""*.mosip.net", "Test Intermediate""#]);
    // The link between leaf and root is missing.
    let found = check_pair(&house.pair(&format!("{leaf}{root}"), &key, &[]));
    assert_one_error(
        &found,
        &[r#"issued by "Test Intermediate", and the next one is "Test Root""#],
    );
    // An intermediate of the same name and another key.
    let impostor = authority("Test Intermediate")
        .signed_by(&KeyPair::generate().expect("key"), &house.root)
        .expect("certificate");
    let found = check_pair(&house.pair(&format!("{leaf}{}", impostor.pem()), &key, &[]));
    assert_one_error(&found, &["certificate 1 was not signed with the key of certificate 2"]);
    // The leaf alone.
    assert_one_warning(
        &check_pair(&house.pair(&leaf, &key, &[])),
        &["alone", "Test Intermediate", "fullchain.pem"],
    );
    let own = KeyPair::generate().expect("key");
    let alone = wildcard().self_signed(&own).expect("certificate").pem();
    assert_one_warning(
        &check_pair(&house.pair(&alone, &own.serialize_pem(), &[])),
        &["self-signed"],
    );
}

#[test]
fn files_that_are_no_such_thing() {
    let house = House::new();
    let (leaf, key) = house.leaf(&wildcard());
    let (chain, key) = (leaf + &house.intermediate.pem(), key.serialize_pem());
    assert_one_error(&check_pair(&house.pair("", &key, &[])), &["fullchain.pem is empty"]);
    assert_one_error(&check_pair(&house.pair(&chain, " \n", &[])), &["privkey.pem is empty"]);
    assert_one_error(
        &check_pair(&house.pair("garbage", &key, &[])),
        &["no certificate in PEM form"],
    );
    assert_one_error(
        &check_pair(&house.pair(&chain, "garbage", &[])),
        &["privkey.pem holds no PEM"],
    );
    assert_one_error(
        &check_pair(&house.pair(&chain, &chain, &[])),
        &["privkey.pem holds a certificate"],
    );
    let found = check_pair(&house.pair(&key, &key, &[]));
    assert!(
        messages(&found).contains("fullchain.pem holds no certificate"),
        "{}",
        messages(&found)
    );
    let cut: String = chain.lines().take(5).map(|l| format!("{l}\n")).collect();
    assert_one_error(
        &check_pair(&house.pair(&cut, &key, &[])),
        &["damaged", "begins in line 1 "],
    );
    let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let found = check_pair(&house.pair(no_der, &key, &[]));
    assert!(
        messages(&found).contains("certificate 1 is no X.509"),
        "{}",
        messages(&found)
    );
    let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert_one_error(&check_pair(&house.pair(&chain, no_key, &[])), &["damaged"]);
    let ssh = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
    assert_one_error(&check_pair(&house.pair(&chain, ssh, &[])), &["SSH key"]);
}

#[test]
fn a_damaged_block_is_named_by_its_line() {
    let house = House::new();
    let (leaf, key) = house.leaf(&wildcard());
    let lines = leaf.lines().count();
    let bad = house.intermediate.pem().replacen("MII", "M*I", 1);
    assert_one_error(
        &check_pair(&house.pair(&(leaf + &bad), &key.serialize_pem(), &[])),
        &[
            "damaged",
            &format!("begins in line {}", lines + 1),
            &format!("fullchain.pem:{}", lines + 1),
        ],
    );
}

/// The level, check and message of each finding of [`look`].
fn looked(pair: &CertificatePair, trusted: &str) -> Vec<String> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    let _ = fs::set_permissions(&pair.key, mode);
    let found = look("nginx", pair, &Trusted::in_pem(trusted.as_bytes()));
    let shown = |f: &Finding| format!("{:?} {} {}", f.level, f.check, f.message);
    assert!(found.iter().all(|f| f.area == AREA && f.subject == "nginx"));
    found.iter().map(shown).collect()
}

#[test]
fn what_clients_make_of_a_chain() {
    let house = House::new();
    let (leaf, key) = house.leaf(&wildcard());
    let (key, intermediate, root) = (key.serialize_pem(), house.intermediate.pem(), house.root.pem());
    let other = CertifiedIssuer::self_signed(authority("Other Root"), KeyPair::generate().expect("key")).expect("root");
    let look_at = |chain: String, trusted: &str| {
        let found = looked(&house.pair(&chain, &key, &["api.mosip.net", "mosip.net"]), trusted);
        assert_eq!(found.len(), 1, "{found:#?}");
        found[0].clone()
    };
    let whole = format!("{leaf}{intermediate}");
    assert_eq!(
        look_at(whole.clone(), &root),
        "Ok certificate \"*.mosip.net\", issued by \"Test Intermediate\", is good for all 2 names until 2027-01-01"
    );
    // An intermediate that is trusted itself is enough, and nothing is said where nobody is known.
    assert!(look_at(whole.clone(), &intermediate).starts_with("Ok"));
    assert!(look_at(whole.clone(), "").starts_with("Ok"));
    let found = look_at(whole.clone(), &other.pem());
    assert!(
        found.starts_with("Warning unknown_authority") && found.contains("\"Test Root\""),
        "{found}"
    );
    let found = look_at(format!("{whole}{root}"), &root);
    assert!(
        found.starts_with("Warning root") && found.contains("\"Test Root\""),
        "{found}"
    );
    let found = look_at(format!("{whole}{root}"), &other.pem());
    assert!(found.starts_with("Warning unknown_authority"), "{found}");
    let found = look_at(leaf.clone(), &root);
    assert!(
        found.starts_with("Failure incomplete") && found.contains("\"Test Intermediate\""),
        "{found}"
    );
    assert!(look_at(leaf.clone(), &intermediate).starts_with("Ok"));
    assert!(look_at(leaf.clone(), "").starts_with("Warning incomplete"));
    assert!(look_at(format!("{intermediate}{leaf}"), &root).starts_with("Failure order"));
    assert!(look_at(format!("{leaf}{root}"), &root).starts_with("Failure chain"));
}

#[test]
fn names_that_are_not_covered_are_one_finding() {
    let house = House::new();
    let (leaf, key) = house.leaf(&params("x", &["*.mosip.net"]));
    let chain = leaf + &house.intermediate.pem();
    let names = ["mosip.net", "a.obs.mosip.net", "b.obs.mosip.net", "api.mosip.net"];
    let pair = house.pair(&chain, &key.serialize_pem(), &names);
    let found = look(
        "nginx",
        &pair.clone().further(vec!["c.d.mosip.net".into()]),
        &Trusted::default(),
    );
    let found: Vec<&Finding> = found.iter().filter(|f| f.check == "names").collect();
    assert_eq!(found.len(), 1);
    assert!(
        found[0]
            .message
            .contains("mosip.net, a.obs.mosip.net, b.obs.mosip.net: it is issued for *.mosip.net")
    );
    assert!(
        found[0]
            .remedy
            .as_deref()
            .unwrap_or_default()
            .contains("mosip.net and *.obs.mosip.net as well")
    );
    let pair = house
        .pair(&chain, &key.serialize_pem(), &[])
        .further(vec!["c.d.mosip.net".into()]);
    let found = looked(&pair, &house.root.pem());
    assert!(found.len() == 1 && found[0].starts_with("Warning names"), "{found:?}");
}

#[test]
fn who_may_read_the_key() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::new();
    let (leaf, key) = house.leaf(&wildcard());
    let pair = house.pair(&(leaf + &house.intermediate.pem()), &key.serialize_pem(), &[]);
    for (mode, wanted) in [
        (0o600, "Ok"),
        (0o400, "Ok"),
        (0o640, "Warning key_mode"),
        (0o644, "Failure key_mode"),
    ] {
        fs::set_permissions(&pair.key, fs::Permissions::from_mode(mode)).expect("set");
        let found = look("nginx", &pair, &Trusted::in_pem(house.root.pem().as_bytes()));
        let shown = format!("{:?} {}", found[0].level, found[0].check);
        assert!(found.len() == 1 && shown.starts_with(wanted), "{mode:o}: {found:?}");
    }
}

#[test]
fn what_is_too_weak_for_today() {
    let dir = tempfile::tempdir().expect("a folder");
    let made = |bits: &str, digest: &str| {
        let run = |args: &[&str]| {
            let done = std::process::Command::new("openssl")
                .args(args)
                .current_dir(dir.path())
                .output();
            let done = done.expect("openssl is installed");
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        };
        let days = ["-days", "400"];
        let ca = [
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Old",
        ];
        run(&[&ca[..], &days].concat());
        let key = format!("rsa:{bits}");
        run(&[
            "req",
            "-newkey",
            &key,
            "-nodes",
            "-keyout",
            "privkey.pem",
            "-out",
            "req.pem",
            "-subj",
            "/CN=old",
        ]);
        let sign = [
            "x509",
            "-req",
            "-in",
            "req.pem",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            digest,
        ];
        run(&[&sign[..], &["-out", "leaf.pem"], &days].concat());
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect("there");
        fs::write(dir.path().join("fullchain.pem"), read("leaf.pem") + &read("ca.pem")).expect("written");
        let pair = CertificatePair::new(dir.path().join("fullchain.pem"), dir.path().join("privkey.pem"), vec![]);
        check_pair(&pair)
    };
    assert_one_error(&made("1024", "-sha256"), &["\"old\" (1 of", "RSA key of 1024 bits"]);
    assert_one_error(&made("2048", "-sha1"), &["\"old\" (1 of", "signed with SHA-1"]);
    assert_eq!(messages(&made("2048", "-sha256")), "");
}

#[test]
fn a_key_in_the_certificate_file_is_warned_about() {
    let house = House::new();
    let (leaf, key) = house.leaf(&wildcard());
    let key = key.serialize_pem();
    let both = format!("{key}{leaf}{}", house.intermediate.pem());
    assert_one_warning(&check_pair(&house.pair(&both, &key, &[])), &["holds a private key too"]);
}

#[test]
fn both_missing_files_are_named() {
    let house = House::new();
    let pair = CertificatePair::new(
        house.dir.path().join("a.pem"),
        house.dir.path().join("b.pem"),
        Vec::new(),
    );
    let found = check_pair(&pair);
    assert_eq!(found.len(), 2, "{}", messages(&found));
    assert!(found[0].message.contains("a.pem cannot be read"), "{}", found[0]);
    assert!(found[1].message.contains("b.pem cannot be read"), "{}", found[1]);
}
