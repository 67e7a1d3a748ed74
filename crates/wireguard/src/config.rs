//! The files of `wg-quick(8)`: sections of `Key = value` lines, read so that what is not changed is written back byte
//! for byte, comments and order included.

use std::fmt;
use std::ops::Range;
use zeroize::Zeroizing;

/// A file of `wg` or `wg-quick`. It may hold keys: it cannot be printed, and its memory is wiped.
#[derive(Clone, PartialEq, Eq)]
pub struct WgConfig {
    lines: Vec<Line>,
}

/// One line as it stands, without its line end.
#[derive(Clone, PartialEq, Eq)]
struct Line {
    text: Zeroizing<String>,
    /// Which section it belongs to, counted from 0 at what stands before the first header.
    section: usize,
}

impl fmt::Debug for WgConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WgConfig").field("lines", &self.lines.len()).finish()
    }
}

impl WgConfig {
    /// Reads any text; what is no setting is kept as it is.
    pub fn parse(text: &str) -> Self {
        let mut section = 0;
        let lines = text.lines().map(|line| {
            if header(line).is_some() {
                section += 1;
            }
            Line {
                text: Zeroizing::new(line.to_owned()),
                section,
            }
        });
        Self { lines: lines.collect() }
    }

    /// The file's text, with its keys: for the file itself alone.
    pub fn expose_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(self.lines.iter().map(|l| l.text.len() + 1).sum()));
        for line in &self.lines {
            text.push_str(&line.text);
            text.push('\n');
        }
        text
    }

    /// The sections called `name` (`Interface`, `Peer`; case does not matter), to be named to the other methods.
    pub fn sections(&self, name: &str) -> Vec<usize> {
        self.lines
            .iter()
            .filter(|line| header(&line.text).is_some_and(|h| h.eq_ignore_ascii_case(name)))
            .map(|line| line.section)
            .collect()
    }

    /// The values of `key` in `section`, in order, without comments. Keys may be secret: they are borrowed.
    pub fn values(&self, section: usize, key: &str) -> Vec<&str> {
        self.of(section)
            .filter_map(|line| setting(&line.text).filter(|(k, _)| k.eq_ignore_ascii_case(key)))
            .map(|(_, value)| value)
            .collect()
    }

    /// Whether a line is this one, but for the space around it.
    pub fn has_line(&self, text: &str) -> bool {
        self.lines.iter().any(|line| line.text.trim() == text)
    }

    /// Puts a line behind the header of `section`.
    pub fn begin_with(&mut self, section: usize, text: &str) {
        if let Some(header) = self.lines.iter().position(|line| line.section == section) {
            let text = Zeroizing::new(text.to_owned());
            self.lines.insert(header + 1, Line { text, section });
        }
    }

    /// The first comment of `section`, without its `#`.
    pub fn comment(&self, section: usize) -> Option<&str> {
        self.of(section)
            .find_map(|line| line.text.trim().strip_prefix('#'))
            .map(str::trim)
    }

    /// Makes `value` the one value of `key` in `section`. Where the first line of that key says the same already (as
    /// `same` has it) it stays untouched; further lines of that key go. A new line comes after the section's last
    /// setting. True when anything was changed.
    pub fn set(&mut self, section: usize, key: &str, value: &str, same: impl Fn(&str, &str) -> bool) -> bool {
        let places = self.places(section, key);
        let Some((first, more)) = places.split_first() else {
            let at = self.end_of(section);
            self.insert(at, section, format!("{key} = {value}"));
            return true;
        };
        let mut changed = !more.is_empty();
        for place in more.iter().rev() {
            self.lines.remove(*place);
        }
        let present = setting(&self.lines[*first].text).map_or("", |(_, value)| value);
        if !same(present, value) {
            self.lines[*first].text = Zeroizing::new(format!("{key} = {value}"));
            changed = true;
        }
        changed
    }

    /// Makes `values` the values of `key` in `section`, one line each, in this order. True when anything was changed.
    pub fn set_all(&mut self, section: usize, key: &str, values: &[String]) -> bool {
        if self.values(section, key) == values.iter().map(String::as_str).collect::<Vec<_>>() {
            return false;
        }
        let places = self.places(section, key);
        let at = places.first().copied();
        for place in places.iter().rev() {
            self.lines.remove(*place);
        }
        let at = at.unwrap_or_else(|| self.end_of(section));
        for (offset, value) in values.iter().enumerate() {
            self.insert(at + offset, section, format!("{key} = {value}"));
        }
        true
    }

    /// Takes all lines of `key` out of `section`. True when there was one.
    pub fn remove(&mut self, section: usize, key: &str) -> bool {
        let places = self.places(section, key);
        for place in places.iter().rev() {
            self.lines.remove(*place);
        }
        !places.is_empty()
    }

    /// Takes a section out: its header and all that follows it, up to the next header.
    pub fn remove_section(&mut self, section: usize) {
        self.lines.retain(|line| line.section != section);
    }

    /// Adds a section at the end, after an empty line.
    pub fn append(&mut self, text: &str) {
        let last = self.lines.last().map_or(0, |line| line.section);
        if self.lines.last().is_some_and(|line| !line.text.trim().is_empty()) {
            self.insert(self.lines.len(), last, String::new());
        }
        for line in text.lines() {
            self.insert(self.lines.len(), last + 1, line.to_owned());
        }
    }

    /// Where `section` stands. Sections are numbered as they come, so that looking at one after the other takes no longer in a file
    /// of many.
    fn range(&self, section: usize) -> Range<usize> {
        let start = self.lines.partition_point(|line| line.section < section);
        start..self.lines.partition_point(|line| line.section <= section)
    }

    fn of(&self, section: usize) -> impl Iterator<Item = &Line> {
        self.lines[self.range(section)].iter()
    }

    fn places(&self, section: usize, key: &str) -> Vec<usize> {
        let is_it = |line: &Line| setting(&line.text).is_some_and(|(k, _)| k.eq_ignore_ascii_case(key));
        self.range(section).filter(|i| is_it(&self.lines[*i])).collect()
    }

    /// Behind the last setting of `section`, or behind its header.
    fn end_of(&self, section: usize) -> usize {
        let belongs = |line: &Line| line.section == section;
        let last = self
            .lines
            .iter()
            .rposition(|line| belongs(line) && (setting(&line.text).is_some() || header(&line.text).is_some()));
        last.map_or(self.lines.len(), |at| at + 1)
    }

    fn insert(&mut self, at: usize, section: usize, text: String) {
        self.lines.insert(
            at,
            Line {
                text: Zeroizing::new(text),
                section,
            },
        );
    }
}

