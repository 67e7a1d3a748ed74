//! Messages of the DNS (RFC 1035, section 4): one question out, what a server said in.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The types of records that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// IPv4 addresses.
    A,
    /// Nameservers of a zone.
    Ns,
    /// The name that this one stands for.
    Cname,
    /// The head of a zone.
    Soa,
    /// Texts, for example the answers to a certificate authority's challenge.
    Txt,
    /// IPv6 addresses.
    Aaaa,
}

impl Type {
    fn number(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Ns => 2,
            Self::Cname => 5,
            Self::Soa => 6,
            Self::Txt => 16,
            Self::Aaaa => 28,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::Ns => "NS",
            Self::Cname => "CNAME",
            Self::Soa => "SOA",
            Self::Txt => "TXT",
            Self::Aaaa => "AAAA",
        })
    }
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// The name that the owner stands for.
    Cname(String),
    /// A nameserver of the zone.
    Ns(String),
    /// The head of a zone; what is in it is not read.
    Soa,
    /// A text; its parts are joined.
    Txt(Vec<u8>),
    /// Another type, by its number.
    Other(u16),
}

/// A record of an answer. Names are in lower case, without a dot at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rr {
    /// The name that it belongs to.
    pub owner: String,
    /// How long it may be kept, in seconds.
    pub ttl: u32,
    /// What it says.
    pub data: Data,
}

/// What a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The response code: 0 no error, 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED (RFC 1035, section 4.1.1).
    pub code: u8,
    /// It was cut off, to be asked for again over TCP.
    pub truncated: bool,
    /// The server finds answers of others too.
    pub recursion: bool,
    /// The server speaks for the zone.
    pub authoritative: bool,
    /// Records that answer the question.
    pub answers: Vec<Rr>,
    /// Records of who speaks for it.
    pub authorities: Vec<Rr>,
}

/// NXDOMAIN.
pub const NO_SUCH_NAME: u8 = 3;
/// SERVFAIL.
pub const SERVER_FAILURE: u8 = 2;
/// REFUSED.
pub const REFUSED: u8 = 5;

/// A text that is no name of the DNS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name of the DNS: parts between dots have 1 to 63 characters, the whole at most 253")]
pub struct NotAName(pub String);

/// Why a message could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It answers something else; whoever waits should wait on.
    NotOurs,
    /// It is damaged.
    Damaged,
}

