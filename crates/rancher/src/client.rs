//! The requests, one function each.

use crate::error::RancherError;
use crate::http::{Answer, Ask, Http};
use crate::objects::{Cluster, Collection, DEFAULT_TOKEN, Node, Refusal, RegistrationToken, Session, Setting, User};
use mosip_prov_inventory::value::Secret;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The most pages of a list; the API's have a thousand objects.
const PAGES: usize = 50;
/// What the session is called in Rancher's list of tokens.
const DESCRIPTION: &str = "mosip-prov: import of a cluster";
/// A session that could not be ended ends by itself, in milliseconds.
pub const SESSION_MS: u64 = 15 * 60 * 1000;

/// Who asks.
enum Bearer {
    Nobody,
    /// Made by a login here, and to be ended.
    Session(Secret),
    /// The operator's.
    Token(Secret),
}

/// Rancher's API as one user.
pub struct Client<'a> {
    pub http: Http<'a>,
    bearer: Bearer,
}

impl<'a> Client<'a> {
    pub fn new(http: Http<'a>) -> Self {
        Self {
            http,
            bearer: Bearer::Nobody,
        }
    }

    /// From now on with that API token.
    pub fn with_token(&mut self, token: &Secret) {
        self.http.hide(token);
        self.bearer = Bearer::Token(token.clone());
    }

    /// From now on as that user.
    pub fn log_in(&mut self, user: &str, password: &Secret) -> Result<(), RancherError> {
        self.http.hide(password);
        let mut body = json!({
            "type": "localProvider",
            "username": user,
            "password": password.expose(),
            "description": DESCRIPTION,
            "responseType": "json",
            "ttl": SESSION_MS,
        });
        let what = "log in";
        let mut answer = Answer {
            status: 404,
            body: Vec::new(),
        };
        for path in ["/v3-public/localProviders/local?action=login", "/v1-public/login"] {
            if path.starts_with("/v3") {
                body.as_object_mut().map(|fields| fields.remove("type"));
            } else {
                body["type"] = "localProvider".into();
            }
            answer = self.send("POST", path, Some(&body), what, true)?;
            // Releases that have the newer path alone answer 404 to the older one.
            if answer.status != 404 {
                break;
            }
        }
        match answer.status {
            401 | 422 => {
                return Err(RancherError::WrongPassword {
                    server: self.http.server.to_string(),
                    user: user.into(),
                });
            }
            404 => return Err(self.no_rancher(what, "404".into())),
            _ => {}
        }
        let session: Session = self.read(&answer, what)?;
        let token = Secret::new(session.token);
        self.http.hide(&token);
        self.bearer = Bearer::Session(token);
        Ok(())
    }

    /// Ends a session that was begun here.
    pub fn log_out(&mut self) -> Result<(), RancherError> {
        let Bearer::Session(_) = self.bearer else {
            return Ok(());
        };
        self.http.close();
        let what = "log out";
        let answer = self.send("POST", "/v3/tokens?action=logout", Some(&json!({})), what, true)?;
        if !(200..300).contains(&answer.status) {
            return Err(self.refusal(&answer, what));
        }
        self.bearer = Bearer::Nobody;
        Ok(())
    }

    /// Whether the dashboard will ask this user for another password.
    pub fn must_change_password(&mut self) -> Result<bool, RancherError> {
        let users: Vec<User> = self.list("/v3/users?me=true", "show the user")?;
        Ok(users.iter().any(|user| user.must_change_password))
    }

    /// What Rancher calls itself; empty when nobody has said.
    pub fn server_url(&mut self) -> Result<String, RancherError> {
        let setting: Setting = self.get("/v3/settings/server-url", "show its setting server-url")?;
        Ok(setting.value)
    }

    /// Lets Rancher call itself by the address that it is asked at.
    pub fn set_server_url(&mut self) -> Result<(), RancherError> {
        let what = "set server-url";
        let body = json!({"name": "server-url", "value": self.http.server.as_str()});
        let answer = self.send("PUT", "/v3/settings/server-url", Some(&body), what, true)?;
        self.read::<Setting>(&answer, what).map(|_| ())
    }

    /// The clusters of that very name.
    pub fn clusters(&mut self, name: &str) -> Result<Vec<Cluster>, RancherError> {
        let path = format!("/v3/clusters?name={}", encoded(name));
        let mut found: Vec<Cluster> = self.list(&path, "list its clusters")?;
        found.retain(|cluster| cluster.name == name);
        Ok(found)
    }

    /// Makes one that is to be imported. Not sent again by itself: whether it was made is to be looked for.
    pub fn create_cluster(&mut self, name: &str) -> Result<Cluster, RancherError> {
        let what = "create a cluster";
        let body = json!({"type": "cluster", "name": name});
        let answer = self.send("POST", "/v3/cluster", Some(&body), what, false)?;
        self.read(&answer, what)
    }

