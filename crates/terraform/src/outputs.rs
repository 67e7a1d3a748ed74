//! Outputs of a root. Values that Terraform holds sensitive are protected by type.

use crate::text::word;
use mosip_prov_inventory::value::Secret;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value as Json, json};

/// An output's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// It may be shown.
    Open(Json),
    /// It must not: JSON, in protection.
    Sensitive(Secret),
}

impl Output {
    /// As it may be shown: sensitive ones are `***`.
    pub fn shown(&self) -> Json {
        match self {
            Self::Open(json) => json.clone(),
            Self::Sensitive(_) => "***".into(),
        }
    }

    /// The bare value in protection, whatever it is: a string without quotes, anything else as JSON.
    pub fn reveal(&self) -> Secret {
        let json = match self {
            Self::Open(json) => json.clone(),
            Self::Sensitive(secret) => serde_json::from_str(secret.expose()).unwrap_or(Json::Null),
        };
        Secret::new(match json {
            Json::String(text) => text,
            other => other.to_string(),
        })
    }
}

/// All outputs of a root, in Terraform's order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outputs(Vec<(String, Output)>);

impl Outputs {
    /// Reads the answer of `output -json`.
    ///
    /// # Errors
    /// It is none; the text has nothing of it.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        let json: Json = serde_json::from_slice(json).map_err(|error| format!("no JSON, at line {}", error.line()))?;
        let all = json.as_object().ok_or("no JSON object")?;
        let read = all.iter().map(|(name, output)| {
            let value = output.get("value").cloned().unwrap_or(Json::Null);
            // What does not say that it may be shown is not shown.
            let open = output["sensitive"] == Json::Bool(false);
            let output = match open {
                true => Output::Open(value),
                false => Output::Sensitive(Secret::new(value.to_string())),
            };
            (word(name), output)
        });
        Ok(Self(read.collect()))
    }

    /// The output of that name.
    pub fn get(&self, name: &str) -> Option<&Output> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, output)| output)
    }

    /// All, with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Output)> {
        self.0.iter().map(|(name, output)| (name.as_str(), output))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Outputs {
    /// In the shape of `terraform output -json`, with sensitive values masked.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, output) in &self.0 {
            let sensitive = matches!(output, Output::Sensitive(_));
            map.serialize_entry(name, &json!({"sensitive": sensitive, "value": output.shown()}))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"count":{"sensitive":false,"type":"number","value":3},
        "password":{"sensitive":true,"type":"string","value":"hunter2"},
        "odd":{"value":{"a":["hunter2"]}}}"#;

    #[test]
    fn sensitive_ones_are_masked_everywhere() {
        let outputs = Outputs::read(JSON.as_bytes()).expect("outputs");
        let shown = serde_json::to_string(&outputs).expect("JSON") + &format!("{outputs:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(
            shown.starts_with(r#"{"count":{"sensitive":false,"value":3},"password":{"sensitive":true,"value":"***"}"#)
        );
        assert_eq!(outputs.get("password").expect("it").reveal().expose(), "hunter2");
        assert_eq!(
            outputs.get("odd").expect("it").reveal().expose(),
            r#"{"a":["hunter2"]}"#
        );
        assert_eq!(outputs.get("count").expect("it").reveal().expose(), "3");
        assert!(outputs.get("none").is_none());
    }

    #[test]
    fn no_answer() {
        assert!(Outputs::read(b"hunter2").is_err_and(|e| !e.contains("hunter2")));
        assert!(Outputs::read(b"[]").is_err());
        assert!(Outputs::read(b"{}").is_ok_and(|o| o.is_empty()));
    }
}
