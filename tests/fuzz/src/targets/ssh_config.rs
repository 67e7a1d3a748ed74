//! The configuration of `ssh`: files, the output of `ssh -G`, arguments, jump hosts.

use crate::input::Input;
use mosip_prov_transport::fuzzing::{config, dump};
use mosip_prov_transport::{JumpSpec, SshArgs, Target, parse_ssh_args};

/// A configuration is read the same way each time, with either kind of line end, with comments and empty lines anywhere; what the
/// first block says, no later one changes. The first byte chooses.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let choice = input.byte();
    let text = input.text();
    match choice % 4 {
        0 | 1 => {
            let read = config("vm1", &text);
            let bounded = read.warnings.len() <= text.lines().count();
            assert!(bounded, "{} warnings", read.warnings.len());
            assert_eq!(read, config("vm1", &text.replace('\n', "\r\n")));
            assert_eq!(read, config("vm1", &text.replace('\n', "\n\n# comment\n")));
            let first = config("vm1", &format!("Host *\nPort 2022\nUser first\n{text}"));
            assert_eq!((first.port, first.user.as_deref()), (Some(2022), Some("first")));
            applied(&read);
        }
        2 => {
            let read = dump("vm1", &text);
            assert_eq!(read, dump("vm1", &text));
            applied(&read);
        }
        _ => {
            if let Ok(read) = parse_ssh_args(&text) {
                assert_eq!(Some(&read), parse_ssh_args(&text).ok().as_ref());
                applied(&read);
            }
            if let Some(jump) = JumpSpec::parse(&text) {
                assert!(!jump.host.is_empty());
                if !jump.host.contains([':', '@', '[', ']'])
                    && jump.user.as_deref().is_none_or(|user| !user.contains("://"))
                {
                    let user = jump.user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
                    let port = jump.port.map_or_else(String::new, |port| format!(":{port}"));
                    assert_eq!(JumpSpec::parse(&format!("ssh://{user}{}{port}", jump.host)), Some(jump));
                }
            }
        }
    }
}

fn applied(args: &SshArgs) {
    let mut target = Target::ssh("vm1", "192.0.2.1", "ubuntu");
    args.apply_to(&mut target);
    let once = format!("{target:?}");
    args.apply_to(&mut target);
    assert_eq!(once, format!("{target:?}"));
}
