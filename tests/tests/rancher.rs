//! Importing a cluster by way of Rancher's API, against the stand-in for Rancher; once with hosts, into a cluster of
//! stand-ins.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mosip_prov::rancher::{
    Access, Credential, Given, ImportRequest, Imported, Mode, Outcome, Patience, Progress, RancherError, Secret,
    ServerUrl, Trust, Wanted,
};
use mosip_prov::{CancelHandle, Provisioner, Settings};
use mosip_prov_tests::certificates::{Kind, write_pair};
use mosip_prov_tests::cluster::{self, Cluster};
use mosip_prov_tests::program::{Program, Ran};
use mosip_prov_tests::rancher_stand_in::{RancherStandIn, Wishes};
use mosip_prov_tests::testbed::{DEPLOYMENT, HERE, Testbed, address};
use mosip_prov_tests::write;
use serde_json::{Value, json};

const NAME: &str = "mosip-cluster";

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// Quick, so that a test which waits does not wait long.
const QUICK: Patience = Patience {
    connect: Duration::from_secs(5),
    request: Duration::from_secs(10),
    starting: Duration::from_secs(10),
    ready: Duration::from_secs(10),
    pause: Duration::from_millis(20),
};

fn request(rancher: &RancherStandIn) -> ImportRequest {
    ImportRequest {
        access: Access {
            server: ServerUrl::parse(&rancher.url()).expect("its URL"),
            credential: Credential::Password {
                user: "admin".into(),
                password: secret(&rancher.password()),
            },
            trust: Trust {
                system: Some(rancher.ca_file()),
                more: None,
            },
            patience: QUICK,
        },
        wanted: Wanted {
            name: NAME.into(),
            machines: vec!["vm4".into(), "10.61.0.14".into()],
        },
    }
}

fn carry_out(request: &ImportRequest, mode: Mode) -> (Result<Imported, RancherError>, Vec<Progress>) {
    carry_out_until(request, mode, |_| false)
}

/// The same, called off when something happens.
fn carry_out_until(
    request: &ImportRequest,
    mode: Mode,
    enough: impl Fn(&Progress) -> bool,
) -> (Result<Imported, RancherError>, Vec<Progress>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let cancel = CancelHandle::new();
    let mut said = Vec::new();
    let outcome = runtime.block_on(request.carry_out(
        mode,
        |progress| {
            said.push(progress.clone());
            if enough(progress) {
                cancel.cancel();
            }
        },
        &cancel,
    ));
    (outcome, said)
}