    /// What that cluster may be registered with.
    pub fn registration_tokens(&mut self, cluster: &str) -> Result<Vec<RegistrationToken>, RancherError> {
        let path = format!("/v3/clusterregistrationtokens?clusterId={}", encoded(cluster));
        let mut found: Vec<RegistrationToken> = self.list(&path, "list the import URLs of a cluster")?;
        found.retain(|token| token.is_good(cluster));
        Ok(found)
    }

    /// Makes a token by which that cluster may be registered.
    pub fn create_registration_token(&mut self, cluster: &str) -> Result<(), RancherError> {
        let what = "make an import URL";
        let body = json!({"type": "clusterRegistrationToken", "clusterId": cluster, "name": DEFAULT_TOKEN});
        let answer = self.send("POST", "/v3/clusterregistrationtokens", Some(&body), what, false)?;
        self.read::<RegistrationToken>(&answer, what).map(|_| ())
    }

    /// The machines of that cluster.
    pub fn nodes(&mut self, cluster: &str) -> Result<Vec<Node>, RancherError> {
        let path = format!("/v3/nodes?clusterId={}", encoded(cluster));
        let mut found: Vec<Node> = self.list(&path, "list the machines of a cluster")?;
        found.retain(|node| node.cluster_id == cluster);
        Ok(found)
    }

    fn send(
        &mut self,
        method: &'static str,
        path: &str,
        body: Option<&Value>,
        what: &str,
        repeatable: bool,
    ) -> Result<Answer, RancherError> {
        let url = self.http.server.join(path);
        self.send_to(method, url, body, what, repeatable)
    }

    fn send_to(
        &mut self,
        method: &'static str,
        url: String,
        body: Option<&Value>,
        what: &str,
        repeatable: bool,
    ) -> Result<Answer, RancherError> {
        let bearer = match &self.bearer {
            Bearer::Nobody => None,
            Bearer::Session(token) | Bearer::Token(token) => Some(token.clone()),
        };
        let what = what.to_owned();
        let ask = Ask {
            method,
            url,
            body,
            what,
            repeatable,
        };
        self.http.ask(&ask, bearer.as_ref())
    }

    fn get<T: DeserializeOwned>(&mut self, path: &str, what: &str) -> Result<T, RancherError> {
        let answer = self.send("GET", path, None, what, true)?;
        self.read(&answer, what)
    }

    /// A list, all pages of it.
    fn list<T: DeserializeOwned>(&mut self, path: &str, what: &str) -> Result<Vec<T>, RancherError> {
        let mut url = self.http.server.join(path);
        let mut all = Vec::new();
        for _ in 0..PAGES {
            let answer = self.send_to("GET", url, None, what, true)?;
            let page: Collection<T> = self.read(&answer, what)?;
            all.extend(page.data);
            let next = page
                .pagination
                .and_then(|pages| pages.next)
                .filter(|next| !next.is_empty());
            match next {
                None => return Ok(all),
                Some(next) if self.http.server.has(&next) => url = next,
                Some(next) => {
                    return Err(RancherError::Redirected {
                        server: self.http.server.to_string(),
                        what: what.into(),
                        to: crate::address::shown(&next),
                    });
                }
            }
        }
        Err(self.no_rancher(what, format!("a list of more than {PAGES} pages")))
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer, what: &str) -> Result<T, RancherError> {
        if !(200..300).contains(&answer.status) {
            return Err(self.refusal(answer, what));
        }
        serde_json::from_slice(&answer.body).map_err(|error| {
            let begins = String::from_utf8_lossy(&answer.body[..answer.body.len().min(64)]).into_owned();
            // What does not fit may hold a token, and is not shown.
            let why = match begins.trim_start().starts_with('<') {
                true => "a web page".into(),
                false if error.is_data() => "JSON of another shape".into(),
                false => "no JSON".into(),
            };
            self.no_rancher(what, why)
        })
    }

    fn no_rancher(&self, what: &str, why: String) -> RancherError {
        RancherError::NotRancher {
            server: self.http.server.to_string(),
            what: what.into(),
            why,
        }
    }

    fn refusal(&self, answer: &Answer, what: &str) -> RancherError {
        let server = self.http.server.to_string();
        let (status, what) = (answer.status, what.to_owned());
        let said = serde_json::from_slice::<Refusal>(&answer.body);
        match (status, said) {
            (401, _) => RancherError::WrongToken { server },
            (403, _) => RancherError::Forbidden { server, what },
            (404, Err(_)) => self.no_rancher(&what, "404".into()),
            (_, said) => {
                let said = said.unwrap_or_default();
                let said = [said.code, said.message].into_iter().filter(|part| !part.is_empty());
                RancherError::Refused {
                    server,
                    what,
                    status,
                    said: self.http.clean(&said.collect::<Vec<_>>().join(": ")),
                }
            }
        }
    }
}

/// A value within a query.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_parameter() {
        assert_eq!(encoded("mosip-1.a_b"), "mosip-1.a_b");
        assert_eq!(encoded("a&id=é #"), "a%26id%3D%C3%A9%20%23");
    }
}
