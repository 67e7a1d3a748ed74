//! Answers from the outputs of a Terraform root that made the machines: the JSON of `terraform output -json`.

use crate::answers::{Answers, Field, From, Given};
use mosip_prov_inventory::diagnostic::{Diagnostic, Location};
use serde_json::Value;
use std::path::Path;

/// The names of outputs that are known, the better ones first.
pub const NAMES: [(Field, &[&str]); 10] = [
    (Field::Domain, &["mosip_domain", "domain", "installation_domain"]),
    (
        Field::Node,
        &[
            "mosip_nodes",
            "mosip_node_ips",
            "mosip_node_private_ips",
            "node_ips",
            "node_private_ips",
            "nodes",
        ],
    ),
    (
        Field::Obs,
        &[
            "obs_private_ip",
            "obs_node_private_ip",
            "obs_node_ip",
            "observation_private_ip",
            "observation_node_ip",
            "obs_ip",
        ],
    ),
    (
        Field::Nginx,
        &[
            "nginx_private_ip",
            "mosip_nginx_private_ip",
            "mosip_nginx_ip",
            "nginx_ip",
        ],
    ),
    (
        Field::NginxObs,
        &[
            "nginx_obs_private_ip",
            "obs_nginx_private_ip",
            "nginx_obs_ip",
            "obs_nginx_ip",
        ],
    ),
    (
        Field::PublicIp,
        &[
            "mosip_public_ip",
            "nginx_public_ip",
            "mosip_nginx_public_ip",
            "public_api_ip",
            "public_ip",
        ],
    ),
    (
        Field::Wireguard,
        &[
            "wireguard_private_ip",
            "wg_bastion_private_ip",
            "wireguard_ip",
            "bastion_private_ip",
        ],
    ),
    (
        Field::WireguardEndpoint,
        &[
            "wireguard_public_ip",
            "wireguard_endpoint",
            "wg_bastion_public_ip",
            "bastion_public_ip",
        ],
    ),
    (Field::User, &["ssh_user", "user"]),
    (
        Field::PrivateKey,
        &["ssh_private_key_file", "private_key_path", "ssh_key_path"],
    ),
];

/// Attributes that hold a machine's private address, where an output is an object.
const ADDRESS: [&str; 7] = [
    "private_ip",
    "private_ip_address",
    "access_ip_v4",
    "fixed_ip_v4",
    "ipv4_address",
    "ip_address",
    "ip",
];

/// Takes answers from `json`; the names of outputs that nobody knows, sensitive ones too, whose values are not read.
///
/// # Errors
/// It is not what `terraform output -json` prints, or an output that is known holds something else.
pub fn read(json: &[u8], file: &Path, answers: &mut Answers) -> Result<Vec<String>, Vec<Diagnostic>> {
    let wrong = |what: String| {
        vec![
            Diagnostic::error(format!(
                "{} is not what `terraform output -json` prints: {what}",
                file.display()
            ))
            .at(Location::file(file))
            .help("make it in the root that made the machines: terraform output -json > outputs.json"),
        ]
    };
    let outputs: Value = serde_json::from_slice(json).map_err(|error| wrong(error.to_string()))?;
    let outputs = outputs
        .as_object()
        .ok_or_else(|| wrong("it is no JSON object".into()))?;
    let mut problems = Vec::new();
    let mut used = Vec::new();
    for (field, names) in NAMES {
        let Some((name, output)) = names.iter().find_map(|name| Some((*name, outputs.get(*name)?))) else {
            continue;
        };
        used.extend(names);
        let Some(value) = output.get("value") else {
            problems.extend(wrong(format!("output {name} has no value")));
            continue;
        };
        if output["sensitive"] == Value::Bool(true) {
            problems.push(
                Diagnostic::error(format!(
                    "output {name} is sensitive, and would be written into an inventory"
                ))
                .at(Location::file(file))
                .help(format!(
                    "give {} instead, or take sensitive = true away from the output",
                    field.flag()
                )),
            );
            continue;
        }
        match texts(value) {
            Some(texts) => answers.give(
                field,
                Given {
                    texts,
                    from: From::Terraform,
                    place: Some(Location::file(file)),
                },
            ),
            None => problems.push(
                Diagnostic::error(format!("output {name} holds no address or text"))
                    .at(Location::file(file))
                    .help(format!(
                        "a text, a list of them, or objects with one of: {}",
                        ADDRESS.join(", ")
                    )),
            ),
        }
    }
    match problems.is_empty() {
        true => Ok(outputs
            .keys()
            .filter(|name| !used.contains(&name.as_str()))
            .cloned()
            .collect()),
        false => Err(problems),
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) => items
            .iter()
            .map(texts)
            .collect::<Option<Vec<_>>>()
            .map(|all| all.concat()),
        Value::Object(object) => {
            if let Some(address) = ADDRESS.iter().find_map(|name| object.get(*name)) {
                return texts(address);
            }
            // By name, as people count: node-2 before node-10.
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(name, _)| (number_of(name), (*name).clone()));
            (!entries.is_empty()).then_some(())?;
            entries
                .into_iter()
                .map(|(_, item)| texts(item))
                .collect::<Option<Vec<_>>>()
                .map(|all| all.concat())
        }
        Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The number at the end of a name.
fn number_of(name: &str) -> u64 {
    let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    name[name.len() - digits..].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_and_shapes() {
        let json = br#"{
            "mosip_nodes": {"value": {"node-10": {"private_ip": "10.0.0.10"}, "node-2": {"private_ip": "10.0.0.2"}}, "type": "x", "sensitive": false},
            "obs_nginx_ip": {"value": ["10.0.1.1"], "sensitive": false},
            "public_ip": {"value": "203.0.113.1"},
            "ssh_user": {"value": "debian"},
            "db_password": {"value": "hunter2", "sensitive": true},
            "vpc_id": {"value": "vpc-1"}
        }"#;
        let mut answers = Answers::default();
        let unknown = read(json, Path::new("o.json"), &mut answers).expect("read");
        assert_eq!(unknown, ["db_password", "vpc_id"]);
        assert_eq!(
            answers.get(Field::Node).expect("nodes").texts,
            ["10.0.0.2", "10.0.0.10"]
        );
        assert_eq!(answers.first(Field::NginxObs), Some("10.0.1.1"));
        assert_eq!(answers.first(Field::User), Some("debian"));
        assert!(!format!("{answers:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_no_output() {
        for (json, wanted) in [
            ("nonsense", "is not what"),
            ("[]", "no JSON object"),
            (r#"{"nodes": {"value": 5}}"#, "holds no address"),
            (r#"{"nodes": {"value": "10.0.0.1", "sensitive": true}}"#, "is sensitive"),
            (r#"{"nodes": "10.0.0.1"}"#, "has no value"),
        ] {
            let said = read(json.as_bytes(), Path::new("o.json"), &mut Answers::default()).expect_err(json);
            assert!(said[0].message.contains(wanted), "{}", said[0]);
        }
    }
}