#[track_caller]
fn imported(request: &ImportRequest) -> Imported {
    carry_out(request, Mode::Change)
        .0
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The error, which tells no secret and has left no session.
#[track_caller]
fn refused(rancher: &RancherStandIn, request: &ImportRequest) -> RancherError {
    let error = carry_out(request, Mode::Change).0.expect_err("an error");
    let told = format!("{error} {error:?} {}", error.help());
    for secret in rancher.secrets() {
        assert!(!told.contains(&secret), "{told}");
    }
    assert_eq!(rancher.sessions(), 0, "a session is left after: {error}");
    error
}

fn start(wishes: Wishes) -> RancherStandIn {
    RancherStandIn::start("127.0.0.1", wishes)
}

#[test]
fn created_once_and_found_again() {
    let rancher = start(Wishes::default());
    let request = request(&rancher);
    let first = imported(&request);
    assert!(matches!(first.outcome, Outcome::Created { .. }), "{first:?}");
    assert_eq!(first.changes.len(), 2, "{first:?}");
    let url = first.url.clone().expect("a URL");
    assert!(url.expose().starts_with(&format!("{}/v3/import/", rancher.url())));
    assert_eq!(
        rancher.changes(),
        ["POST /v3/cluster 201", "POST /v3/clusterregistrationtokens 201"]
    );
    let again = imported(&request);
    assert!(
        matches!(&again.outcome, Outcome::Found { state, .. } if state == "pending"),
        "{again:?}"
    );
    assert!(again.changes.is_empty() && again.url == Some(url), "{again:?}");
    assert_eq!(
        (rancher.changes().len(), rancher.clusters(), rancher.sessions()),
        (2, vec![NAME.to_owned()], 0)
    );
    // The session is ended in the one way that there is.
    assert_eq!(
        rancher.log().last().map(String::as_str),
        Some("POST /v3/tokens?action=logout 200")
    );
    // And when its agent has reported.
    rancher.agent_reported(NAME, &["vm5", "vm4"]);
    assert!(matches!(imported(&request).outcome, Outcome::Found { state, .. } if state == "active"));
    // Nothing of what came is told by accident.
    let told = format!("{first:?} {again:?} {request:?}");
    assert!(rancher.secrets().iter().all(|secret| !told.contains(secret)), "{told}");
}

#[test]
fn who_is_refused_is_told_why() {
    let rancher = start(Wishes {
        api_tokens: vec![("token-good:abcdef".into(), true), ("token-poor:abcdef".into(), false)],
        ..Wishes::default()
    });
    let mut other = request(&rancher);
    other.access.credential = Credential::Password {
        user: "admin".into(),
        password: secret("not-the-passw0rd"),
    };
    let error = refused(&rancher, &other);
    assert!(matches!(error, RancherError::WrongPassword { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("passw0rd"));

    other.access.credential = Credential::Token(secret("token-unknown:abcdef"));
    assert!(matches!(refused(&rancher, &other), RancherError::WrongToken { .. }));
    other.access.credential = Credential::Token(secret("token-poor:abcdef"));
    let error = refused(&rancher, &other);
    assert!(
        matches!(&error, RancherError::Forbidden { what, .. } if what == "create a cluster"),
        "{error:?}"
    );
    assert!(rancher.clusters().is_empty());

    // Whoever may create it does; then the poor one may read it.
    let mut good = other.clone();
    good.access.credential = Credential::Token(secret("token-good:abcdef"));
    let made = imported(&good);
    assert_eq!(imported(&other).url, made.url);
    let log = rancher.log().join("\n");
    assert_eq!(log.matches("login 401").count(), 1, "{log}");
    assert!(
        !log.contains("login 201") && !log.contains("logout"),
        "an API token is nobody's to end: {log}"
    );
}

#[test]
fn who_is_not_trusted_hears_no_password() {
    let rancher = start(Wishes::default());
    let stranger = start(Wishes::default());
    let mut request = request(&rancher);
    request.access.trust.system = Some(stranger.ca_file());
    let error = refused(&rancher, &request);
    assert!(
        matches!(&error, RancherError::NotTrusted { why, .. } if why.contains("authority")),
        "{error:?}"
    );
    let folder = tempfile::tempdir().expect("a folder");
    write_pair(folder.path(), "example.org", Kind::Good);
    request.access.trust.system = Some(folder.path().join("fullchain.pem"));
    let error = refused(&rancher, &request);
    assert!(
        matches!(&error, RancherError::NotTrusted { why, .. } if why.contains("not known here")),
        "{error:?}"
    );
    assert!(error.help().contains("rancher_ca_file"));
    assert!(rancher.log().is_empty(), "{:?}", rancher.log());
    // What the operator adds is trusted besides.
    request.access.trust.more = Some(rancher.ca_file());
    assert!(imported(&request).url.is_some());

    let elsewhere = RancherStandIn::with_names("127.0.0.1:0", &["rancher.example.org"], Wishes::default());
    let mut request = self::request(&elsewhere);
    request.access.trust.system = Some(elsewhere.ca_file());
    let error = refused(&elsewhere, &request);
    assert!(
        matches!(&error, RancherError::NotTrusted { why, .. } if why.contains("not for this name")),
        "{error:?}"
    );
}

#[test]
fn what_does_not_answer_is_not_waited_for_forever() {
    let silent = start(Wishes {
        silent: true,
        ..Wishes::default()
    });
    let mut slow = request(&silent);
    slow.access.patience.request = Duration::from_millis(300);
    let began = Instant::now();
    let error = refused(&silent, &slow);
    assert!(
        matches!(&error, RancherError::TimedOut { what, .. } if what == "log in"),
        "{error:?}"
    );
    assert!(error.is_unreachable() && began.elapsed() < Duration::from_secs(8));

    // A port where nobody listens.
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address");
    let mut request = request(&silent);
    request.access.server = ServerUrl::parse(&format!("https://{gone}")).expect("a URL");
    let error = refused(&silent, &request);
    assert!(
        matches!(&error, RancherError::Unreachable { why, .. } if why.contains("refused")),
        "{error:?}"
    );
    // A name that cannot be one, so that no nameserver is asked.
    request.access.server = ServerUrl::parse(&format!("https://{}.invalid", "a".repeat(70))).expect("a URL");
    let error = refused(&silent, &request);
    assert!(matches!(error, RancherError::NoSuchName { .. }), "{error:?}");
}

#[test]
fn a_rancher_that_starts_is_waited_for() {
    let rancher = start(Wishes {
        not_ready: 3,
        ..Wishes::default()
    });
    let (outcome, said) = carry_out(&request(&rancher), Mode::Change);
    assert!(outcome.expect("it comes").url.is_some());
    let waited = said
        .iter()
        .filter(|one| matches!(one, Progress::NotReady { status: 503, .. }))
        .count();
    assert_eq!(waited, 3, "{said:?}");

    rancher.wish(|wishes| wishes.not_ready = usize::MAX);
    let mut request = request(&rancher);
    request.access.patience.starting = Duration::from_millis(100);
    let error = refused(&rancher, &request);
    assert!(matches!(error, RancherError::NotReady { status: 503, .. }), "{error:?}");
}

#[test]
fn what_comes_later_is_waited_for() {
    let rancher = start(Wishes {
        url_after: Duration::from_millis(300),
        namespace_after: 2,
        ..Wishes::default()
    });
    let (outcome, said) = carry_out(&request(&rancher), Mode::Change);
    assert!(outcome.expect("it comes").url.is_some());
    assert!(
        said.iter().any(|one| matches!(one, Progress::Waiting { .. })),
        "{said:?}"
    );
    let made = rancher.changes();
    assert_eq!(
        made.iter().filter(|line| line.ends_with("tokens 201")).count(),
        1,
        "{made:?}"
    );

    let never = start(Wishes {
        url_after: Duration::from_secs(3600),
        ..Wishes::default()
    });
    let mut request = request(&never);
    request.access.patience.ready = Duration::from_millis(200);
    let error = refused(&never, &request);
    assert!(
        matches!(&error, RancherError::NotMade { what, .. } if what.contains(NAME)),
        "{error:?}"
    );
    // What was made is found again.
    never.wish(|wishes| wishes.url_after = Duration::ZERO);
    let again = imported(&request);
    assert!(again.changes.is_empty() && never.clusters().len() == 1, "{again:?}");
}

#[test]
fn a_lost_answer_makes_no_second_cluster() {
    let rancher = start(Wishes {
        lost_answer: true,
        ..Wishes::default()
    });
    let made = imported(&request(&rancher));
    assert!(matches!(made.outcome, Outcome::Created { .. }), "{made:?}");
    assert_eq!(rancher.clusters(), [NAME]);
}

#[test]
fn looking_makes_nothing() {
    let rancher = start(Wishes {
        server_url: Some(String::new()),
        ..Wishes::default()
    });
    let request = request(&rancher);
    let looked = carry_out(&request, Mode::Check).0.expect("looked at");
    assert!(
        matches!(looked.outcome, Outcome::WouldCreate) && looked.url.is_none(),
        "{looked:?}"
    );
    assert_eq!(looked.changes.len(), 2, "{looked:?}");
    rancher.add_cluster(json!({"id": "c-m-1", "name": NAME, "state": "pending"}));
    let looked = carry_out(&request, Mode::Check).0.expect("looked at");
    assert!(
        matches!(looked.outcome, Outcome::Found { .. }) && looked.url.is_none(),
        "{looked:?}"
    );
    assert!(
        looked.changes.iter().any(|change| change.contains("an import URL")),
        "{looked:?}"
    );
    assert_eq!(
        (rancher.changes(), rancher.sessions(), rancher.server_url()),
        (vec![], 0, String::new())
    );
    // The cluster of the dashboard is taken; its URL is made.
    let made = imported(&request);
    assert!(
        matches!(made.outcome, Outcome::Found { .. }) && rancher.clusters().len() == 1,
        "{made:?}"
    );
    let looked = carry_out(&request, Mode::Check).0.expect("looked at");
    assert!(looked.url == made.url && looked.changes.is_empty(), "{looked:?}");
}

#[test]
fn rancher_is_told_its_name_and_not_another() {
    let rancher = start(Wishes {
        server_url: Some(String::new()),
        must_change_password: true,
        ..Wishes::default()
    });
    let made = imported(&request(&rancher));
    assert_eq!(rancher.server_url(), rancher.url());
    assert!(made.changes[0].contains("server-url"), "{made:?}");
    assert!(
        made.notes.iter().any(|note| note.contains("bootstrap password")),
        "{made:?}"
    );

    let other = start(Wishes {
        server_url: Some("https://rancher.other.example.org/secret-path".into()),
        ..Wishes::default()
    });
    let error = refused(&other, &request(&other));
    assert!(
        matches!(&error, RancherError::ServerUrlDiffers { calls_itself, .. } if calls_itself == "https://rancher.other.example.org"),
        "{error:?}"
    );
    assert!(other.changes().is_empty());
    // Who may not see the setting sees it in the URL.
    other.wish(|wishes| wishes.api_tokens = vec![("token-poor:abcdef".into(), false)]);
    other.add_cluster(json!({"id": "c-m-1", "name": NAME, "state": "pending"}));
    let mut poor = request(&other);
    poor.access.credential = Credential::Token(secret("token-poor:abcdef"));
    let error = refused(&other, &poor);
    assert!(matches!(error, RancherError::ServerUrlDiffers { .. }), "{error:?}");
}

#[test]
fn credentials_go_nowhere_else() {
    let rancher = start(Wishes::default());
    let other = start(Wishes::default());
    rancher.wish(|wishes| wishes.redirect = Some(format!("{}/v3-public/login?s3cret=1", other.url())));
    let error = refused(&rancher, &request(&rancher));
    assert!(
        matches!(&error, RancherError::Redirected { to, .. } if *to == other.url()),
        "{error:?}"
    );
    assert!(other.log().is_empty(), "{:?}", other.log());

    let absent = start(Wishes {
        absent: true,
        ..Wishes::default()
    });
    let error = refused(&absent, &request(&absent));
    assert!(
        matches!(&error, RancherError::NotRancher { why, .. } if why == "404"),
        "{error:?}"
    );
}

#[test]
fn another_cluster_is_left_alone() {
    for (cluster, part) in [
        (
            json!({"id": "c-1", "name": NAME, "state": "active", "driver": "EKS", "eksConfig": {}}),
            "EKS",
        ),
        (json!({"id": "c-1", "name": NAME, "state": "removing"}), "removed"),
    ] {
        let rancher = start(Wishes::default());
        rancher.add_cluster(cluster);
        let error = refused(&rancher, &request(&rancher));
        assert!(
            matches!(&error, RancherError::NotAnImport { why, .. } if why.contains(part)),
            "{error:?}"
        );
        assert!(rancher.changes().is_empty());
    }
    // On the last page of its machines is none of ours either; then there is one.
    let rancher = start(Wishes {
        page: 2,
        ..Wishes::default()
    });
    rancher.add_cluster(json!({"id": "c-1", "name": NAME, "state": "pending"}));
    rancher.agent_reported(NAME, &["other-1", "other-2", "other-3"]);
    let error = refused(&rancher, &request(&rancher));
    assert!(
        matches!(&error, RancherError::OtherNodes { nodes, .. } if nodes == &["other-1", "other-2", "other-3"]),
        "{error:?}"
    );
    assert!(rancher.changes().is_empty());
    rancher.agent_reported(NAME, &["other-4", "VM4"]);
    assert!(imported(&request(&rancher)).url.is_some());
    rancher.add_cluster(json!({"id": "c-2", "name": NAME, "state": "pending"}));
    let error = refused(&rancher, &request(&rancher));
    assert!(
        matches!(&error, RancherError::Ambiguous { ids, .. } if ids == &["c-1", "c-2"]),
        "{error:?}"
    );
}

#[test]
fn newer_releases_are_logged_in_to() {
    let rancher = start(Wishes {
        new_login_only: true,
        ..Wishes::default()
    });
    assert!(imported(&request(&rancher)).url.is_some());
    assert_eq!(rancher.sessions(), 0);
}

#[test]
fn called_off_it_ends_its_session() {
    let rancher = start(Wishes {
        url_after: Duration::from_secs(3600),
        ..Wishes::default()
    });
    let request = request(&rancher);
    let (outcome, _) = carry_out_until(&request, Mode::Change, |one| matches!(one, Progress::Waiting { .. }));
    let error = outcome.expect_err("called off");
    assert!(matches!(error, RancherError::Interrupted { .. }), "{error:?}");
    assert_eq!((rancher.sessions(), rancher.clusters().len()), (0, 1));
}

/// An inventory without machines to connect to, which imports its cluster into `rancher`.
fn inventory(folder: &Path, rancher: &RancherStandIn, more: &str) -> PathBuf {
    let ini = folder.join("inventory/rancher.ini");
    write(
        &ini,
        "[physical_vms]\nvm4 ansible_host=127.0.0.1 ansible_port=1\n[control_plane_nodes]\nc1 physical_vm=vm4\n[etcd_nodes]\ne1 physical_vm=vm4\n\
         [worker_nodes]\nw1 physical_vm=vm4\n[all:vars]\nansible_user=ubuntu\n",
    );
    write(
        &folder.join("inventory/group_vars/all.yml"),
        format!(
            "rancher_url: {}\nrancher_ca_file: {}\nrancher_bootstrap_password: {}\nrancher_start_timeout: 5\n\
             cluster_name: mosip\nrancher_base_dir: {}\n{more}",
            rancher.url(),
            rancher.ca_file().display(),
            rancher.password(),
            folder.join("rancher").display(),
        ),
    );
    ini
}

/// All files below a folder, as one text.
fn all_of(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => text += &all_of(&path),
            false => text += &String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()),
        }
    }
    text
}

