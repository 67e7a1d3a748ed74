//! What the testbed promises to the other tests.

use mosip_prov_tests::picture::Picture;
use mosip_prov_tests::program::Program;
use mosip_prov_tests::stdout;
use mosip_prov_tests::testbed::{HERE, NGINX, OUTSIDE_CLIENT, Testbed};

#[test]
#[ignore = "needs the testbed"]
fn every_kernel_setting_of_the_inventory_can_be_written_on_a_host() {
    let testbed = Testbed::get();
    let inventory = testbed.inventory();
    let words = [
        "inventory",
        "host",
        "vm1",
        "--format",
        "json",
        "-i",
        inventory.to_str().expect("UTF-8"),
    ];
    let ran = Program::new().run(&words).expect(0);
    let vars: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let params = vars["sysctl_params"].as_object().expect("a mapping");
    assert!(params.len() >= 15, "{params:?}");
    for (name, value) in params {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let file = format!("/proc/sys/{}", name.replace('.', "/"));
        let script = format!("old=$(cat {file}) && echo {value} > {file} && cat {file}; echo \"$old\" > {file}");
        let have = testbed.root("vm1", &script);
        assert_eq!(
            have.split_whitespace().collect::<Vec<_>>(),
            value.split_whitespace().collect::<Vec<_>>(),
            "{name}"
        );
    }
    // Those that no namespace has are not there at all: what a kernel lacks can be tested too.
    assert_eq!(testbed.stat("vm1", "/proc/sys/net/core/netdev_max_backlog"), "absent");
}

#[test]
#[ignore = "needs the testbed"]
fn the_client_outside_reaches_the_fronts_and_no_other_host() {
    let testbed = Testbed::get();
    let route = |address: &str| stdout(testbed.outside("ip").args(["-o", "route", "get", address]));
    assert!(route("10.61.0.31").contains(OUTSIDE_CLIENT), "{}", route("10.61.0.31"));
    for address in ["10.61.0.11", HERE, "192.0.2.1"] {
        let done = mosip_prov_tests::output(testbed.outside("ip").args(["route", "get", address]));
        assert!(!done.status.success(), "{address} can be reached from outside");
    }
}

#[test]
#[ignore = "needs the testbed"]
fn a_picture_of_a_host_that_nothing_happens_to_stays_the_same_and_shows_what_does() {
    let testbed = Testbed::get();
    let before = Picture::of(&testbed, NGINX);
    assert_eq!(before.differences(&Picture::of(&testbed, NGINX)), Vec::<String>::new());
    testbed.root(NGINX, "touch /etc/of-a-test; chmod 600 /etc/of-a-test");
    let after = Picture::of(&testbed, NGINX);
    testbed.root(NGINX, "rm /etc/of-a-test");
    let differences = before.differences(&after);
    assert!(
        differences.contains(&"+file /etc/of-a-test 600 root:root 0".to_owned()),
        "{differences:?}"
    );
}