/// The bytes of the question for records of `kind` of `name`, to be found by the server also where it is another's.
///
/// # Errors
/// `name` is none.
pub fn question(id: u16, name: &str, kind: Type) -> Result<Vec<u8>, NotAName> {
    let mut bytes = Vec::with_capacity(name.len() + 18);
    bytes.extend(id.to_be_bytes());
    // One question; recursion desired.
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    let whole = name.strip_suffix('.').unwrap_or(name);
    if whole.is_empty() || whole.len() > 253 {
        return Err(NotAName(name.to_owned()));
    }
    for label in whole.split('.') {
        let length = u8::try_from(label.len())
            .ok()
            .filter(|length| (1..=63).contains(length));
        bytes.push(length.ok_or_else(|| NotAName(name.to_owned()))?);
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes.extend(kind.number().to_be_bytes());
    bytes.extend([0, 1]);
    Ok(bytes)
}

/// Reads what came back for [`question`].
///
/// # Errors
/// It answers something else, or is damaged.
pub fn reply(bytes: &[u8], id: u16, name: &str, kind: Type) -> Result<Reply, Unreadable> {
    let mut reader = Reader { bytes, at: 0 };
    let read_id = reader.u16().ok_or(Unreadable::NotOurs)?;
    let flags = reader.u16().ok_or(Unreadable::NotOurs)?;
    if read_id != id || flags & 0x8000 == 0 {
        return Err(Unreadable::NotOurs);
    }
    read(&mut reader, flags, name, kind).unwrap_or(Err(Unreadable::Damaged))
}

fn read(reader: &mut Reader<'_>, flags: u16, name: &str, kind: Type) -> Option<Result<Reply, Unreadable>> {
    let [questions, answers, authorities, _additional] = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
    let code = (flags & 0xf) as u8;
    // Servers that refuse may leave the question out.
    if questions == 0 && code == 0 {
        return None;
    }
    for _ in 0..questions {
        let asked = reader.name()?;
        let (asked_kind, _class) = (reader.u16()?, reader.u16()?);
        if !asked.eq_ignore_ascii_case(name.trim_end_matches('.')) || asked_kind != kind.number() {
            return Some(Err(Unreadable::NotOurs));
        }
    }
    let truncated = flags & 0x0200 != 0;
    let mut reply = Reply {
        code,
        truncated,
        recursion: flags & 0x0080 != 0,
        authoritative: flags & 0x0400 != 0,
        answers: Vec::new(),
        authorities: Vec::new(),
    };
    // What was cut off is asked for again, so that its parts do not matter.
    if !truncated {
        for _ in 0..answers {
            reply.answers.extend(reader.record()?);
        }
        for _ in 0..authorities {
            reply.authorities.extend(reader.record()?);
        }
    }
    Some(Ok(reply))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let end = self.at.checked_add(length)?;
        let part = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(part)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A name, with the rest of it elsewhere in the message where a pointer says so (section 4.1.4). A pointer leads
    /// backwards only, so that reading ends.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut length = self.u8()?;
        let mut resume = None;
        let mut bound = self.at - 1;
        loop {
            match length {
                0 => break,
                1..=63 => {
                    if !name.is_empty() {
                        name.push('.');
                    }
                    for byte in self.take(usize::from(length))? {
                        push(&mut name, *byte);
                    }
                    // An escaped byte takes four characters of the 255 bytes a name may have.
                    if name.len() > 1024 {
                        return None;
                    }
                }
                192.. => {
                    let target = usize::from(length & 0x3f) << 8 | usize::from(self.u8()?);
                    if target >= bound {
                        return None;
                    }
                    resume.get_or_insert(self.at);
                    bound = target;
                    self.at = target;
                }
                _ => return None,
            }
            length = self.u8()?;
        }
        self.at = resume.unwrap_or(self.at);
        Some(name)
    }

    /// A record; `None` inside when it is of another class than the internet's.
    #[allow(clippy::option_option)]
    fn record(&mut self) -> Option<Option<Rr>> {
        let owner = self.name()?;
        let (kind, class, ttl, length) = (self.u16()?, self.u16()?, self.u32()?, self.u16()?);
        let end = self
            .at
            .checked_add(usize::from(length))
            .filter(|end| *end <= self.bytes.len())?;
        let data = match kind {
            1 if length == 4 => Data::A(Ipv4Addr::from(self.array::<4>()?)),
            28 if length == 16 => Data::Aaaa(Ipv6Addr::from(self.array::<16>()?)),
            1 | 28 => return None,
            5 => Data::Cname(self.name()?),
            2 => Data::Ns(self.name()?),
            6 => Data::Soa,
            16 => {
                let mut text = Vec::new();
                while self.at < end {
                    let part = usize::from(self.u8()?);
                    text.extend(self.take(part)?);
                }
                Data::Txt(text)
            }
            other => Data::Other(other),
        };
        if self.at > end {
            return None;
        }
        self.at = end;
        Some((class == 1).then_some(Rr { owner, ttl, data }))
    }
}