/// Nothing secret of `rancher` is in what a command said and left.
#[track_caller]
fn discreet(rancher: &RancherStandIn, ran: &Ran, folder: &Path) {
    let events: String = ran.events.iter().map(ToString::to_string).collect();
    let all = format!("{}{}{events}{}", ran.stdout, ran.stderr, all_of(folder));
    for secret in rancher.secrets() {
        assert!(!all.contains(&secret), "{secret} is told\n{}", ran.shown());
    }
    assert_eq!(rancher.sessions(), 0, "a session is left\n{}", ran.shown());
}

#[test]
fn the_command_finds_or_creates_it() {
    let rancher = start(Wishes::default());
    let folder = tempfile::tempdir().expect("a folder");
    let ini = inventory(folder.path(), &rancher, "");
    let ini = ini.to_str().expect("UTF-8");
    let program = Program::new();
    let run = |more: &[&str]| program.run(&[&["rancher", "import", "-i", ini], more].concat());
    let would = run(&["--check", "--format", "json"]).expect(0);
    let json: Value = serde_json::from_str(&would.stdout).expect("JSON alone");
    assert_eq!(
        (&json["outcome"], &json["cluster"]),
        (&json!("would_create"), &json!("mosip"))
    );
    assert!(rancher.clusters().is_empty());
    let made = run(&[]).expect(0).says(&[
        "mosip was created in Rancher",
        "changed in Rancher: created",
        "-t import",
    ]);
    let again = run(&[])
        .expect(0)
        .says(&["mosip is in Rancher", "changed in Rancher: nothing"]);
    let named = run(&["--name", NAME, "--format", "json"]).expect(0);
    let json: Value = serde_json::from_str(&named.stdout).expect("JSON alone");
    assert_eq!((&json["outcome"], &json["cluster"]), (&json!("created"), &json!(NAME)));
    assert_eq!(rancher.clusters(), ["mosip", NAME]);
    for ran in [&would, &made, &again, &named] {
        discreet(&rancher, ran, &folder.path().join("none"));
    }
    let asked = rancher.log().len();
    let by_hand = run(&[
        "-e",
        "rancher_import_url=https://rancher.example.org/v3/import/h4nd.yaml",
    ])
    .expect(0);
    assert_eq!(rancher.log().len(), asked, "{}", by_hand.shown());
    // Wrong inputs connect to nothing.
    for (value, part) in [
        ("rancher_bootstrap_password=", "neither rancher_api_token nor"),
        ("rancher_url=http://rancher.example.org", "https only"),
        ("rancher_ca_file=/nowhere.pem", "/nowhere.pem"),
        ("rancher_cluster_name=local", "no name for the cluster"),
        ("rancher_start_timeout=0", "rancher_start_timeout is 0"),
        ("rancher_api_token='token-a: t0ken'", "no API token"),
    ] {
        let ran = run(&["-e", value]).expect(1).says(&[part]);
        assert!(!ran.stderr.contains("t0ken"), "{}", ran.shown());
    }
    assert_eq!(rancher.log().len(), asked);
    let refused = run(&["-e", "rancher_bootstrap_password=an0ther"])
        .expect(2)
        .says(&["refuses the password of admin"]);
    assert!(!refused.stderr.contains("an0ther"));
    rancher.wish(|wishes| wishes.not_ready = usize::MAX);
    let _ = run(&["-e", "rancher_start_timeout=1"])
        .expect(4)
        .says(&["waiting until it is ready", "still answers 503"]);
}

