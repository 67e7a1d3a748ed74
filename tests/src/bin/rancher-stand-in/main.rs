//! The stand-in for Rancher's API as a process: `rancher-stand-in [ADDRESS:PORT]`. It says its URL, the file of its authority
//! and the password of `admin` as one line of JSON, and ends when its standard input does.

use mosip_prov_tests::rancher_stand_in::{RancherStandIn, Wishes};

fn main() -> std::io::Result<()> {
    let listen = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let address = listen.rsplit_once(':').map_or(listen.as_str(), |(address, _)| address);
    let rancher = RancherStandIn::with_names(&listen, &[address, "localhost"], Wishes::default());
    println!(
        "{}",
        serde_json::json!({"url": rancher.url(), "ca_file": rancher.ca_file(), "password": rancher.password()})
    );
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).map(drop)
}
