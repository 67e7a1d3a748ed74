//! Doors for the fuzz targets in `tests/fuzz`: Rancher's objects out of any bytes. No API.

use crate::objects::{Cluster, Collection, Node, Refusal, RegistrationToken, Session, Setting, User};
use serde::de::DeserializeOwned;

/// What is told of the answer `body`, read as each of the objects that are asked for; none of it holds a token.
pub fn told(body: &[u8]) -> Vec<String> {
    let mut told = Vec::new();
    for cluster in all::<Cluster>(body) {
        told.extend(cluster.why_no_import());
    }
    for token in all::<RegistrationToken>(body) {
        told.push(format!(
            "{} {} {}",
            token.is_good("c-abcde"),
            token.is_default(),
            token.url().is_some()
        ));
    }
    for node in all::<Node>(body) {
        told.push(format!("{} {}", node.shown(), node.is_among(&["10.0.0.1".to_owned()])));
    }
    let read = [
        serde_json::from_slice::<Session>(body).is_ok(),
        serde_json::from_slice::<Setting>(body).is_ok(),
        serde_json::from_slice::<User>(body).is_ok_and(|user| user.must_change_password),
    ];
    told.push(format!("{read:?}"));
    if let Ok(refusal) = serde_json::from_slice::<Refusal>(body) {
        told.push(crate::http::neutral(&format!("{}: {}", refusal.code, refusal.message)));
    }
    told
}

/// Scheme and host of a URL, as an error shows them.
pub fn shown(url: &str) -> String {
    crate::address::shown(url)
}

fn all<T: DeserializeOwned>(body: &[u8]) -> Vec<T> {
    let list = serde_json::from_slice::<Collection<T>>(body).map(|list| list.data);
    let one = || serde_json::from_slice(body).map(|one| vec![one]);
    list.or_else(|_| one()).unwrap_or_default()
}
