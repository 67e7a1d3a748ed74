//! Answers of nameservers.

use crate::input::Input;
use crate::properties;
use mosip_prov_preflight::dns::message::{Data, Rr, Type, question, reply};
use mosip_prov_preflight::dns::parse_nameserver;

const TYPES: [Type; 6] = [Type::A, Type::Ns, Type::Cname, Type::Soa, Type::Txt, Type::Aaaa];

/// An answer is read the same way each time, into no more records than it has room for, with names that steer nothing; a question
/// sent back is an answer without records. The first byte chooses the type.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let choice = input.byte();
    let kind = TYPES[usize::from(choice) % TYPES.len()];
    if choice >= 240 {
        let _ = parse_nameserver(&input.text());
        asked(&input.text(), kind);
        return;
    }
    // Number and kind of message are right in most answers.
    let mut message = vec![0, 7, 0x80];
    message.extend_from_slice(input.rest());
    let name = "api.example.org";
    let read = reply(&message, 7, name, kind);
    assert_eq!(read, reply(&message, 7, name, kind));
    if let Ok(read) = read {
        let records = || read.answers.iter().chain(&read.authorities);
        assert!(records().count() * 11 <= message.len());
        records().for_each(record);
    }
}

fn record(record: &Rr) {
    let name = |name: &str| {
        properties::harmless(name);
        assert!(name.len() <= 1100 && !name.contains(['\n', '\t']), "{name}");
    };
    name(&record.owner);
    match &record.data {
        Data::Cname(other) | Data::Ns(other) => name(other),
        Data::Txt(text) => assert!(text.len() <= 65_535),
        _ => {}
    }
}

fn asked(name: &str, kind: Type) {
    let Ok(mut sent) = question(9, name, kind) else {
        return;
    };
    sent[2] |= 0x80;
    let read = reply(&sent, 9, name, kind);
    // Names are compared as they are shown, so that those with odd bytes answer for nobody.
    if name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
    {
        let read = read.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert!(read.answers.is_empty() && read.authorities.is_empty());
    }
}
