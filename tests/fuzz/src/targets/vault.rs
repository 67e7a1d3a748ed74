//! Vaults: envelopes of any text, and what a password makes of sealed content.

use crate::input::Input;
use mosip_prov_inventory::fuzzing;
use mosip_prov_inventory::vault::{VaultError, VaultSecrets, encrypt, is_vault};
use secrecy::SecretString;

const PASSWORD: &str = "correct horse";

fn secrets() -> VaultSecrets {
    let mut secrets = VaultSecrets::none();
    secrets.add("default", SecretString::from(PASSWORD));
    secrets
}

/// The first byte chooses: any text as a vault; any text sealed and opened; the same with one character turned, which must be
/// noticed; any bytes sealed without padding, which only one who has the password could make.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let choice = input.byte();
    let secret = SecretString::from(PASSWORD);
    let salt = [choice; 32];
    match choice % 4 {
        0 => {
            let text = input.text();
            let opened = secrets().decrypt(&text);
            assert_eq!(opened, secrets().decrypt(&text));
            if let Ok(opened) = opened {
                assert!(is_vault(&text));
                assert!(opened.len() <= text.len() / 4);
            }
            // Without a password it is the same text, damaged or not.
            if let Err(VaultError::Format(why)) = VaultSecrets::none().decrypt(&text) {
                assert!(!why.is_empty());
            }
        }
        1 => {
            let text = input.text();
            let label = if choice >= 128 { Some("dev") } else { None };
            let sealed = encrypt(&text, &secret, &salt, label);
            assert!(is_vault(&sealed));
            assert!(sealed.lines().all(|line| line.len() <= 80));
            let opened = secrets().decrypt(&sealed);
            assert_eq!(opened.as_ref().map(|text| text.as_str()), Ok(&*text));
        }
        2 => {
            let at = usize::from(input.byte()) * 256 + usize::from(input.byte());
            let text = input.text();
            let mut sealed = encrypt(&text, &secret, &salt, None).into_bytes();
            let header = sealed.iter().position(|byte| *byte == b'\n').expect("a header") + 1;
            let at = header + at % (sealed.len() - header);
            if sealed[at] == b'\n' {
                return;
            }
            sealed[at] = if sealed[at] == b'3' { b'4' } else { b'3' };
            let sealed = String::from_utf8(sealed).expect("a vault is ASCII");
            assert!(secrets().decrypt(&sealed).is_err(), "{at} was turned");
        }
        _ => {
            let content = input.rest();
            let opened = secrets().decrypt(&fuzzing::sealed(content, &secret, &salt));
            let padding = usize::from(content.last().copied().unwrap_or(0));
            let well = (1..=16).contains(&padding) && padding <= content.len();
            match opened {
                Ok(text) => assert_eq!(text.as_bytes(), &content[..content.len() - padding]),
                Err(VaultError::NotText) => assert!(well),
                Err(error) => assert!(!well, "{error}"),
            }
        }
    }
}