#[test]
fn interrupted_it_leaves_no_session() {
    let rancher = start(Wishes {
        url_after: Duration::from_secs(3600),
        ..Wishes::default()
    });
    let folder = tempfile::tempdir().expect("a folder");
    let ini = inventory(folder.path(), &rancher, "");
    let words = [
        "run",
        "deploy-rancher",
        "-i",
        ini.to_str().expect("UTF-8"),
        "-e",
        "rancher_start_timeout=600",
    ];
    let program = Program::new();
    let child = program.start(&words);
    let began = Instant::now();
    while !rancher
        .log()
        .iter()
        .any(|line| line.starts_with("POST /v3/clusterregistrationtokens"))
    {
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", rancher.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(rancher.sessions(), 1);
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.is_ok_and(|status| status.success()));
    let ended = program
        .end(&words, child)
        .expect(130)
        .says(&["interrupted while", "no host was connected to"]);
    discreet(&rancher, &ended, &folder.path().join("inventory/.mosip-prov"));
}

#[test]
fn a_password_from_elsewhere_counts_where_no_variable_is() {
    let rancher = start(Wishes::default());
    let folder = tempfile::tempdir().expect("a folder");
    let ini = inventory(folder.path(), &rancher, "");
    let load = |more: &[&str]| {
        Provisioner::load(Settings {
            inventory: vec![ini.to_string_lossy().into_owned()],
            extra_vars: more.iter().map(ToString::to_string).collect(),
            ..Settings::default()
        })
        .expect("an inventory")
    };
    let given = Given {
        password: Some(secret("from-terraform")),
        ..Given::default()
    };
    let password = |provisioner: &Provisioner, given: &Given| {
        let request = provisioner.rancher_import(given).expect("good inputs")?;
        let Credential::Password { password, .. } = request.access.credential else {
            panic!("no password");
        };
        Some(password.expose().to_owned())
    };
    assert_eq!(password(&load(&[]), &given), Some(rancher.password()));
    let without = load(&["rancher_bootstrap_password="]);
    assert_eq!(password(&without, &given).as_deref(), Some("from-terraform"));
    assert_eq!(password(&without, &Given::default()), None);

    // Where Rancher is, when rancher_url does not say.
    for (vars, server) in [
        (
            &["rancher_hostname=r.example.org", "mosip_domain=x.org"][..],
            "https://r.example.org",
        ),
        (
            &[
                "nginx_obs_public_domain_names='keycloak.y.org rancher.y.org'",
                "mosip_domain=x.org",
            ],
            "https://rancher.y.org",
        ),
        (&["mosip_domain=x.org"], "https://rancher.x.org"),
    ] {
        let provisioner = load(&[&["rancher_url="], vars].concat());
        let request = provisioner
            .rancher_import(&given)
            .expect("good inputs")
            .expect("a request");
        assert_eq!(request.access.server.as_str(), server);
        assert_eq!(request.wanted.machines, ["vm4", "127.0.0.1"]);
    }
    let error = load(&["rancher_url="]).rancher_import(&given).expect_err("nowhere");
    assert!(error.to_string().contains("where Rancher is"), "{error}");
}