/// The name of a section, if `line` is a header.
fn header(line: &str) -> Option<&str> {
    let line = line.split('#').next().unwrap_or(line).trim();
    Some(line.strip_prefix('[')?.strip_suffix(']')?.trim())
}

/// Key and value, if `line` is a setting. A `#` begins a comment anywhere.
fn setting(line: &str) -> Option<(&str, &str)> {
    let line = line.split('#').next().unwrap_or(line);
    let (key, value) = line.split_once('=')?;
    let key = key.trim();
    (!key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| (key, value.trim()))
}

/// Whether two comma-separated lists name the same, in the same order, whatever the blanks.
pub fn same_list(a: &str, b: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        text.split(',')
            .map(str::trim)
            .filter(|p| !p.is_empty())
            .map(str::to_ascii_lowercase)
            .collect()
    };
    parts(a) == parts(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# mine\n[Interface]\nAddress = 10.13.13.2  # keep\nprivatekey=abc=\n\n[Peer] # the server\n# peer1\nPublicKey = xyz=\nAllowedIPs = 0.0.0.0/0, ::/0\n";

    fn text(config: &WgConfig) -> String {
        config.expose_text().to_string()
    }

    #[test]
    fn what_is_read_is_written_back() {
        assert_eq!(text(&WgConfig::parse(FILE)), FILE);
        // A line end at the end of the file is made, as every tool wants it.
        assert_eq!(text(&WgConfig::parse("[Interface]")), "[Interface]\n");
        assert_eq!(format!("{:?}", WgConfig::parse(FILE)), "WgConfig { lines: 9 }");
    }

    #[test]
    fn values_are_found_by_section_and_key() {
        let config = WgConfig::parse(FILE);
        let (interface, peer) = (config.sections("interface")[0], config.sections("Peer")[0]);
        assert_eq!(config.values(interface, "Address"), ["10.13.13.2"]);
        assert_eq!(config.values(interface, "PrivateKey"), ["abc="]);
        assert_eq!(config.values(peer, "PublicKey"), ["xyz="]);
        assert_eq!(config.comment(peer), Some("peer1"));
        assert!(config.values(peer, "Address").is_empty());
    }

    #[test]
    fn a_setting_is_changed_where_it_stands_or_added_behind_the_last() {
        let mut config = WgConfig::parse(FILE);
        let interface = config.sections("Interface")[0];
        assert!(!config.set(interface, "Address", "10.13.13.2", |a, b| a == b));
        assert!(config.set(interface, "MTU", "1330", |a, b| a == b));
        assert!(
            text(&config).contains("privatekey=abc=\nMTU = 1330\n\n[Peer]"),
            "{}",
            text(&config)
        );
        let peer = config.sections("Peer")[0];
        assert!(!config.set(peer, "AllowedIPs", "0.0.0.0/0,::/0", same_list));
        assert!(config.set(peer, "AllowedIPs", "172.16.50.0/24", same_list));
        assert!(text(&config).ends_with("AllowedIPs = 172.16.50.0/24\n"));
    }

    #[test]
    fn more_lines_of_a_key_than_one_become_one() {
        let mut config = WgConfig::parse("[Peer]\nAllowedIPs = 10.0.0.0/8\nEndpoint = a:1\nAllowedIPs = ::/0\n");
        assert!(config.set(1, "AllowedIPs", "10.0.0.0/8", same_list));
        assert_eq!(text(&config), "[Peer]\nAllowedIPs = 10.0.0.0/8\nEndpoint = a:1\n");
        assert!(!config.set_all(1, "Endpoint", &["a:1".into()]));
        assert!(config.set_all(1, "PostUp", &["one; two".into(), "three".into()]));
        assert_eq!(
            text(&config),
            "[Peer]\nAllowedIPs = 10.0.0.0/8\nEndpoint = a:1\nPostUp = one; two\nPostUp = three\n"
        );
    }

    #[test]
    fn sections_come_and_go() {
        let mut config = WgConfig::parse("[Interface]\nA = 1\n\n[Peer]\n# a\nB = 2\n\n[Peer]\n# b\nC = 3\n");
        config.remove_section(config.sections("Peer")[0]);
        assert_eq!(text(&config), "[Interface]\nA = 1\n\n[Peer]\n# b\nC = 3\n");
        config.append("[Peer]\n# c\n");
        assert_eq!(
            text(&config),
            "[Interface]\nA = 1\n\n[Peer]\n# b\nC = 3\n\n[Peer]\n# c\n"
        );
        assert_eq!(config.sections("Peer").len(), 2);
    }
}
