//! Words of a command line: `--name value`, `--name=value`, `-n value`, switches, and the rest.

use crate::Outcome;

/// What was said.
#[derive(Default, Debug)]
pub struct Args {
    values: Vec<(String, String)>,
    switches: Vec<String>,
    /// Words without a dash.
    pub rest: Vec<String>,
}

impl Args {
    /// Splits words. `valued` and `switches` are the flags known, without dashes.
    ///
    /// # Errors
    /// A flag is unknown, or its value is missing.
    pub fn parse(words: &[String], valued: &[&str], switches: &[&str]) -> Outcome<Self> {
        let mut args = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
                args.rest.push(word.clone());
                continue;
            };
            let (flag, given) = match flag.split_once('=') {
                Some((flag, value)) => (flag, Some(value.to_owned())),
                None => (flag, None),
            };
            if switches.contains(&flag) {
                if given.as_deref() != Some("false") {
                    args.switches.push(flag.into());
                }
            } else if valued.contains(&flag) {
                let value = given.or_else(|| words.next().cloned());
                let value = value.ok_or_else(|| format!("flag needs an argument: -{flag}"))?;
                args.values.push((flag.into(), value));
            } else {
                return Err(format!("flag provided but not defined: -{flag}").into());
            }
        }
        Ok(args)
    }

    /// The last value of a flag.
    pub fn get(&self, flag: &str) -> Option<&str> {
        self.all(flag).last().copied()
    }

    /// All values of a flag.
    pub fn all(&self, flag: &str) -> Vec<&str> {
        let of = self.values.iter().filter(|(name, _)| name == flag);
        of.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a flag that must be there.
    ///
    /// # Errors
    /// It is not.
    pub fn need(&self, flag: &str) -> Outcome<&str> {
        self.get(flag).ok_or_else(|| format!("--{flag} is missing").into())
    }

    /// Whether a switch was given.
    pub fn is_set(&self, switch: &str) -> bool {
        self.switches.iter().any(|name| name == switch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_told_apart_and_unknown_ones_refused() {
        let words: Vec<String> = ["up", "--config=a", "--config", "b", "--quiet", "--no=false"]
            .map(String::from)
            .into();
        let args = Args::parse(&words, &["config"], &["quiet", "no"]).expect("known flags");
        assert_eq!((args.get("config"), args.rest.len()), (Some("b"), 1));
        assert!(args.is_set("quiet") && !args.is_set("no"));
        let error = Args::parse(&["--other".into()], &[], &[]).expect_err("an unknown flag");
        assert!(error.to_string().contains("-other"), "{error}");
        assert!(Args::parse(&["--config".into()], &["config"], &[]).is_err());
    }
}
