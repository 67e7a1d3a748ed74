//! What Docker says in, what is to be done out.

use super::*;
use crate::testing::{self as t, expect_change, expect_error, expect_nothing, expect_unknown};
use mosip_prov_engine::Step;

/// Printed by `docker container inspect` of Docker 20.10.24.
const INSPECTED: &str = include_str!("inspected.json");
/// Printed by `docker image inspect` of the same, of its image.
const IMAGE: &str = include_str!("image.json");
const NAME: &str = "10.61.0.1:5000/wireguard-stand-in:61e5868b22fff3b4";

fn container() -> Container {
    Container::running("wireguard", NAME)
        .env("PUID", "1000")
        .env("PGID", "1000")
        .env("TZ", "Europe/London")
        .env("PEERS", "2")
        .port("51820:51820/udp")
        .volume("/home/ubuntu/wireguard/config:/config")
        .volume("/lib/modules:/lib/modules:rw")
        .capability("CAP_NET_ADMIN")
        .capability("sys_module")
        .sysctl("net.ipv4.conf.all.src_valid_mark", "1")
        .restart("unless-stopped")
}

fn said(container: &str, image_of_it: &str, image: &str) -> Answers {
    let raw = match container {
        "absent" | "none" => container.to_owned(),
        text => format!("present\n{text}\n--\n{image_of_it}"),
    };
    let image = match image {
        "absent" | "none" => image.to_owned(),
        text => format!("present\n{text}"),
    };
    Answers::new()
        .with(AskContainer("wireguard".into()).question(), raw)
        .with(AskImage(NAME.into()).question(), image)
}

fn there() -> Answers {
    said(INSPECTED, IMAGE, IMAGE)
}

#[test]
fn what_docker_recorded_is_what_was_asked() {
    assert_eq!(
        expect_nothing(&container(), &there()),
        "container wireguard runs as it should"
    );
}

#[test]
fn each_difference_makes_it_anew_and_is_named() {
    let other = |edit: fn(Container) -> Container| edit(container());
    for (container, what) in [
        (other(|c| c.env("PEERS", "3")), "variable PEERS of container wireguard"),
        (other(|c| c.env("MORE", "1")), "variable MORE of container wireguard"),
        (other(|c| c.port("80:80")), "ports of container wireguard"),
        (other(|c| c.volume("/a:/b")), "volumes of container wireguard"),
        (
            other(|c| c.capability("NET_RAW")),
            "capabilities of container wireguard",
        ),
        (
            other(|c| c.sysctl("net.x", "1")),
            "kernel settings of container wireguard",
        ),
        (other(|c| c.restart("always")), "restart policy of container wireguard"),
    ] {
        let change = expect_change(&container, &there());
        let names: Vec<&str> = change.differences.iter().map(|d| d.what.as_str()).collect();
        assert_eq!(names, [what]);
        let script = t::scripts(&change);
        assert!(script.contains("docker rename wireguard wireguard.before"), "{script}");
    }
    // A variable that nobody asks for any more.
    let extra = INSPECTED.replace("\"PEERS=2\"", "\"PEERS=2\", \"OLD=s3cret\"");
    let change = expect_change(&container(), &said(&extra, IMAGE, IMAGE));
    assert_eq!(change.differences[0].what, "variable OLD of container wireguard");
    assert!(!format!("{change:?}").contains("s3cret"));
}

#[test]
fn what_comes_from_the_image_is_no_difference() {
    let inspected = INSPECTED.replace("\"PEERS=2\"", "\"PEERS=2\", \"PATH=/bin\"");
    assert_eq!(IMAGE.matches("\"Env\": null").count(), 2);
    let image = IMAGE.replace("\"Env\": null", "\"Env\": [\"PATH=/bin\"]");
    expect_nothing(&container(), &said(&inspected, &image, &image));
    // Asked for as well, it is right as it is.
    expect_nothing(&container().env("PATH", "/bin"), &said(&inspected, &image, &image));
    // The image is gone: what comes from it cannot be told any more, and its absence alone is no reason.
    expect_nothing(&container(), &said(INSPECTED, "[]", "absent"));
}

#[test]
fn a_newer_image_of_the_same_name_is_a_difference() {
    let newer = IMAGE.replace("sha256:7e56", "sha256:0000");
    let change = expect_change(&container(), &said(INSPECTED, IMAGE, &newer));
    assert_eq!(change.differences[0].what, "image of container wireguard");
}

#[test]
fn one_that_is_stopped_is_started_and_one_that_fails_is_named() {
    let stopped = INSPECTED.replace("\"Status\": \"running\"", "\"Status\": \"exited\"");
    let change = expect_change(&container(), &said(&stopped, IMAGE, IMAGE));
    assert!(t::scripts(&change).starts_with("docker start wireguard"));
    let failing = INSPECTED
        .replace("\"Status\": \"running\"", "\"Status\": \"restarting\"")
        .replace("\"ExitCode\": 0", "\"ExitCode\": 7");
    let error = expect_error(&container(), &said(&failing, IMAGE, IMAGE));
    assert!(
        error.contains("with status 7") && error.contains("docker logs wireguard"),
        "{error}"
    );
}

#[test]
fn a_new_one_needs_its_image() {
    let change = expect_change(&container(), &said("absent", "", IMAGE));
    let script = t::scripts(&change);
    let run = script
        .lines()
        .find(|line| line.starts_with("docker run"))
        .expect("it runs");
    assert_eq!(
        run,
        format!(
            "docker run -d --env-file /dev/stdin --name wireguard --restart unless-stopped -p 51820:51820/udp \
             -v /home/ubuntu/wireguard/config:/config -v /lib/modules:/lib/modules --cap-add NET_ADMIN \
             --cap-add SYS_MODULE --sysctl net.ipv4.conf.all.src_valid_mark=1 -- {NAME} >/dev/null || back"
        )
    );
    let error = expect_error(&container(), &said("absent", "", "absent"));
    assert!(error.contains("there is no image"), "{error}");
    // In check mode the image may be about to come.
    let pending = said("absent", "", "absent").with_pending("Pull the image", vec![Touch::Kind("image")]);
    expect_change(&container(), &pending);
    let pending = said("none", "", "none").with_pending("Install Docker", vec![Touch::Everything]);
    expect_unknown(&container(), &pending);
}

#[test]
fn secrets_of_its_environment_are_not_shown() {
    let container = container().secret_env("TOKEN", "s3cret");
    let change = expect_change(&container, &there());
    assert!(!format!("{change:?}{container:?}").contains("s3cret"));
    assert!(!t::scripts(&change).contains("s3cret"));
    let Step::Shell(shell) = &change.steps[0] else {
        panic!("{change:?}")
    };
    assert!(shell.payload.is_sensitive());
    let text = String::from_utf8_lossy(shell.payload.bytes()).into_owned();
    assert!(text.contains("TOKEN=s3cret\n") && text.contains("PEERS=2\n"), "{text}");
    let error = expect_error(&container.secret_env("TWO", "a\nb"), &there());
    assert!(error.contains("TWO") && !error.contains("a\nb"), "{error}");
}
