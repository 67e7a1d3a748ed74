//! All that a run might change on a host, as text lines: packages, units, files. Two pictures are compared line by line.

use std::collections::BTreeSet;

use crate::testbed::Testbed;

/// Files that change while a host merely lives.
const RESTLESS: &str = r"/etc/(mtab|resolv\.conf|adjtime|machine-id|ld\.so\.cache)$";

/// What a host was like.
#[derive(Debug, PartialEq, Eq)]
pub struct Picture(BTreeSet<String>);

impl Picture {
    /// Takes one.
    pub fn of(testbed: &Testbed, host: &str) -> Self {
        let script = format!(
            "export LC_ALL=C
dpkg-query -W -f 'package ${{Package}} ${{Version}} ${{Status}}\\n'
systemctl list-unit-files --no-legend --no-pager --type service,timer,socket | awk '{{ print \"unit-file\", $1, $2 }}'
systemctl list-units --no-legend --no-pager --plain --type service --state active | grep -v -e '^user@' -e '^user-runtime' | awk '{{ print \"unit\", $1, $3, $4 }}'
find /etc /usr/local /opt /var/lib/apt /root /home -xdev \\( -type f -printf 'file %p %m %u:%g %s\\n' -o -type d -printf 'folder %p %m %u:%g\\n' -o -type l -printf 'link %p %l\\n' \\) | grep -v -E '{RESTLESS}'
find /etc /usr/local /opt /root -xdev -type f -print0 | xargs -0 sha256sum
"
        );
        Self(testbed.root(host, &script).lines().map(str::to_owned).collect())
    }

    /// What is only in the one, with `-`, or only in the other, with `+`.
    pub fn differences(&self, later: &Self) -> Vec<String> {
        let gone = self.0.difference(&later.0).map(|line| format!("-{line}"));
        let come = later.0.difference(&self.0).map(|line| format!("+{line}"));
        gone.chain(come).collect()
    }

    /// How many lines it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it shows nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
