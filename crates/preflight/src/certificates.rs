//! A certificate with its key, as an nginx front serves them: whole, fitting, in time, and good for the names served.

pub use crate::chain::Trusted;
use crate::{chain, private_key, server_names};
use mosip_prov_events::Finding;
use mosip_prov_inventory::diagnostic::{Diagnostic, Location};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

/// How long before its end a certificate is warned about, in days.
pub const WARN_DAYS: u32 = 30;

/// What to check.
#[derive(Debug, Clone)]
pub struct CertificatePair {
    /// PEM file with the server's certificate first, then the intermediate ones.
    pub certificate: PathBuf,
    /// PEM file with the private key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
    /// Names the front is reached by: each must be covered.
    pub names: Vec<String>,
    /// Names it may be reached by, depending on what is installed behind it: one that is not covered is a warning.
    pub further_names: Vec<String>,
    /// The present.
    pub now: SystemTime,
    /// A certificate that ends within so many days is warned about.
    pub warn_days: u32,
}

impl CertificatePair {
    /// The pair in two files, good for `names`, as of now and warned about [`WARN_DAYS`] before its end.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>, names: Vec<String>) -> Self {
        Self {
            certificate: certificate.into(),
            key: key.into(),
            names,
            further_names: Vec::new(),
            now: SystemTime::now(),
            warn_days: WARN_DAYS,
        }
    }

    /// The same, with names that should be covered as well.
    #[must_use]
    pub fn further(mut self, names: Vec<String>) -> Self {
        self.further_names = names;
        self
    }

    /// The same, as of `now`.
    #[must_use]
    pub fn as_of(mut self, now: SystemTime) -> Self {
        self.now = now;
        self
    }
}

/// The area of the findings.
pub const AREA: &str = "certificates";

/// Something that is wrong, with the word that scripts know the check by.
#[derive(Debug)]
pub(crate) struct Issue {
    check: &'static str,
    /// Boxed, since it is the error of many functions.
    diagnostic: Box<Diagnostic>,
}

impl Issue {
    pub(crate) fn new(check: &'static str, diagnostic: Diagnostic) -> Self {
        Self {
            check,
            diagnostic: Box::new(diagnostic),
        }
    }

    fn finding(self, front: &str) -> Finding {
        let Diagnostic { message, help, .. } = &*self.diagnostic;
        let help = help.clone().unwrap_or_default();
        match self.diagnostic.is_error() {
            true => Finding::failure(AREA, self.check, front, message, help),
            false => Finding::warning(AREA, self.check, front, message, help),
        }
    }
}

/// Everything that is wrong with `pair`, each as its own finding: unreadable, no PEM, damaged, chain out of order or
/// broken, key encrypted or of another certificate, too weak, a name that is not covered, not yet or no longer valid.
/// Warnings: about to end, issuer missing, self-signed, [`CertificatePair::further_names`] not covered.
pub fn check_pair(pair: &CertificatePair) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let (ders, key) = read_pair(pair, &mut found);
    checked(pair, &ders, key.as_ref(), found)
}

/// [`check_pair`] of files with this content.
pub(crate) fn check_content(pair: &CertificatePair, certificate: &[u8], key: &[u8]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let ders = parse(&pair.certificate, certificate, &mut found);
    let key = private_key::parse(&pair.key, key);
    let ders = ders.map_err(|problem| found.push(problem)).unwrap_or_default();
    let key = key.map_err(|problem| found.push(problem)).ok();
    checked(pair, &ders, key.as_ref(), found)
}