#[test]
fn a_run_asks_rancher_when_it_imports_and_not_otherwise() {
    let rancher = start(Wishes::default());
    let folder = tempfile::tempdir().expect("a folder");
    let ini = inventory(folder.path(), &rancher, "");
    let ini = ini.to_str().expect("UTF-8");
    let program = Program::new();
    let run = |words: &[&str]| program.run(&[words, &["-i", ini][..]].concat());
    // Lists, other playbooks, other tags, another's URL: nobody asks.
    let listed = run(&["tasks", "deploy-rancher"]).expect(0);
    let _ = listed.says(&["Import the cluster into Rancher"]);
    let _ = run(&["run", "deploy-rancher", "--skip-tags", "import", "--check"]);
    let _ = run(&["run", "deploy-rancher", "--tags", "verify", "--check"]);
    let by_hand = "rancher_import_url=https://127.0.0.1:1/v3/import/h4nd.yaml";
    let ran = run(&["run", "deploy-rancher", "--tags", "import", "-e", by_hand]);
    assert!(!(ran.stdout.clone() + &ran.stderr).contains("h4nd"), "{}", ran.shown());
    // Wrong inputs are said before anybody is asked.
    let _ = run(&["run", "deploy-rancher", "-e", "kubelet_max_pods=0"]).expect(1);
    assert!(rancher.log().is_empty(), "{:?}", rancher.log());

    // A plan makes nothing. What it would do without a cluster in Rancher is not known, and something would be done.
    let plan = run(&["plan", "deploy-rancher", "--tags", "import", "--exit-code"]).expect(3);
    let unknown = plan.tasks("unknown").join("\n");
    assert!(
        unknown.contains("the cluster mosip would be created in Rancher"),
        "{}",
        plan.shown()
    );
    assert!(rancher.changes().is_empty(), "{:?}", rancher.changes());
    discreet(&rancher, &plan, &folder.path().join("inventory/.mosip-prov"));
    rancher.wish(|wishes| wishes.not_ready = 1_000_000);
    let plan = run(&[
        "plan",
        "deploy-rancher",
        "--tags",
        "import",
        "-e",
        "rancher_start_timeout=1",
    ])
    .expect(0);
    assert!(
        plan.tasks("unknown").join("\n").contains("could not be asked"),
        "{}",
        plan.shown()
    );
    rancher.wish(|wishes| wishes.not_ready = 0);

    // A run makes the cluster, and has its URL: this machine's curl does not trust the stand-in, and says so without it.
    let ran = run(&["run", "deploy-rancher", "--tags", "import"]).expect(2);
    assert_eq!(rancher.clusters(), ["mosip"], "{}", ran.shown());
    let failure = ran.failure();
    assert!(failure.contains("the import URL at https://127.0.0.1"), "{failure}");
    discreet(&rancher, &ran, &folder.path().join("inventory/.mosip-prov"));
    // So does a plan, now that there is one.
    let plan = run(&["plan", "deploy-rancher", "--tags", "import"]).expect(2);
    discreet(&rancher, &plan, &folder.path().join("inventory/.mosip-prov"));
    // A Rancher that refuses ends the run before a host is connected to.
    let refused = run(&[
        "run",
        "deploy-rancher",
        "--tags",
        "import",
        "-e",
        "rancher_bootstrap_password=an0ther",
    ])
    .expect(2);
    assert!(refused.events.is_empty(), "{}", refused.shown());
    discreet(&rancher, &refused, &folder.path().join("inventory/.mosip-prov"));
}

