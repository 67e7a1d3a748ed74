//! Kubernetes' answer to a request that cannot be done: a `Status` object.

use serde_json::{Value, json};

/// What went wrong with a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub code: u16,
    /// Kubernetes' word for it, such as `NotFound`.
    pub reason: &'static str,
    /// For people.
    pub message: String,
    /// Kind or resource, and name of what it is about.
    pub about: (String, String),
}

impl Refusal {
    fn new(code: u16, reason: &'static str, message: String) -> Self {
        Self {
            code,
            reason,
            message,
            about: Default::default(),
        }
    }

    /// There is no such object of `resource` (`deployments.apps`).
    pub fn not_found(resource: &str, name: &str) -> Self {
        let mut refusal = Self::new(404, "NotFound", format!("{resource} \"{name}\" not found"));
        refusal.about = (resource.split('.').next().unwrap_or_default().into(), name.into());
        refusal
    }

    /// There is no such path.
    pub fn no_path() -> Self {
        Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource".into(),
        )
    }

    /// An object of that name is there.
    pub fn exists(resource: &str, name: &str) -> Self {
        let mut refusal = Self::new(409, "AlreadyExists", format!("{resource} \"{name}\" already exists"));
        refusal.about = (resource.split('.').next().unwrap_or_default().into(), name.into());
        refusal
    }

    /// The object was changed since it was read.
    pub fn conflict(resource: &str, name: &str) -> Self {
        Self::new(
            409,
            "Conflict",
            format!(
                "Operation cannot be fulfilled on {resource} \"{name}\": the object has been modified; please apply \
                 your changes to the latest version and try again"
            ),
        )
    }

    /// The object is not valid.
    pub fn invalid(kind: &str, name: &str, what: &str) -> Self {
        let mut refusal = Self::new(422, "Invalid", format!("{kind} \"{name}\" is invalid: {what}"));
        refusal.about = (kind.into(), name.into());
        refusal
    }

    /// The request makes no sense.
    pub fn bad(what: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", what.into())
    }

    /// Nobody known asks.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized".into())
    }

    /// `user` may not do that.
    pub fn forbidden(user: &str, verb: &str, path: &str) -> Self {
        Self::new(
            403,
            "Forbidden",
            format!("User \"{user}\" cannot {verb} path \"{path}\""),
        )
    }

    /// The verb is not offered there.
    pub fn method() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource".into(),
        )
    }

    /// The body is of a kind that is not understood.
    pub fn media(kind: &str) -> Self {
        Self::new(
            415,
            "UnsupportedMediaType",
            format!("the body of the request was in an unknown format: {kind}"),
        )
    }

    /// The `Status` object.
    pub fn to_json(&self) -> Value {
        let mut details = json!({});
        if !self.about.1.is_empty() {
            details = json!({"name": self.about.1, "kind": self.about.0});
        }
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "details": details, "code": self.code,
        })
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message, self.reason)
    }
}

impl std::error::Error for Refusal {}
