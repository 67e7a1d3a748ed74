//! Variables in, settings or findings out.

mod common;

use common::{INI, read, settings};
use mosip_prov_front::{Firewall, ListenAddress, NodePorts};

const DOMAIN: &str = "mosip_domain: mosip.example.org\n";

fn with(vars: &str) -> String {
    format!("{DOMAIN}{vars}\n")
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

#[test]
fn defaults_are_those_operators_know() {
    let made = settings(DOMAIN);
    assert_eq!(made.domain, "mosip.example.org");
    let names = [
        "api.mosip.example.org",
        "prereg.mosip.example.org",
        "resident.mosip.example.org",
        "idp.mosip.example.org",
    ];
    assert_eq!(made.public_names, names);
    assert_eq!(
        (made.public_listen, made.internal_listen),
        (ListenAddress::HostDefault, ListenAddress::HostDefault)
    );
    // Where Istio's gateways listen too.
    assert_eq!(made.ports, NodePorts::DEFAULT);
    assert_eq!(NodePorts::DEFAULT.all(), [30080, 31080, 30900, 31432, 31616]);
    assert_eq!(made.ssl_dir, "/etc/nginx/ssl");
    assert_eq!(made.cert_path, "/etc/nginx/ssl/fullchain.pem");
    assert_eq!(made.key_path, "/etc/nginx/ssl/privkey.pem");
    assert_eq!(
        texts(&made.allowed),
        [
            "127.0.0.0/8",
            "::1/128",
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "172.16.50.0/24"
        ]
    );
    // node_ip, else the ansible_host of the physical_vm.
    assert_eq!(made.nodes, ["172.16.50.21", "172.16.50.12"]);
    assert_eq!(made.firewall, None);
}

#[test]
fn names_may_be_a_text_or_a_list() {
    let wanted = ["api.x.org", "*.open.x.org"];
    for vars in [
        "nginx_public_domain_names: 'API.x.org  *.open.x.org api.x.org'",
        "nginx_public_domain_names: [api.x.org, '*.open.x.org']",
        "nginx_public_domain_names: 'api.x.org, *.open.x.org'",
    ] {
        assert_eq!(settings(&with(vars)).public_names, wanted, "{vars}");
    }
    // A name made from the domain that the inventory overrides.
    let made = settings(&with("nginx_public_domain_names: 'api.{{ mosip_domain }}'"));
    assert_eq!(made.public_names, ["api.mosip.example.org"]);
}

#[test]
fn listen_addresses_follow_each_other() {
    let fixed = |text: &str| ListenAddress::Fixed(text.parse().expect("an address"));
    let made = settings(&with("nginx_listen_ip: 10.0.0.5"));
    assert_eq!(
        (made.public_listen, made.internal_listen),
        (fixed("10.0.0.5"), fixed("10.0.0.5"))
    );
    let made = settings(&with("nginx_listen_ip: 10.0.0.5\nnginx_public_listen_ip: 203.0.113.9"));
    assert_eq!(
        (made.public_listen, made.internal_listen),
        (fixed("203.0.113.9"), fixed("10.0.0.5"))
    );
    let made = settings(&with("nginx_listen_ip: '{{ ansible_host }}'"));
    assert_eq!(made.public_listen, fixed("172.16.50.5"));
    // The fact by any of its names: known when the host has answered.
    for template in [
        "ansible_default_ipv4.address",
        "ansible_facts['default_ipv4']['address']",
        "ansible_default_ipv4['address']",
    ] {
        let made = settings(&with(&format!("nginx_listen_ip: \"{{{{ {template} }}}}\"")));
        assert_eq!(made.internal_listen, ListenAddress::HostDefault, "{template}");
    }
}

#[test]
fn ranges_follow_the_vpn_and_can_be_switched_off() {
    let made = settings(&with("wireguard_network: 100.64.7.0/24"));
    assert_eq!(texts(&made.allowed).last().map(String::as_str), Some("100.64.7.0/24"));
    let made = settings(&with("wireguard_network: '100.64.7.0/24, 198.51.100.0/24'"));
    assert_eq!(texts(&made.allowed)[5..], ["100.64.7.0/24", "198.51.100.0/24"]);
    assert!(settings(&with("nginx_internal_allowed_ranges: []")).allowed.is_empty());
    assert_eq!(
        texts(&settings(&with("nginx_internal_allowed_ranges: 10.1.2.3")).allowed),
        ["10.1.2.3/32"]
    );
}

#[test]
fn everyone_is_never_let_in_unawares() {
    // What peers of a full tunnel are told is no network that clients come from.
    let (made, problems) = read(INI, &with("wireguard_network: '0.0.0.0/0, ::/0'"));
    assert_eq!(made.expect("settings").allowed.len(), 5);
    assert!(
        problems.contains("warning: wireguard_network has 0.0.0.0/0"),
        "{problems}"
    );
    let (made, problems) = read(INI, &with("nginx_internal_allowed_ranges: [0.0.0.0/0]"));
    assert_eq!(texts(&made.expect("settings").allowed), ["0.0.0.0/0"]);
    assert!(problems.contains("is open to everyone"), "{problems}");
}

#[test]
fn the_firewall_is_read_in_every_form_it_is_written_in() {
    let wanted = Firewall {
        from: vec!["10.13.13.2-10.13.13.51".parse().expect("range")],
        back_to: vec!["10.13.13.2-10.13.13.51".parse().expect("range")],
        allowed: vec![[172, 16, 50, 21].into(), [172, 16, 50, 12].into()],
        interface: "eth0".into(),
    };
    let default = settings(&with("enable_firewall_rules: yes"));
    assert_eq!(default.firewall, Some(wanted.clone()));
    let r = "10.13.13.2-10.13.13.51";
    for ranges in [
        format!("[{{src_range: {r}}}, {{dst_range: {r}}}]"),
        format!("[{{src_range: {r}, dst_range: {r}}}]"),
        format!("{{src_range: {r}, dst_range: {r}}}"),
    ] {
        let vars = with(&format!(
            "enable_firewall_rules: true\nfirewall_config:\n  allowed_ip_ranges: {ranges}\n  \
             allowed_ips: ['172.16.50.21', '172.16.50.12']\n  nat_interface: eth0"
        ));
        assert_eq!(settings(&vars).firewall, Some(wanted.clone()), "{ranges}");
    }
    let vars = with(&format!(
        "enable_firewall_rules: true\nfirewall_config:\n  allowed_ip_ranges: {{src_range: {r}, dst_range: {r}}}\n  \
         allowed_ips: \"{{{{ groups['worker_nodes'] | map('extract', hostvars, 'node_ip') | select('defined') | list }}}}\"\n  nat_interface: ens5"
    ));
    let made = settings(&vars).firewall.expect("on");
    assert_eq!(
        (made.allowed, made.interface.as_str()),
        (vec![[172, 16, 50, 21].into()], "ens5")
    );
}

#[test]
fn every_mistake_is_found_in_one_go_with_its_place() {
    let vars = "nginx_public_domain_names: 'api.x.org {MOSIP_DOMAIN}'
nginx_listen_ip: 172.16.50.
nginx_public_ingress_nodeport: 70000
nginx_internal_ingress_nodeport: abc
nginx_minio_ingress_nodeport: 0
nginx_internal_allowed_ranges: [10.0.0.0/33, all]
nginx_ssl_dir: ssl
nginx_cert_path: '/etc/nginx/my certs/c.pem'
enable_firewall_rules: maybe
";
    let ini = INI.replace("node_ip=172.16.50.21", "node_ip=<node1-private-ip>");
    let (made, problems) = read(&ini, vars);
    assert!(made.is_none());
    for part in [
        "mosip_domain is not set, and all names nginx serves are made from it",
        "nginx_public_listen_ip is \"172.16.50.\", which is no IP address",
        "nginx_public_ingress_nodeport is 70000, which is no TCP port",
        "nginx_internal_ingress_nodeport",
        "nginx_minio_ingress_nodeport is 0",
        "nginx_internal_allowed_ranges has \"10.0.0.0/33\"",
        "nginx_internal_allowed_ranges has \"all\"",
        "nginx_ssl_dir is \"ssl\", which is no absolute path",
        "nginx_cert_path is \"/etc/nginx/my certs/c.pem\", and ' ' cannot stand",
        "enable_firewall_rules",
        "node_ip of worker-1 is \"<node1-private-ip>\", which is no DNS name",
        "all.yml:3:",
        "rancher.ini:7:",
    ] {
        assert!(problems.contains(part), "{part} is not in\n{problems}");
    }
}

#[test]
fn names_that_are_none_are_found() {
    let (_, problems) = read(INI, &with("nginx_public_domain_names: 'api.x.org {MOSIP_DOMAIN}'"));
    assert!(
        problems.contains("nginx_public_domain_names has \"{MOSIP_DOMAIN}\", which is no DNS name"),
        "{problems}"
    );
    let (_, problems) = read(INI, &with("nginx_public_domain_names: ''"));
    assert!(
        problems.contains("nginx_public_domain_names has no name in it"),
        "{problems}"
    );
    let (_, problems) = read(INI, "mosip_domain: <domain>\n");
    assert!(problems.contains("mosip_domain is \"<domain>\""), "{problems}");
    assert_eq!(problems.matches("error:").count(), 1, "{problems}");
}

#[test]
fn a_network_of_the_vpn_that_is_cut_off_is_found_where_it_is_set() {
    let (_, problems) = read(INI, &with("wireguard_network: 172.16.50."));
    assert!(
        problems.contains("wireguard_network has \"172.16.50.\", which is no network"),
        "{problems}"
    );
    assert!(problems.contains("all.yml:2:"), "{problems}");
}

#[test]
fn nodes_without_an_address_are_found() {
    let nginx = "[nginx]\nnginx-node-1 ansible_host=172.16.50.5\n";
    for (ini, wanted) in [
        (
            String::new(),
            "group worker_nodes has no host, and nginx forwards to its hosts",
        ),
        ("[worker_nodes]\n".into(), "group worker_nodes has no host"),
        (
            "[worker_nodes]\nw1\n".into(),
            "w1 of group worker_nodes has neither node_ip nor ansible_host nor physical_vm",
        ),
        (
            "[worker_nodes]\nw1 physical_vm=vm9\n".into(),
            "stands on physical_vm vm9, which the inventory does not have",
        ),
        (
            "[worker_nodes]\nw1 physical_vm=vm1\n[physical_vms]\nvm1\n".into(),
            "w1 of group worker_nodes has no node_ip, and its physical_vm vm1 no ansible_host",
        ),
        (
            "[worker_nodes]\nw1 node_ip=172.16.50\n".into(),
            "node_ip of w1 is \"172.16.50\", which is a cut-off IP address",
        ),
        (
            "[worker_nodes]\nw1 physical_vm=vm1\n[physical_vms]\nvm1 ansible_host=10.0.0.\n".into(),
            "ansible_host of vm1 is \"10.0.0.\", which is a cut-off IP address",
        ),
    ] as [(String, &str); 7]
    {
        let (made, problems) = read(&format!("{ini}{nginx}"), DOMAIN);
        assert!(
            made.is_none() && problems.contains(wanted),
            "{wanted} is not in\n{problems}"
        );
        assert_eq!(problems.matches("error:").count(), 1, "{problems}");
    }
}

#[test]
fn node_addresses_fall_back_in_order_and_stand_once() {
    let ini = "
[physical_vms]
vm1 ansible_host=10.0.0.1
[worker_nodes]
w1 physical_vm=vm1 ansible_host=10.0.0.2 node_ip=10.0.0.3
w2 physical_vm=vm1 ansible_host=10.0.0.2
w3 physical_vm=vm1
w4 physical_vm=vm1
w5 node_ip=Node5.internal
[nginx]
nginx-node-1 ansible_host=10.0.0.9
";
    let (made, problems) = read(ini, DOMAIN);
    assert_eq!(problems, "");
    assert_eq!(
        made.expect("settings").nodes,
        ["10.0.0.3", "10.0.0.2", "10.0.0.1", "node5.internal"]
    );
}

#[test]
fn mistakes_in_the_firewall_count_only_when_it_is_on() {
    let bad = "firewall_config:\n  allowed_ip_ranges:\n    - src_range: 10.13.13.51-10.13.13.2\n  allowed_ips: [worker-1]\n  nat_interface: 'eth0; reboot'\n";
    assert_eq!(settings(&with(bad)).firewall, None);
    let (made, problems) = read(INI, &with(&format!("{bad}enable_firewall_rules: true")));
    assert!(made.is_none());
    for part in [
        "src_range \"10.13.13.51-10.13.13.2\", which is no range of IPv4 addresses: it ends before it begins",
        "has no dst_range in allowed_ip_ranges",
        "would allow \"worker-1\", which is no IPv4 address",
        "nat_interface \"eth0; reboot\"",
    ] {
        assert!(problems.contains(part), "{part} is not in\n{problems}");
    }
}

#[test]
fn internal_names_are_those_of_the_dns_table() {
    let (required, further) = settings(DOMAIN).internal_names();
    assert_eq!(required, ["api-internal.mosip.example.org"]);
    assert_eq!(further.len(), 12);
    for name in ["mosip.example.org", "iam.mosip.example.org", "smtp.mosip.example.org"] {
        assert!(further.iter().any(|n| n == name), "{name}");
    }
}
