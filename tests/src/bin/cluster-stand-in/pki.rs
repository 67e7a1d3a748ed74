//! Certificates of a cluster: an authority, what it signs, and who a client's certificate says it is.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use serde::{Deserialize, Serialize};

use crate::args::Args;
use crate::{Failure, Outcome};

/// A certificate with its key, both PEM.
#[derive(Clone, Serialize, Deserialize, PartialEq)]
pub struct Pair {
    /// The certificate.
    #[serde(rename = "certificatePEM")]
    pub certificate: String,
    /// Its private key.
    #[serde(rename = "keyPEM")]
    pub key: String,
    /// The names and addresses it is for.
    #[serde(default)]
    pub names: Vec<String>,
}

fn params(common: &str, organization: &str, names: &[String]) -> Outcome<CertificateParams> {
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common);
    if !organization.is_empty() {
        params.distinguished_name.push(DnType::OrganizationName, organization);
    }
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2090, 1, 1);
    Ok(params)
}

fn authority_params() -> Outcome<CertificateParams> {
    let mut params = params("kube-ca", "", &[])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    Ok(params)
}

/// A new authority.
///
/// # Errors
/// No key can be made.
pub fn authority() -> Outcome<Pair> {
    let key = KeyPair::generate()?;
    Ok(Pair {
        certificate: authority_params()?.self_signed(&key)?.pem(),
        key: key.serialize_pem(),
        names: Vec::new(),
    })
}

/// A certificate of `authority` for a user of a group who may be a server at `names` too.
///
/// # Errors
/// The authority cannot be used.
pub fn sign(authority: &Pair, common: &str, organization: &str, names: &[String]) -> Outcome<Pair> {
    let issuer = Issuer::new(authority_params()?, KeyPair::from_pem(&authority.key)?);
    let mut params = params(common, organization, names)?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    Ok(Pair {
        certificate: params.signed_by(&key, &issuer)?.pem(),
        key: key.serialize_pem(),
        names: names.to_vec(),
    })
}

/// FNV-1a in hexadecimal: to tell authorities, programs and arguments apart.
pub fn digest(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

fn roots(authority: &str) -> Outcome<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        roots.add(certificate?)?;
    }
    Ok(roots)
}

fn chain(pair: &Pair) -> Outcome<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pair.certificate.as_bytes()).collect();
    Ok((chain?, PrivateKeyDer::from_pem_slice(pair.key.as_bytes())?))
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// What a client needs that trusts `authority` and shows `pair`.
///
/// # Errors
/// One of them is no certificate.
pub fn client_config(authority: &str, pair: Option<&Pair>) -> Outcome<Arc<ClientConfig>> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(authority)?);
    Ok(Arc::new(match pair {
        Some(pair) => {
            let (chain, key) = chain(pair)?;
            config.with_client_auth_cert(chain, key)?
        }
        None => config.with_no_client_auth(),
    }))
}

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The certificate's common name.
    pub name: String,
    /// Its organizations.
    pub groups: Vec<String>,
}

impl User {
    /// Whether everything is allowed.
    pub fn is_admin(&self) -> bool {
        self.groups.iter().any(|group| group == "system:masters")
    }

    /// Whether it is a node.
    pub fn is_node(&self) -> bool {
        self.groups.iter().any(|group| group == "system:nodes")
    }
}

/// Takes every certificate at the handshake, as an API server does, and judges it afterwards: who is unknown is to get
/// 401, not a broken connection.
#[derive(Debug)]
pub struct Doorkeeper(Arc<dyn ClientCertVerifier>);

