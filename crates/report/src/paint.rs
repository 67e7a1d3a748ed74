//! Colours, or none: the one place that knows which colour means what.

use anstyle::{AnsiColor, Style};

/// What a piece of text is, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Was, or would be, changed.
    Changed,
    /// Wrong.
    Bad,
    /// To be looked at; not wrong by itself.
    Notice,
    /// Not done.
    Skipped,
    /// Of little weight.
    Faint,
    /// A heading or a name to be seen.
    Strong,
    /// A line that goes, in a diff.
    Removed,
    /// A line that comes, in a diff.
    Added,
    /// A place in a diff.
    Place,
}

/// Colours text, or leaves it as it is.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// With colours when `on`.
    pub fn new(on: bool) -> Self {
        Self { on }
    }

    /// `text` in the colour of `tone`. `text` must already be neutral (see [`crate::text::neutral`]).
    pub fn tone(self, tone: Tone, text: &str) -> String {
        if !self.on || text.is_empty() {
            return text.to_owned();
        }
        let style = style(tone);
        format!("{style}{text}{style:#}")
    }
}

fn style(tone: Tone) -> Style {
    let colour = |c: AnsiColor| c.on_default();
    match tone {
        Tone::Good | Tone::Added => colour(AnsiColor::Green),
        Tone::Changed => colour(AnsiColor::Yellow),
        Tone::Bad => colour(AnsiColor::Red).bold(),
        Tone::Notice => colour(AnsiColor::Magenta),
        Tone::Skipped | Tone::Place => colour(AnsiColor::Cyan),
        Tone::Faint => Style::new().dimmed(),
        Tone::Strong => Style::new().bold(),
        Tone::Removed => colour(AnsiColor::Red),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_adds_nothing() {
        assert_eq!(Paint::new(false).tone(Tone::Bad, "x"), "x");
        assert_eq!(Paint::new(true).tone(Tone::Good, "x"), "\x1b[32mx\x1b[0m");
    }
}
