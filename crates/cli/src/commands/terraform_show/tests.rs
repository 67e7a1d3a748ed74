//! How plans, signs of life and errors look.

use super::*;
use mosip_prov::terraform::AttributeChange;

fn change(address: &str, action: Action) -> PlannedChange {
    PlannedChange {
        address: address.into(),
        action,
        reason: None,
        previous_address: None,
        attributes: None,
    }
}

#[test]
fn signs_of_life() {
    let progress = Progress {
        read: 412,
        ..Progress::default()
    };
    let text = still(Phase::Plan, Duration::from_secs(200), progress);
    assert!(
        text.starts_with("still planning, 3") && text.ends_with(", 412 resources read"),
        "{text}"
    );
    let progress = Progress {
        planned: 50,
        done: 7,
        running: 2,
        failed: 1,
        ..Progress::default()
    };
    let text = still(Phase::Apply, Duration::from_secs(5), progress);
    assert!(text.ends_with("7 of 50 changes done, 1 failed, 2 under way"), "{text}");
}

#[test]
fn a_plan_by_address_with_what_differs() {
    let mut made = Plan::default();
    made.resources.push(change("a.b", Action::Create));
    made.resources.push(PlannedChange {
        reason: Some("cannot_update".into()),
        attributes: Some(vec![
            AttributeChange {
                path: "input".into(),
                before: Shown::Value("1".into()),
                after: Shown::Value("2\x1b[2J".into()),
            },
            AttributeChange {
                path: "p".into(),
                before: Shown::Sensitive,
                after: Shown::Unknown,
            },
        ]),
        ..change("c.d", Action::Replace)
    });
    let text = plan("obs", &made, Paint::new(false));
    assert_eq!(
        text,
        "  +   a.b\n  -/+ c.d  it cannot be changed in place\n        input  1 -> 2\\x1b[2J\n        p      *** -> (known after apply)\n\n\
         obs: 1 to add, 0 to change, 1 to replace, 0 to destroy"
    );
}

#[test]
fn an_error_comes_with_its_findings_and_what_to_do() {
    let found = TerraformDiagnostic::error("Reference to undeclared", "No.");
    let text = error(
        &TerraformError::InvalidConfiguration {
            diagnostics: vec![found],
        },
        Paint::new(false),
    );
    assert_eq!(
        text,
        "error: Reference to undeclared\n  No.\n\nerror: the configuration is invalid: Reference to undeclared\n  help: \
         correct the places named above"
    );
}