impl Doorkeeper {
    /// One that knows the users of `authority`.
    ///
    /// # Errors
    /// It is no certificate.
    pub fn new(authority: &str) -> Outcome<Arc<Self>> {
        let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(authority)?), provider()).build()?;
        Ok(Arc::new(Self(inner)))
    }

    /// Who showed this chain; nobody when the authority did not sign it.
    pub fn user(&self, chain: &[CertificateDer<'_>]) -> Option<User> {
        let (first, rest) = chain.split_first()?;
        self.0.verify_client_cert(first, rest, UnixTime::now()).ok()?;
        let (_, certificate) = x509_parser::parse_x509_certificate(first).ok()?;
        let subject = certificate.subject();
        let name = subject.iter_common_name().next()?.as_str().ok()?.to_owned();
        let groups = subject.iter_organization().filter_map(|group| group.as_str().ok());
        Some(User {
            name,
            groups: groups.map(str::to_owned).collect(),
        })
    }
}

impl ClientCertVerifier for Doorkeeper {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[rustls::DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// What a server needs that shows `pair`.
///
/// # Errors
/// It is no certificate.
pub fn server_config(doorkeeper: Arc<Doorkeeper>, pair: &Pair) -> Outcome<Arc<ServerConfig>> {
    let (chain, key) = chain(pair)?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(doorkeeper)
        .with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}

/// `pki --dir DIR --name ADDRESS... [--cluster NAME] [--server URL]`: an authority (kept when it is there), and with
/// it `kube-ca.pem`, `kube-apiserver[-key].pem`, `kube-node[-key].pem` and `kubeconfig` of an administrator.
///
/// # Errors
/// The words are wrong, or a file cannot be written.
pub fn main(words: &[String]) -> Outcome {
    let args = Args::parse(words, &["dir", "name", "cluster", "server"], &[])?;
    let dir = std::path::Path::new(args.need("dir")?);
    std::fs::create_dir_all(dir)?;
    let names: Vec<String> = args.all("name").into_iter().map(str::to_owned).collect();
    let read = |name: &str| std::fs::read_to_string(dir.join(name));
    let authority = match (read("kube-ca.pem"), read("kube-ca-key.pem")) {
        (Ok(certificate), Ok(key)) => Pair {
            certificate,
            key,
            names: Vec::new(),
        },
        _ => authority()?,
    };
    let admin = sign(&authority, "kube-admin", "system:masters", &[])?;
    let write_pair = |name: &str, pair: &Pair| -> Outcome {
        write_private(&dir.join(format!("{name}.pem")), &pair.certificate)?;
        write_private(&dir.join(format!("{name}-key.pem")), &pair.key)
    };
    write_pair("kube-ca", &authority)?;
    write_pair("kube-apiserver", &sign(&authority, "kube-apiserver", "", &names)?)?;
    write_pair("kube-node", &sign(&authority, "system:node", "system:nodes", &[])?)?;
    let server = args.get("server").unwrap_or("https://127.0.0.1:6443");
    let text = crate::client::kubeconfig(args.get("cluster").unwrap_or("local"), server, &authority, &admin);
    write_private(&dir.join("kubeconfig"), &text)
}

/// Writes a file that only its owner reads, in one step.
///
/// # Errors
/// It cannot be written.
pub fn write_private(path: &std::path::Path, text: &str) -> Outcome {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let context = |error: std::io::Error| -> Failure { format!("{}: {error}", new.display()).into() };
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&new);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(context)?;
    std::fs::rename(&new, path).map_err(|error| format!("{}: {error}", path.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_users_of_the_own_authority_are_known() {
        let (ours, theirs) = (authority().expect("one"), authority().expect("another"));
        let doorkeeper = Doorkeeper::new(&ours.certificate).expect("a doorkeeper");
        let chain = |by: &Pair| {
            let pair = sign(by, "kube-admin", "system:masters", &[]).expect("signed");
            super::chain(&pair).expect("PEM").0
        };
        let user = doorkeeper.user(&chain(&ours)).expect("known");
        assert!(user.is_admin() && !user.is_node() && user.name == "kube-admin");
        assert_eq!(doorkeeper.user(&chain(&theirs)), None);
        assert_eq!(doorkeeper.user(&[]), None);
    }
}