const FOLDER: &str = "/home/ubuntu/rancher/mosip";
const NODES: [&str; 2] = ["vm4", "vm5"];

#[test]
#[ignore = "needs the testbed"]
fn a_cluster_is_built_and_imported_in_one_run() {
    let hosts = [NODES[0], NODES[1], DEPLOYMENT];
    let testbed = Testbed::of(&hosts);
    testbed.reset(&hosts);
    let rancher = RancherStandIn::start(
        HERE,
        Wishes {
            url_after: Duration::from_millis(500),
            ..Wishes::default()
        },
    );
    rancher.trusted_by(&testbed, DEPLOYMENT);
    let tool = cluster::tool_on(&testbed, DEPLOYMENT, "rke", "v1.3.10");
    let folder = tempfile::tempdir().expect("a folder");
    testbed.copy_inventory(folder.path());
    let ini = folder.path().join("inventory/import.ini");
    let (one, other) = (NODES[0], NODES[1]);
    write(
        &ini,
        format!(
            "[deployment]\n{DEPLOYMENT} ansible_host={}\n\n[deployment:vars]\nssh_user=ubuntu\nssh_key_path=/home/ubuntu/.ssh/id_ed25519\n\n\
             [physical_vms]\n{one} ansible_host={}\n{other} ansible_host={}\n\n[control_plane_nodes]\nc1 physical_vm={one}\n\
             [etcd_nodes]\ne1 physical_vm={one}\n[worker_nodes]\nw1 physical_vm={other}\n[all:vars]\nansible_user=ubuntu\n\
             ansible_ssh_private_key_file={}\nansible_host_key_checking=False\nrke_binary_path={}\nrke_sha256={}\nrancher_url={}\n\
             rancher_ca_file={}\nrancher_bootstrap_password={}\nrancher_cluster_name={NAME}\n",
            address(DEPLOYMENT),
            address(one),
            address(other),
            testbed.key().display(),
            tool.path,
            tool.sha256,
            rancher.url(),
            rancher.ca_file().display(),
            rancher.password(),
        ),
    );
    let ini = ini.to_str().expect("UTF-8");
    let program = Program::new();
    let journal = folder.path().join("inventory/.mosip-prov");

    let first = program.run(&["run", "deploy-rancher", "-i", ini]).expect(0);
    eprintln!("building and importing took {:.1} s", first.took.as_secs_f64());
    assert_eq!(rancher.clusters(), [NAME]);
    discreet(&rancher, &first, &journal);
    let cluster = Cluster::by(&testbed, DEPLOYMENT, &format!("{FOLDER}/kube_config_cluster.yml"));
    let agent = cluster.get("-n cattle-system deployment cattle-cluster-agent");
    assert_eq!(agent["status"]["readyReplicas"], 2, "{agent}");
    let reports_to = &agent["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"];
    assert_eq!(reports_to, &json!(rancher.url()));
    rancher.agent_reported(NAME, &NODES);

    let made = rancher.changes();
    let again = program.run(&["run", "deploy-rancher", "-i", ini]).expect(0).unchanged();
    eprintln!("and again {:.2} s", again.took.as_secs_f64());
    assert_eq!(rancher.changes(), made, "something was made again in Rancher");
    discreet(&rancher, &again, &journal);
}
