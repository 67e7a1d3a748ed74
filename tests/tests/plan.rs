//! `plan` on a host at its first boot: it lists, it knows what it cannot know, it changes nothing. And plans that bind, on a
//! host that somebody else works on too.

use mosip_prov_tests::picture::Picture;
use mosip_prov_tests::program::Program;
use mosip_prov_tests::testbed::{NGINX, Testbed};

#[test]
#[ignore = "needs the testbed"]
fn plan_lists_the_changes_of_a_fresh_host_and_makes_none() {
    let testbed = Testbed::of(&[NGINX]);
    testbed.reset(&[NGINX]);
    let inventory = testbed.inventory();
    let inventory = inventory.to_str().expect("UTF-8");
    let program = Program::new();
    let before = Picture::of(&testbed, NGINX);
    assert!(
        before.len() > 500,
        "a picture of {} lines shows too little",
        before.len()
    );

    let planned = program.run(&["plan", "deploy-nginx", "-i", inventory]).expect(0);
    let with_code = program
        .run(&["plan", "deploy-nginx", "-i", inventory, "--exit-code"])
        .expect(3);
    let checked = program
        .run(&["run", "deploy-nginx", "-i", inventory, "--check", "--diff"])
        .expect(0);

    let after = Picture::of(&testbed, NGINX);
    assert_eq!(
        before.differences(&after),
        Vec::<String>::new(),
        "a plan changed the host"
    );

    for ran in [&planned, &with_code, &checked] {
        let (changed, unknown) = (ran.tasks("changed"), ran.tasks("unknown"));
        let listed = [changed.clone(), unknown.clone()].concat().join("\n");
        assert_eq!(ran.tasks("failed"), Vec::<String>::new(), "{}", ran.shown());
        assert!(changed.iter().any(|task| task.contains("nginx")), "{}", ran.shown());
        assert!(
            !unknown.is_empty(),
            "nothing is unknown on a host without nginx?\n{}",
            ran.shown()
        );
        for part in ["/etc/nginx", "fullchain.pem", "privkey.pem", "nginx.conf"] {
            assert!(ran.shown().contains(part), "{part} in\n{listed}\n{}", ran.shown());
        }
        for task in &unknown {
            assert!(ran.stdout.contains("unknown"), "{}", ran.shown());
            // Host, task, and why it cannot be known.
            assert!(task.splitn(3, ": ").nth(2).is_some_and(|why| why.len() > 10), "{task}");
        }
        let key = std::fs::read_to_string(testbed.inventory_folder().join("files/nginx/privkey.pem")).expect("the key");
        let line = key.lines().nth(1).expect("a line of the key");
        assert!(
            !ran.stdout.contains(line) && !ran.stderr.contains(line),
            "the private key is shown"
        );
        assert!(
            !ran.events.iter().any(|event| event.to_string().contains(line)),
            "the private key is in the events"
        );
    }

    program.run(&["run", "deploy-nginx", "-i", inventory]).expect(0);
    program
        .run(&["plan", "deploy-nginx", "-i", inventory, "--exit-code"])
        .expect(0)
        .unchanged();
}

#[test]
#[ignore = "needs the testbed"]
fn a_plan_is_applied_as_it_was_made_or_not_at_all() {
    let testbed = Testbed::of(&[NGINX]);
    let program = Program::new();
    // The key of its plans stands beside the inventory.
    let inventory = testbed.copy_inventory(program.home());
    let inventory = inventory.to_str().expect("UTF-8");
    let file = program.home().join("front.plan");
    let file = file.to_str().expect("UTF-8");
    let plan = || program.run(&["plan", "deploy-nginx", "-i", inventory, "--out", file]);
    let apply = || program.run(&["apply", file, "--yes"]);
    let by_hand = |text: &str| {
        testbed.root(NGINX, &format!("echo '# {text}' >> /etc/nginx/nginx.conf"));
    };
    let configuration = || testbed.root(NGINX, "cat /etc/nginx/nginx.conf");

    program.run(&["run", "deploy-nginx", "-i", inventory]).expect(0);
    let good = configuration();
    by_hand("one");
    plan().expect(0).says(&["plan written to", "mosip-prov apply"]);
    let text = std::fs::read_to_string(file).expect("the plan");
    let key = std::fs::read_to_string(testbed.inventory_folder().join("files/nginx/privkey.pem")).expect("the key");
    assert!(!text.contains(key.lines().nth(1).expect("a line of the key")));
    assert!(text.contains("# one"), "{text}");

    // Nobody to ask, nobody who said yes.
    program.run(&["apply", file]).expect(1).says(&["cannot ask", "--yes"]);
    assert!(configuration().contains("# one"));

    // Somebody edits the file that would be replaced.
    by_hand("two");
    let refused = apply()
        .expect(2)
        .says(&["REFUSED", "planned: change", "now: change", "moved on"]);
    let told: Vec<_> = refused.of_type("host_refused").collect();
    assert_eq!(told.len(), 1, "{}", refused.shown());
    assert_eq!(refused.count(NGINX, "changed"), 0);
    let left = configuration();
    assert!(left.contains("# one") && left.contains("# two"), "{left}");

    // Planned again, it is applied; and again there is nothing to do.
    plan().expect(0);
    let applied = apply().expect(0);
    assert!(applied.count(NGINX, "changed") >= 1, "{}", applied.shown());
    assert_eq!(configuration(), good);
    apply().expect(0).unchanged();
}
