//! When apt's package index was last refreshed. The answer is `NOW REFRESHED SOURCES` in seconds since 1970 by the
//! target's clock: `REFRESHED` is `never` without an index; `SOURCES` is the time of the newest list of sources.
//!
//! Refreshed counts from the newest of the stamp that `update-notifier-common` keeps, the folder of the lists (our own
//! refresh touches it) and the lists' `partial` folder, which apt empties on each refresh.

use super::{all_failed, shorten};
use mosip_prov_engine::{Ask, Probe, Question, RawAnswer, Touch};

/// The age of apt's package index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AptLists {
    /// Seconds since the last refresh; `None` when there is no index.
    pub age: Option<u64>,
    /// A list of sources is newer than the index.
    pub sources_newer: bool,
}

/// Asks for [`AptLists`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskAptLists;

impl Ask for AskAptLists {
    type Answer = AptLists;

    fn question(&self) -> Question {
        Question::new(&AptListsProbe, "package index")
    }

    fn read(&self, raw: &str) -> Result<AptLists, String> {
        let words: Vec<&str> = raw.split_whitespace().collect();
        let [now, refreshed, sources] = words.as_slice() else {
            return Err(shorten(raw));
        };
        let number = |word: &str| word.parse::<u64>().map_err(|_| shorten(raw));
        let (now, sources) = (number(now)?, number(sources)?);
        if *refreshed == "never" {
            return Ok(AptLists {
                age: None,
                sources_newer: false,
            });
        }
        let refreshed = number(refreshed)?;
        Ok(AptLists {
            age: Some(now.saturating_sub(refreshed)),
            sources_newer: sources > refreshed,
        })
    }
}

/// The kind of question behind [`AskAptLists`].
pub struct AptListsProbe;

const SCRIPT: &str = r#"command -v apt-get >/dev/null || { echo 'there is no apt-get'; exit 1; }
newest() {
  m=0; n=$#
  for f do if [ -e "$f" ]; then set -- "$@" "$f"; fi; done
  shift "$n"
  if [ $# -gt 0 ]; then
    a=$(stat -c %Y -- "$@") || exit
    for t in $a; do if [ "$t" -gt "$m" ]; then m=$t; fi; done
  fi
  echo "$m"
}
r=never
set -- /var/lib/apt/lists/*_Packages* /var/lib/apt/lists/*_InRelease
for f do
  if [ -e "$f" ]; then
    r=$(newest /var/lib/apt/periodic/update-success-stamp /var/lib/apt/lists /var/lib/apt/lists/partial) || exit
    break
  fi
done
s=$(newest /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/sources.list.d/*) || exit
echo "$(date +%s) $r $s""#;

impl Probe for AptListsProbe {
    fn name(&self) -> &'static str {
        "apt-lists"
    }

    fn script(&self, _: &[&str]) -> String {
        SCRIPT.to_owned()
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        match AskAptLists.read(output) {
            Ok(_) => vec![Ok(output.trim().to_owned()); subjects.len()],
            Err(reason) => all_failed(subjects.len(), &reason),
        }
    }

    fn disturbed_by(&self, _: &str, touch: &Touch) -> bool {
        match touch {
            Touch::Path(_) => touch.concerns_path("/etc/apt") || touch.concerns_path("/var/lib/apt/lists"),
            Touch::Kind(kind) => *kind == "apt-lists",
            Touch::Thing(..) => false,
            Touch::Everything => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ask_with, sh_available};

    #[test]
    fn ages_are_read() {
        assert_eq!(
            AskAptLists.read("1000 400 500"),
            Ok(AptLists {
                age: Some(600),
                sources_newer: true
            })
        );
        assert_eq!(AskAptLists.read("1000 never 500").expect("read").age, None);
        assert!(AskAptLists.read("sh: date: not found").is_err());
    }

    #[test]
    fn this_machine_answers() {
        if !std::path::Path::new("/usr/bin/apt-get").exists() {
            return;
        }
        for shell in sh_available() {
            let output = ask_with(shell, &AptListsProbe, &["x"]);
            assert!(AptListsProbe.split(&output, &["x"])[0].is_ok(), "{shell:?} {output}");
        }
    }
}
