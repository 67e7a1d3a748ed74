//! The way to real hosts, with the operator's own ssh configuration taken into account.

use crate::target::Recipe;
use async_trait::async_trait;
use mosip_prov_transport::{
    ConnectionKind, Connector, ErrorKind, Host, Jump, JumpSpec, Prompt, RemoteConnector, Target, TransportError,
    resolve_ssh_config,
};
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// More machines on a way than anyone has.
const MOST_JUMPS: usize = 8;

/// Connects by SSH or to this machine. What the inventory says of a host counts above `ansible_ssh_common_args`, and
/// those above the ssh configuration, as with Ansible.
pub(crate) struct ConfiguredConnector {
    remote: RemoteConnector,
    recipes: Arc<HashMap<String, Recipe>>,
    ssh_config: Option<PathBuf>,
    /// There is a configuration that says something, so that it is worth asking for.
    has_config: bool,
}

impl ConfiguredConnector {
    pub fn new(
        prompt: Option<Arc<dyn Prompt>>,
        recipes: Arc<HashMap<String, Recipe>>,
        ssh_config: Option<PathBuf>,
    ) -> Self {
        let has_config = ssh_config.is_some() || crate::ssh_config::matters();
        Self {
            remote: prompt.map_or_else(RemoteConnector::default, RemoteConnector::new),
            recipes,
            ssh_config,
            has_config,
        }
    }

    async fn complete(&self, target: &Target) -> Result<Target, ErrorKind> {
        let recipe = self.recipes.get(&target.name).cloned().unwrap_or_default();
        let mut full = target.clone();
        let file = recipe.args.config_file.as_deref().or(self.ssh_config.as_deref());
        let mut jumps = None;
        if self.has_config || file.is_some() {
            let config = resolve_ssh_config(&target.address, recipe.user.as_deref(), recipe.port, file).await?;
            config.apply_to(&mut full);
            jumps = recipe.args.jumps.clone().or(config.jumps);
        }
        recipe.args.apply_to(&mut full);
        if let Some(jumps) = jumps {
            full.jumps = way(jumps, file).await?;
        }
        if let Some(user) = recipe.user {
            full.user = user;
        }
        if full.user.is_empty() {
            full.user = login_name().await?;
        }
        if let Some(port) = recipe.port {
            full.port = port;
        }
        // The inventory's own key is offered first, and what it says of host keys stands.
        for key in target.keys.iter().rev() {
            full.keys.retain(|k| k != key);
            full.keys.insert(0, key.clone());
        }
        if recipe.pinned || target.host_keys != Default::default() {
            full.host_keys = target.host_keys;
        }
        if !target.known_hosts.is_empty() {
            full.known_hosts = target.known_hosts.clone();
        }
        Ok(full)
    }
}

/// The machines on the way, each as the ssh configuration describes it. The first may lie behind others itself.
async fn way(mut rest: Vec<JumpSpec>, file: Option<&Path>) -> Result<Vec<Jump>, ErrorKind> {
    let mut way = VecDeque::new();
    while let Some(spec) = rest.pop() {
        if way.len() == MOST_JUMPS {
            return Err(ErrorKind::BadRequest(format!(
                "the way through {} has more than {MOST_JUMPS} jump hosts; does one lie behind itself?",
                spec.host
            )));
        }
        let config = resolve_ssh_config(&spec.host, spec.user.as_deref(), spec.port, file).await?;
        let user = match spec.user.or(config.user) {
            Some(user) => user,
            None => login_name().await?,
        };
        way.push_front(Jump {
            address: config.host_name.unwrap_or(spec.host),
            port: spec.port.or(config.port).unwrap_or(22),
            user,
            keys: config.keys,
        });
        if rest.is_empty() {
            rest = config.jumps.unwrap_or_default();
        }
    }
    Ok(way.into())
}

/// The name of the user this program runs as.
async fn login_name() -> Result<String, ErrorKind> {
    if let Some(name) = ["LOGNAME", "USER"]
        .iter()
        .find_map(|v| std::env::var(v).ok())
        .filter(|n| !n.is_empty())
    {
        return Ok(name);
    }
    let output = tokio::process::Command::new("id").arg("-un").output().await;
    match output {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Ok(output) => Err(ErrorKind::BadRequest(format!(
            "no login user is known: set ansible_user (id -un said: {})",
            String::from_utf8_lossy(&output.stderr).trim()
        ))),
        Err(source) => Err(ErrorKind::Local {
            doing: "finding out the login user with id -un".into(),
            source,
        }),
    }
}

#[async_trait]
impl Connector for ConfiguredConnector {
    async fn connect(&self, target: &Target) -> Result<Arc<dyn Host>, TransportError> {
        match target.connection {
            ConnectionKind::Local => self.remote.connect(target).await,
            ConnectionKind::Ssh => {
                let full = self
                    .complete(target)
                    .await
                    .map_err(|kind| TransportError::new(&target.name, kind))?;
                self.remote.connect(&full).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn way_of(config: &str, jumps: &[&str]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config");
        std::fs::write(&file, config).expect("written");
        let specs = jumps
            .iter()
            .map(|jump| JumpSpec::parse(jump).expect("a jump host"))
            .collect();
        let show = |jump: &Jump| format!("{}@{}:{} {:?}", jump.user, jump.address, jump.port, jump.keys);
        match way(specs, Some(&file)).await {
            Ok(way) => Ok(way.iter().map(show).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn jump_hosts_are_what_the_ssh_configuration_says_they_are() {
        let config = "Host bastion\n  HostName 192.0.2.1\n  User jumper\n  IdentityFile /keys/bastion\n\
                      Host inner\n  HostName 10.0.0.9\n  User inner\n  Port 2200\n  ProxyJump bastion\n";
        let bastion = "jumper@192.0.2.1:22 [\"/keys/bastion\"]".to_owned();
        assert_eq!(way_of(config, &["bastion"]).await, Ok(vec![bastion.clone()]));
        assert_eq!(
            way_of(config, &["inner"]).await,
            Ok(vec![bastion.clone(), "inner@10.0.0.9:2200 []".into()])
        );
        // What is written with the jump host counts above its configuration.
        assert_eq!(
            way_of(config, &["me@bastion:2222"]).await,
            Ok(vec!["me@192.0.2.1:2222 [\"/keys/bastion\"]".into()])
        );
        // Only the first of several is reached as its own configuration says.
        assert_eq!(
            way_of(config, &["bastion", "inner"]).await,
            Ok(vec![bastion, "inner@10.0.0.9:2200 []".into()])
        );
        let circle = way_of("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n", &["a"]).await;
        assert!(
            circle.clone().is_err_and(|why| why.contains("behind itself")),
            "{circle:?}"
        );
    }
}
