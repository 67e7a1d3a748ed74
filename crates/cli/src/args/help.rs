//! Examples under the help of each command.

/// Under `mosip-prov --help`.
pub const TOP: &str = "\
Examples:
  mosip-prov playbooks                                  what there is
  mosip-prov tasks deploy-nginx -i rancher.ini          what it does, in order
  mosip-prov plan deploy-nginx -i rancher.ini           what it would change, and nothing is changed
  mosip-prov run deploy-nginx -i rancher.ini            do it
  mosip-prov run apt-upgrade -f 12 --limit 'vm1,vm2'    on some hosts only
  mosip-prov inventory graph -i rancher.ini             the groups and their hosts
  mosip-prov deploy -i rancher.ini                      all of it, stage by stage

Help for a command: mosip-prov run --help";

/// Under `run -h`.
pub const RUN: &str = "\
Examples:
  mosip-prov run apt-upgrade -i rancher.ini -f 12
  mosip-prov run deploy-nginx -i rancher.ini --check --diff
  mosip-prov run deploy-nginx --limit nginx-node-1 -K
  mosip-prov run deploy-nginx -e mosip_domain=example.org -e @local.yml
  mosip-prov run deploy-nginx --events run.jsonl --report run.html

A run can be repeated at any time: what is right already is left alone. Ctrl-C ends it in an orderly way.";

/// Under `run --help`: the exit codes too.
pub fn run_long() -> String {
    format!("{RUN}\n\n{}", super::EXIT_CODES)
}

/// Under `plan`.
pub const PLAN: &str = "\
Examples:
  mosip-prov plan deploy-nginx -i rancher.ini
  mosip-prov plan apt-upgrade --limit vm1 -v            also what stays as it is, and why
  mosip-prov plan deploy-nginx --exit-code || echo 'something would change, or is wrong'
  mosip-prov plan deploy-nginx --out front.plan         keep it, to apply exactly that

The hosts are connected to and asked, and nothing is changed. What cannot be known before it is done reads `unknown`.";

/// Under `apply -h`.
pub const APPLY: &str = "\
Examples:
  mosip-prov plan deploy-nginx -i rancher.ini --out front.plan
  mosip-prov apply front.plan                           shows it, asks, and does it
  mosip-prov apply front.plan --yes --events apply.jsonl
  mosip-prov apply front.plan --max-age 72 -K

All hosts are asked again first. Where one would decide otherwise than planned, nothing is changed on it, it is shown what is
different, and the exit code is 2; the other hosts go on. Playbooks, inventory and selection are those of the plan.";

/// Under `apply --help`: the exit codes too.
pub fn apply_long() -> String {
    format!("{APPLY}\n\n{}", super::EXIT_CODES)
}

/// Under `inventory`.
pub const INVENTORY: &str = "\
Examples:
  mosip-prov inventory list -i rancher.ini
  mosip-prov inventory list --format json | jq '.nginx.hosts'
  mosip-prov inventory graph
  mosip-prov inventory host vm1

Nothing is connected to.";

/// Under `playbooks`.
pub const PLAYBOOKS: &str = "\
Examples:
  mosip-prov playbooks";

/// Under `tasks`.
pub const TASKS: &str = "\
Examples:
  mosip-prov tasks deploy-nginx -i rancher.ini
  mosip-prov tasks apt-upgrade --tags upgrade --limit vm1

Nothing is connected to. All inputs are checked, as before a run.";

/// Under `rancher`.
pub const RANCHER: &str = "\
Examples:
  mosip-prov rancher import --check -i rancher.ini      is the cluster there? Nothing is created
  mosip-prov rancher import -i rancher.ini              find it, or create it";

/// Under `rancher import`.
pub const RANCHER_IMPORT: &str = "\
Examples:
  mosip-prov rancher import -i rancher.ini --check
  mosip-prov rancher import -i rancher.ini --name mosip-cluster
  mosip-prov rancher import -i rancher.ini --format json

Rancher is asked by rancher_api_token, or as admin by rancher_bootstrap_password (both belong into a vault), at rancher_url.
No host is connected to. The import URL holds a token and is not shown: `run deploy-rancher` asks for it again and uses it.";

