//! Where output goes and what it may look like there: colours, live lines, width; and writing to a pipe whose reader
//! has gone.

use crate::args::Color;
use crate::exit::Exit;
use std::io::{self, IsTerminal, Write};

/// What standard output and standard error can show.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Colours on standard output.
    pub color_out: bool,
    /// Colours on standard error.
    pub color_err: bool,
    /// Live lines on standard output.
    pub live: bool,
    /// Columns of the terminal that standard output is.
    pub width: Option<usize>,
    /// Lines of it; 0 when it is none.
    pub height: usize,
}

impl Look {
    /// Looks at the terminal and the environment (`NO_COLOR`, `TERM`).
    pub fn of(color: Color) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
            || std::env::var_os("TERM").is_some_and(|v| v == "dumb");
        let size = terminal_size::terminal_size();
        Self::choose(
            color,
            plain,
            io::stdout().is_terminal(),
            io::stderr().is_terminal(),
            size.map(|(w, h)| (usize::from(w.0), usize::from(h.0))),
        )
    }

    fn choose(color: Color, plain: bool, out: bool, err: bool, size: Option<(usize, usize)>) -> Self {
        let colored = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !plain,
        };
        let live = out && colored(true);
        let size = size.filter(|(width, _)| live && *width > 0);
        Self {
            color_out: colored(out),
            color_err: colored(err),
            live,
            width: size.map(|(width, _)| width),
            height: size.map_or(0, |(_, height)| height),
        }
    }
}

/// Writes `text` and a line end to standard output. A reader that has gone (`… | head`) is no error.
pub fn say(text: &str) -> Exit {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Exit::Ok,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Ok,
        Err(error) => {
            complain(&format!("error: cannot write the output: {error}"));
            Exit::Inputs
        }
    }
}

/// Writes JSON: what hosts and inventories put into it steers no terminal.
pub fn say_json(json: &str) -> Exit {
    say(&mosip_prov_report::text::safe_json(json))
}

/// Writes `text` and a line end to standard error; nobody is left to be told when that fails.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Option<(usize, usize)> = Some((80, 24));

    #[test]
    fn live_on_a_terminal_only() {
        let look = Look::choose(Color::Auto, false, true, true, SIZE);
        assert!(look.live && look.color_out && look.width == Some(80));
        let piped = Look::choose(Color::Auto, false, false, true, SIZE);
        assert!(!piped.live && !piped.color_out && piped.color_err && piped.width.is_none());
        let no_color = Look::choose(Color::Auto, true, true, true, SIZE);
        assert!(!no_color.live && !no_color.color_out);
    }

    #[test]
    fn what_is_asked_for_wins() {
        let always = Look::choose(Color::Always, true, false, false, None);
        assert!(always.color_out && always.color_err && !always.live);
        let never = Look::choose(Color::Never, false, true, true, SIZE);
        assert!(!never.color_out && !never.live && never.width.is_none());
    }
}