fn checked(
    pair: &CertificatePair,
    ders: &[CertificateDer<'static>],
    key: Option<&PrivateKeyDer<'_>>,
    mut found: Vec<Issue>,
) -> Vec<Diagnostic> {
    match parsed(pair, ders) {
        Err(issue) => found.push(issue),
        Ok(chain) => {
            found.extend(check_chain(pair, ders, &chain, key));
            found.extend(chain::check(&pair.certificate, &chain));
            if let Some(leaf) = chain.get(chain::leaf(&chain)) {
                found.extend(check_names(pair, leaf));
            }
        }
    }
    found.into_iter().map(|issue| *issue.diagnostic).collect()
}

/// Looks at the certificate of `front` as an operator would before a deployment: all of [`check_pair`], names that are not
/// covered together in one finding, and besides who may read the key, and what clients that trust `trusted` make of it.
/// One finding that all is well when nothing is to be said.
pub fn look(front: &str, pair: &CertificatePair, trusted: &Trusted) -> Vec<Finding> {
    let mut found = Vec::new();
    let (ders, key) = read_pair(pair, &mut found);
    found.extend(private_key::check_mode(&pair.key));
    let mut well = None;
    match parsed(pair, &ders) {
        Err(issue) => found.push(issue),
        Ok(chain) => {
            found.extend(check_chain(pair, &ders, &chain, key.as_ref()));
            // A certificate that stands alone is no fault when its issuer is known, and a grave one when it is not.
            let unless_known = |issue: &Issue| issue.check == "incomplete" && !trusted.is_empty();
            let issue = chain::check(&pair.certificate, &chain).filter(|issue| !unless_known(issue));
            found.extend(issue.or_else(|| trusted.check(&pair.certificate, &chain)));
            if let Some(leaf) = chain.get(chain::leaf(&chain)) {
                found.extend(check_names_together(pair, leaf));
                well = Some(format!(
                    "\"{}\", issued by \"{}\", is good for all {} names until {}",
                    chain::short(leaf.subject()),
                    chain::short(leaf.issuer()),
                    pair.names.len() + pair.further_names.len(),
                    day(leaf.validity().not_after)
                ));
            }
        }
    }
    match well {
        Some(well) if found.is_empty() => vec![Finding::ok(AREA, "certificate", front, well)],
        _ => found.into_iter().map(|issue| issue.finding(front)).collect(),
    }
}

/// The finding that `front` has no certificate files; `problem` says where they were looked for.
pub fn absent(front: &str, problem: &Diagnostic) -> Finding {
    Issue::new("missing", problem.clone()).finding(front)
}

/// Reads both files; what is wrong with them goes into `found`.
fn read_pair(
    pair: &CertificatePair,
    found: &mut Vec<Issue>,
) -> (Vec<CertificateDer<'static>>, Option<PrivateKeyDer<'static>>) {
    let certificates = read(&pair.certificate).and_then(|text| parse(&pair.certificate, &text, found));
    let key = read(&pair.key).and_then(|text| private_key::parse(&pair.key, &text));
    (
        certificates.map_err(|problem| found.push(problem)).unwrap_or_default(),
        key.map_err(|problem| found.push(problem)).ok(),
    )
}

fn parsed<'a>(pair: &CertificatePair, ders: &'a [CertificateDer<'_>]) -> Result<Vec<X509Certificate<'a>>, Issue> {
    let parsed = |(number, der): (usize, &'a CertificateDer<'_>)| match X509Certificate::from_der(der) {
        Ok((_, certificate)) => Ok(certificate),
        Err(_) => Err(damaged(
            &pair.certificate,
            None,
            &format!("certificate {} is no X.509", number + 1),
        )),
    };
    ders.iter().enumerate().map(parsed).collect()
}

/// What is wrong with the key, with how the certificates were made, and with their dates.
fn check_chain(
    pair: &CertificatePair,
    ders: &[CertificateDer<'static>],
    chain: &[X509Certificate<'_>],
    key: Option<&PrivateKeyDer<'_>>,
) -> Vec<Issue> {
    let mut found = Vec::new();
    let leaf = chain::leaf(chain);
    let strength = chain::check_strength(&pair.certificate, chain);
    // Keys that are too short cannot be compared with what they belong to either.
    if let (Some(key), Some(der)) = (key, ders.get(leaf))
        && !strength.iter().any(|issue| issue.check == "weak_key")
    {
        found.extend(private_key::check_fit(&pair.key, key, &pair.certificate, der));
    }
    found.extend(strength);
    let dates = chain.iter().enumerate();
    found.extend(dates.filter_map(|(number, certificate)| check_time(pair, number, certificate)));
    found
}

/// The finding about a file of a certificate pair that cannot be read.
pub fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(format!("{} cannot be read: {error}", path.display()))
        .at(Location::file(path))
        .help("it must be there, and readable by whoever runs this")
}

fn read(path: &Path) -> Result<Vec<u8>, Issue> {
    std::fs::read(path).map_err(|error| Issue::new("unreadable", unreadable(path, &error)))
}

/// `line`: where in the file, counted from 1.
fn damaged(path: &Path, line: Option<u32>, what: &str) -> Issue {
    let place = match line {
        Some(line) => Location::at(path.into(), line, 1, None),
        None => Location::file(path),
    };
    let diagnostic = Diagnostic::error(format!("the certificate file {} is damaged: {what}", path.display()))
        .at(place)
        .help(format!(
            "copy it again; `openssl x509 -in {} -noout -text` says whether it is whole",
            path.display()
        ));
    Issue::new("damaged", diagnostic)
}

/// Why the certificate after `whole` good ones in `text` could not be decoded, at the line where it begins.
fn undecodable(path: &Path, text: &[u8], whole: usize) -> Issue {
    let text = String::from_utf8_lossy(text);
    let begins = text.lines().enumerate().filter(|(_, line)| line.trim() == BEGIN);
    let line = begins
        .map(|(at, _)| at + 1)
        .nth(whole)
        .and_then(|line| u32::try_from(line).ok());
    let what = match line {
        Some(line) => format!("the PEM block that begins in line {line} cannot be decoded"),
        None => "a PEM block cannot be decoded".to_owned(),
    };
    damaged(path, line, &what)
}

/// How a certificate begins in PEM.
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

fn parse(path: &Path, text: &[u8], found: &mut Vec<Issue>) -> Result<Vec<CertificateDer<'static>>, Issue> {
    let shown = path.display();
    let holds = |words: &str| text.windows(words.len()).any(|w| w == words.as_bytes());
    let error = |check, message: String, help: &str| {
        let diagnostic = Diagnostic::error(message).at(Location::file(path)).help(help);
        Err(Issue::new(check, diagnostic))
    };
    if text.trim_ascii().is_empty() {
        return error(
            "empty",
            format!("{shown} is empty, and certificates in PEM form are needed"),
            "copy fullchain.pem there again",
        );
    }
    if holds("PRIVATE KEY-----") {
        let both = Diagnostic::warning(format!(
            "{shown} holds a private key too, which would become readable by the group www-data on the host"
        ))
        .at(Location::file(path))
        .help("keep only the certificates in it; the key belongs into privkey.pem");
        found.push(Issue::new("key_in_certificate", both));
    }
    if !holds(BEGIN) {
        return error(
            "not_a_certificate",
            format!("{shown} holds no certificate in PEM form"),
            "fullchain.pem begins with -----BEGIN CERTIFICATE-----; convert a DER file with \
             `openssl x509 -inform der -in FILE -out fullchain.pem`",
        );
    }
    let mut ders = Vec::new();
    for der in CertificateDer::pem_slice_iter(text) {
        match der {
            Ok(der) => ders.push(der),
            Err(_) => return Err(undecodable(path, text, ders.len())),
        }
    }
    Ok(ders)
}

pub(crate) fn day(time: ASN1Time) -> String {
    let date = time.to_datetime();
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

fn check_time(pair: &CertificatePair, number: usize, certificate: &X509Certificate<'_>) -> Option<Issue> {
    const DAY: i64 = 86_400;
    let now = match pair.now.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(_) => 0,
    };
    let who = format!(
        "the certificate \"{}\" ({} of {})",
        chain::short(certificate.subject()),
        number + 1,
        pair.certificate.display()
    );
    let validity = certificate.validity();
    let (begin, end) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    let renew = "renew it and copy the new fullchain.pem and privkey.pem";
    let (check, finding) = if now < begin {
        let finding = Diagnostic::error(format!("{who} is not valid before {}", day(validity.not_before)))
            .help("wait, or check the clock of this machine");
        ("not_yet_valid", finding)
    } else if now > end {
        let finding = Diagnostic::error(format!("{who} expired on {}", day(validity.not_after))).help(renew);
        ("expired", finding)
    } else if end - now < i64::from(pair.warn_days) * DAY {
        let left = (end - now) / DAY;
        let left = match left {
            0 => "less than a day".to_owned(),
            1 => "1 day".to_owned(),
            n => format!("{n} days"),
        };
        let finding =
            Diagnostic::warning(format!("{who} expires in {left}, on {}", day(validity.not_after))).help(renew);
        ("expires_soon", finding)
    } else {
        return None;
    };
    Some(Issue::new(check, finding.at(Location::file(&pair.certificate))))
}

/// The names that `leaf` is issued for.
pub(crate) fn names_of<'a>(leaf: &'a X509Certificate<'_>) -> Vec<&'a str> {
    match leaf.subject_alternative_name() {
        Ok(Some(names)) => names
            .value
            .general_names
            .iter()
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(*name),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn listed(good_for: &[&str]) -> String {
    match good_for {
        [] => "no name at all (the common name does not count)".to_owned(),
        names => names.join(", "),
    }
}

/// All names that are not covered in one finding: an error with those that must be, a warning with those that should.
fn check_names_together(pair: &CertificatePair, leaf: &X509Certificate<'_>) -> Vec<Issue> {
    let good_for = names_of(leaf);
    let open = |names: &[String]| -> Vec<String> {
        let is_open = |name: &&String| !good_for.iter().any(|pattern| server_names::covers(pattern, name));
        names.iter().filter(is_open).cloned().collect()
    };
    let finding = |names: Vec<String>, make: fn(String) -> Diagnostic| {
        let mut wanted: Vec<String> = Vec::new();
        for name in &names {
            // A wildcard for several of them is shorter than all of them.
            let wildcard = server_names::wildcard_for(name);
            let several = |w: &String| names.iter().filter(|n| server_names::covers(w, n)).count() > 1;
            let one = wildcard.filter(several).unwrap_or_else(|| name.clone());
            if !wanted.contains(&one) {
                wanted.push(one);
            }
        }
        let diagnostic = make(format!(
            "the certificate {} is not good for {}: it is issued for {}",
            pair.certificate.display(),
            names.join(", "),
            listed(&good_for)
        ));
        let help = format!(
            "have it issued with {} as well, as subject alternative names",
            wanted.join(" and ")
        );
        Issue::new("names", diagnostic.at(Location::file(&pair.certificate)).help(help))
    };
    let (required, further) = (open(&pair.names), open(&pair.further_names));
    let mut found = Vec::new();
    if !required.is_empty() {
        found.push(finding(required, Diagnostic::error));
    } else if !further.is_empty() {
        found.push(finding(further, Diagnostic::warning));
    }
    found
}

fn check_names(pair: &CertificatePair, leaf: &X509Certificate<'_>) -> Vec<Issue> {
    let good_for = names_of(leaf);
    let is_open = |name: &&String| !good_for.iter().any(|pattern| server_names::covers(pattern, name));
    let finding = |name: &String, make: fn(String) -> Diagnostic| {
        let listed = listed(&good_for);
        let wanted = match server_names::wildcard_for(name) {
            Some(wildcard) => format!("{name} or {wildcard}"),
            None => name.clone(),
        };
        let diagnostic = make(format!(
            "the certificate {} is not good for {name}: it is issued for {listed}",
            pair.certificate.display()
        ))
        .at(Location::file(&pair.certificate))
        .help(format!("have it issued with {wanted} as subject alternative name"));
        Issue::new("names", diagnostic)
    };
    let required = pair
        .names
        .iter()
        .filter(is_open)
        .map(|name| finding(name, Diagnostic::error));
    let further = pair
        .further_names
        .iter()
        .filter(is_open)
        .filter(|name| !pair.names.contains(name))
        .map(|name| finding(name, Diagnostic::warning));
    required.chain(further).collect()
}

#[cfg(test)]
mod tests;