/// Under `preflight -h`.
pub const PREFLIGHT: &str = "\
Examples:
  mosip-prov preflight -i rancher.ini -i hosts.ini      everything
  mosip-prov preflight hosts network -i rancher.ini     the machines, and the ways between them
  mosip-prov preflight dns --nameserver 192.0.2.53      asked of one server
  mosip-prov preflight --static                         before there are machines
  mosip-prov preflight --format json | jq '.findings[] | select(.level == \"failure\")'

Every failure has its remedy. Warnings keep nobody from deploying.";

/// Under `preflight --help`: the exit codes too.
pub fn preflight_long() -> String {
    format!("{PREFLIGHT}\n\n{}", super::EXIT_CODES)
}

/// Under `verify -h`.
pub const VERIFY: &str = "\
Examples:
  mosip-prov verify mosip -i rancher.ini                wait until all is well, 5 minutes at most
  mosip-prov verify obs --stage helm                    Rancher must be there by now
  mosip-prov verify mosip --wait 0                      look once
  mosip-prov verify mosip --ca-file ca.pem              certificates of an authority of your own
  mosip-prov verify mosip --format json | jq '.findings[] | select(.level == \"failure\")'

The cluster is asked by kubectl on the deployment node (group deployment, else this machine), the front from this machine.
Without --stage the cluster says it: helm if Rancher (obs) or anything of Helm's (mosip) is in it, else cluster. Nothing is
changed.";

/// Under `verify --help`: the exit codes too.
pub fn verify_long() -> String {
    format!("{VERIFY}\n\n{}", super::EXIT_CODES)
}
/// Under `dns`.
pub const DNS: &str = "\
Examples:
  mosip-prov dns records -i rancher.ini                 the records to create";

/// Under `dns records`.
pub const DNS_RECORDS: &str = "\
Examples:
  mosip-prov dns records -i rancher.ini
  mosip-prov dns records -i rancher.ini --format zone > mosip.zone
  mosip-prov dns records -i rancher.ini --format json | jq -r '.[] | .type + \" \" + .name + \" \" + .value'

They are made from mosip_domain, mosip_public_ip, the names of nginx_public_domain_names and
nginx_obs_public_domain_names, and the addresses of the hosts of nginx and nginx_obs. Nothing is connected to.";

/// Under `deploy -h`.
pub const DEPLOY: &str = "\
Examples:
  mosip-prov deploy -i inventory/rancher.ini                    all stages; shows changes and asks before it makes them
  mosip-prov deploy -i inventory/rancher.ini --yes              asks nothing
  mosip-prov deploy --to wireguard                              the first stages only
  mosip-prov deploy --from deploy-all --to verify-mosip-cluster
  mosip-prov deploy --list-stages                               the stages, and how they went

A deploy that failed, was stopped or killed goes on where it was when it is run again: with the stage it was in, on the
hosts that are left. When inventory or variables have changed since, it begins with the first stage; what is right already
costs nothing.";

/// Under `deploy --help`: the exit codes too.
pub fn deploy_long() -> String {
    format!("{DEPLOY}\n\n{}", super::EXIT_CODES)
}

/// Under `status`.
pub const STATUS: &str = "\
Examples:
  mosip-prov status -i inventory/rancher.ini
  mosip-prov status --offline                                   the journal only
  mosip-prov status --format json | jq '.drift'
  mosip-prov status --exit-code || echo 'something is left to do, or has drifted'

Every playbook is worked out against the machines, and the clusters are looked at once; nothing is changed.";

/// Under `wireguard`.
pub const WIREGUARD: &str = "\
Examples:
  mosip-prov wireguard peers -i hosts.ini               who they are, and who is connected
  mosip-prov wireguard peers --help                     fetching, QR codes, adding, revoking";

/// Under `wireguard peers -h`.
pub const PEERS: &str = "\
Examples:
  mosip-prov wireguard peers -i hosts.ini
  mosip-prov wireguard peers -i hosts.ini --out ~/mosip-vpn
  mosip-prov wireguard peers peer1 -i hosts.ini --out ~/mosip-vpn
  mosip-prov wireguard peers peer1 -i hosts.ini --qr
  mosip-prov wireguard peers add alice -i hosts.ini
  mosip-prov wireguard peers revoke alice -i hosts.ini