/// A byte of a name as it is written: plain, or `\` and three digits (section 5.1).
fn push(name: &mut String, byte: u8) {
    match byte {
        b'.' | b'\\' => {
            name.push('\\');
            name.push(char::from(byte));
        }
        b'!'..=b'~' => name.push(char::from(byte.to_ascii_lowercase())),
        _ => {
            name.push('\\');
            name.push_str(&format!("{byte:03}"));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A reply to the question for `kind` of `name`, made of its parts; names in it are written out.
    pub(crate) fn bytes(id: u16, flags: u16, name: &str, kind: Type, answers: &[(&str, u16, u32, Vec<u8>)]) -> Vec<u8> {
        let mut out = question(id, name, kind).expect("a name");
        out[2..4].copy_from_slice(&flags.to_be_bytes());
        out[6..8].copy_from_slice(&u16::try_from(answers.len()).expect("few").to_be_bytes());
        for (owner, kind, ttl, data) in answers {
            out.extend(name_bytes(owner));
            out.extend(kind.to_be_bytes());
            out.extend([0, 1]);
            out.extend(ttl.to_be_bytes());
            out.extend(u16::try_from(data.len()).expect("short").to_be_bytes());
            out.extend(data);
        }
        out
    }

    pub(crate) fn name_bytes(name: &str) -> Vec<u8> {
        let whole = question(0, name, Type::A).expect("a name");
        whole[12..whole.len() - 4].to_vec()
    }

    #[test]
    fn a_question_is_what_others_read() {
        let bytes = question(0x1234, "api.Test.", Type::Aaaa).expect("a name");
        assert_eq!(
            bytes,
            b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03api\x04Test\x00\x00\x1c\x00\x01"
        );
        let long = "a".repeat(64);
        for name in ["", ".", "a..b", &long, &"ab.".repeat(100)] {
            assert!(question(1, name, Type::A).is_err(), "{name}");
        }
    }

    #[test]
    fn an_answer_with_pointers() {
        // api.test CNAME x.test; x.test A 192.0.2.7, as servers compress it.
        let mut bytes = question(7, "api.test", Type::A).expect("a name");
        bytes[2..4].copy_from_slice(&[0x85, 0x80]);
        bytes[7] = 2;
        bytes.extend(b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x01\x2c\x00\x04\x01X\xc0\x10");
        bytes.extend(b"\xc0\x26\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x07");
        let reply = reply(&bytes, 7, "API.test.", Type::A).expect("read");
        assert!(reply.authoritative && reply.recursion && !reply.truncated && reply.code == 0);
        let rr = |owner: &str, ttl, data| Rr {
            owner: owner.into(),
            ttl,
            data,
        };
        assert_eq!(
            reply.answers,
            [
                rr("api.test", 300, Data::Cname("x.test".into())),
                rr("x.test", 60, Data::A(Ipv4Addr::new(192, 0, 2, 7)))
            ]
        );
    }

    #[test]
    fn texts_and_odd_bytes() {
        let read = |kind, data: Vec<u8>| {
            let bytes = bytes(1, 0x8180, "t.test", Type::Txt, &[("t.test", kind, 5, data)]);
            reply(&bytes, 1, "t.test", Type::Txt).map(|reply| reply.answers[0].data.clone())
        };
        assert_eq!(read(16, b"\x02ab\x01c".to_vec()), Ok(Data::Txt(b"abc".to_vec())));
        assert_eq!(
            read(5, b"\x04a\x1b.\\\x01b\x00".to_vec()),
            Ok(Data::Cname("a\\027\\.\\\\.b".into()))
        );
        assert_eq!(read(99, b"xyz".to_vec()), Ok(Data::Other(99)));
    }

    #[test]
    fn what_is_not_ours_is_told_from_what_is_damaged() {
        let good = bytes(
            9,
            0x8180,
            "api.test",
            Type::A,
            &[("api.test", 1, 60, vec![192, 0, 2, 1])],
        );
        assert!(reply(&good, 9, "api.test", Type::A).is_ok());
        assert_eq!(reply(&good, 8, "api.test", Type::A), Err(Unreadable::NotOurs));
        assert_eq!(reply(&good, 9, "iam.test", Type::A), Err(Unreadable::NotOurs));
        assert_eq!(reply(&good, 9, "api.test", Type::Aaaa), Err(Unreadable::NotOurs));
        let question_only = question(9, "api.test", Type::A).expect("a name");
        assert_eq!(reply(&question_only, 9, "api.test", Type::A), Err(Unreadable::NotOurs));
        // Cut off anywhere it is an error, never a panic and never half an answer.
        for end in 0..good.len() {
            assert!(reply(&good[..end], 9, "api.test", Type::A).is_err(), "{end}");
        }
        let wrong_length = bytes(9, 0x8180, "api.test", Type::A, &[("api.test", 1, 60, vec![192, 0, 2])]);
        assert_eq!(reply(&wrong_length, 9, "api.test", Type::A), Err(Unreadable::Damaged));
    }

    #[test]
    fn a_pointer_that_leads_to_itself_ends() {
        let mut bytes = question(1, "a.test", Type::A).expect("a name");
        bytes[2..4].copy_from_slice(&[0x81, 0x80]);
        bytes[7] = 1;
        let at = u8::try_from(bytes.len()).expect("short");
        bytes.extend([0xc0, at, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4]);
        assert_eq!(reply(&bytes, 1, "a.test", Type::A), Err(Unreadable::Damaged));
    }

    #[test]
    fn a_refusal_without_its_question_is_read() {
        let bytes = b"\x00\x05\x81\x05\x00\x00\x00\x00\x00\x00\x00\x00";
        assert_eq!(
            reply(bytes, 5, "api.test", Type::A).map(|reply| reply.code),
            Ok(REFUSED)
        );
    }

    #[test]
    fn noise_is_read_or_refused() {
        // A small generator of its own, so that a failure can be seen again.
        let mut state = 0x2545_f491_u32;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_be_bytes()[0]
        };
        let good = bytes(
            3,
            0x8180,
            "api.test",
            Type::A,
            &[
                ("api.test", 5, 60, name_bytes("x.test")),
                ("x.test", 1, 60, vec![1, 2, 3, 4]),
            ],
        );
        for _ in 0..20_000 {
            let mut noisy = good.clone();
            for _ in 0..=next() % 4 {
                let at = 4 + usize::from(next()) % (noisy.len() - 4);
                noisy[at] = next();
            }
            let _ = reply(&noisy, 3, "api.test", Type::A);
        }
    }
}
