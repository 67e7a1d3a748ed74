//! The way to real hosts, with the operator's own ssh configuration taken into account.

use crate::target::Recipe;
use async_trait::async_trait;
use mosip_prov_transport::{
    ConnectionKind, Connector, ErrorKind, Host, Prompt, RemoteConnector, Target, TransportError, resolve_ssh_config,
};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Connects by SSH or to this machine. What the inventory says of a host counts above `ansible_ssh_common_args`, and
/// those above the ssh configuration, as with Ansible.
pub(crate) struct ConfiguredConnector {
    remote: RemoteConnector,
    recipes: Arc<HashMap<String, Recipe>>,
    ssh_config: Option<PathBuf>,
    /// Some configuration exists, so that it is worth asking for.
    has_config: bool,
}

impl ConfiguredConnector {
    pub fn new(
        prompt: Option<Arc<dyn Prompt>>,
        recipes: Arc<HashMap<String, Recipe>>,
        ssh_config: Option<PathBuf>,
    ) -> Self {
        let home = std::env::var_os("HOME").map(|h| Path::new(&h).join(".ssh/config"));
        let has_config =
            ssh_config.is_some() || home.is_some_and(|f| f.exists()) || Path::new("/etc/ssh/ssh_config").exists();
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
        if self.has_config || file.is_some() {
            let config = resolve_ssh_config(&target.address, recipe.user.as_deref(), recipe.port, file).await?;
            config.apply_to(&mut full);
        }
        recipe.args.apply_to(&mut full);
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