The list has no key but public ones. A private key leaves its host only into the files of --out, and into the QR code.";

/// Under `wireguard peers --help`: the exit codes too.
pub fn peers_long() -> String {
    format!("{PEERS}\n\n{}", super::EXIT_CODES)
}

/// Under `wireguard peers add`.
pub const PEERS_ADD: &str = "\
Examples:
  mosip-prov wireguard peers add alice -i hosts.ini
  mosip-prov wireguard peers add alice bob -i hosts.ini --check --diff
  mosip-prov wireguard peers alice -i hosts.ini --qr    then hand it out

A peer that is there is left as it is. One that was revoked gets new keys. With the docker backend, peers are what
wireguard_peers says.";

/// Under `wireguard peers revoke`.
pub const PEERS_REVOKE: &str = "\
Examples:
  mosip-prov wireguard peers revoke alice -i hosts.ini

The tunnel forgets the key at once, the files go, and the name is remembered: `mosip-prov run wireguard` does not bring a
revoked peer back, `wireguard peers add` does, with new keys.";

/// Under `terraform`.
pub const TERRAFORM: &str = "\
Examples:
  mosip-prov terraform obs init -i rancher.ini
  mosip-prov terraform obs plan -i rancher.ini          shown, and kept for apply
  mosip-prov terraform obs apply -i rancher.ini         exactly that plan, after a question
  mosip-prov terraform obs output -i rancher.ini        sensitive ones are masked
  mosip-prov terraform mosip apply -i rancher.ini --yes
  mosip-prov terraform ./my-root plan --destroy

Values in terraform.tfvars are compared with the inventory first; missing ones are written. A plan that destroys or replaces
anything needs --allow-destroy. Ctrl-C is passed on to terraform, which is waited for.";
/// Under `certificates`.
pub const CERTIFICATES: &str = "\
Examples:
  mosip-prov certificates install ~/certs -i rancher.ini      from a folder with fullchain.pem and privkey.pem
  mosip-prov certificates request -i rancher.ini              have one issued, by way of certbot
  mosip-prov certificates renew -i rancher.ini                when it ends soon

See docs/certificates.md.";

/// Under `certificates install`.
pub const CERTIFICATES_INSTALL: &str = "\
Examples:
  mosip-prov certificates install ~/certs -i rancher.ini
  mosip-prov certificates install /etc/letsencrypt/live/obs.example.org --front nginx_obs -i rancher.ini

Nothing is placed unless the pair is whole, fits, is in time and covers the names of a front. No host is connected to.";

/// Under `certificates request`.
pub const CERTIFICATES_REQUEST: &str = "\
Examples:
  mosip-prov certificates request -i rancher.ini --email admin@example.org --agree-tos
  mosip-prov certificates request -i rancher.ini --auth-hook ./create-record.sh --cleanup-hook ./remove-record.sh

The records to create are shown, and waited for at the zone's own nameservers. No host is connected to.";

/// Under `certificates renew`.
pub const CERTIFICATES_RENEW: &str = "\
Examples:
  mosip-prov certificates renew -i rancher.ini
  mosip-prov certificates renew -i rancher.ini --days 45 --no-deploy

With a certificate that is good for longer than --days nothing is done, so that it can be called every day.";

/// Under `init`.
pub const INIT: &str = "\
Examples:
  mosip-prov init                                       asks on the terminal, writes inventory/ and terraform/ here
  mosip-prov init site --answers answers.yml
  mosip-prov init --from-terraform ../infrastructure --domain mosip.example.org

All that is wrong is told before anything is written. Files that hold something else are left as they are, unless --force.";

/// Under `history`.
pub const HISTORY: &str = "\
Examples:
  mosip-prov history -i rancher.ini
  mosip-prov history 20261124T081355123-04711 -i rancher.ini";

/// Under `completion`.
pub const COMPLETION: &str = "\
Examples:
  mosip-prov completion bash > ~/.local/share/bash-completion/completions/mosip-prov
  mosip-prov completion zsh > ~/.zfunc/_mosip-prov
  mosip-prov completion fish > ~/.config/fish/completions/mosip-prov.fish";
