//! The order of the certificates in a file, and whether one is missing.

use mosip_prov_inventory::diagnostic::{Diagnostic, Location};
use std::path::Path;
use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::x509::X509Name;

/// A name as an operator knows it: the common name, else the whole.
pub(crate) fn short(name: &X509Name<'_>) -> String {
    name.iter_common_name()
        .next()
        .and_then(|cn| cn.as_str().ok())
        .map_or_else(|| name.to_string(), str::to_owned)
}

fn is_self_signed(certificate: &X509Certificate<'_>) -> bool {
    certificate.issuer().as_raw() == certificate.subject().as_raw()
}

fn issued_by(certificate: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    certificate.issuer().as_raw() == issuer.subject().as_raw()
        && !matches!(
            certificate.verify_signature(Some(issuer.public_key())),
            Err(X509Error::SignatureVerificationError)
        )
}

/// The positions of `chain` in the order in which a server must send them: the one that issued none of the others, its
/// issuer, and so on, as far as it goes.
fn right_order(chain: &[X509Certificate<'_>]) -> Vec<usize> {
    let issued_none = |at: usize| {
        !chain
            .iter()
            .enumerate()
            .any(|(other, c)| other != at && issued_by(c, &chain[at]))
    };
    let leaf = (0..chain.len())
        .find(|at| issued_none(*at) && !chain[*at].is_ca())
        .or_else(|| (0..chain.len()).find(|at| issued_none(*at)))
        .unwrap_or(0);
    let mut order = vec![leaf];
    let mut last = leaf;
    while let Some(next) = (0..chain.len()).find(|at| !order.contains(at) && issued_by(&chain[last], &chain[*at])) {
        order.push(next);
        last = next;
    }
    order
}

/// What is wrong with the order and completeness of `chain`, read from `path`; it holds at least one.
pub(crate) fn check(path: &Path, chain: &[X509Certificate<'_>]) -> Option<Diagnostic> {
    let shown = path.display();
    let (first, last) = (chain.first()?, chain.last()?);
    let in_order = chain.windows(2).position(|pair| !issued_by(&pair[0], &pair[1]));
    if let Some(at) = in_order {
        let order = right_order(chain);
        let names = |positions: &[usize]| {
            positions
                .iter()
                .map(|at| format!("\"{}\"", short(chain[*at].subject())))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let error = if order.len() == chain.len() {
            Diagnostic::error(format!("the certificates in {shown} are out of order"))
                .help(format!("write them in this order: {}", names(&order)))
        } else {
            let (this, next) = (&chain[at], &chain[at + 1]);
            let issuer = short(this.issuer());
            let name = short(next.subject());
            let what = if issuer == name {
                format!(
                    "certificate {} was not signed with the key of certificate {}, though the names agree",
                    at + 1,
                    at + 2
                )
            } else {
                format!(
                    "certificate {} (\"{}\") was issued by \"{issuer}\", and the next one is \"{name}\"",
                    at + 1,
                    short(this.subject()),
                )
            };
            Diagnostic::error(format!("the chain in {shown} is broken: {what}")).help(
                "the file must hold the server's certificate, then the one that issued it, and so on; use the fullchain.pem \
                 that the authority supplies",
            )
        };
        return Some(error.at(Location::file(path)));
    }
    if chain.len() == 1 && is_self_signed(first) {
        return Some(
            Diagnostic::warning(format!(
                "the certificate in {shown} is self-signed: every client must be told to trust it"
            ))
            .at(Location::file(path))
            .help("fine for a trial; otherwise have one issued for the domain"),
        );
    }
    if chain.len() == 1 && !last.is_ca() {
        return Some(
            Diagnostic::warning(format!(
                "{shown} holds the server's certificate alone, without that of its issuer \"{}\": clients that do not know \
                 the issuer will refuse it",
                short(first.issuer())
            ))
            .at(Location::file(path))
            .help("append the intermediate certificates: use fullchain.pem rather than cert.pem"),
        );
    }
    None
}
