//! QR codes on a terminal, in the way that readers of telephones take best: light modules drawn, dark ones left dark,
//! two rows of modules in a line of text, and a quiet zone around.

use fast_qr::{ECL, QRBuilder};
use mosip_prov::inventory::value::Secret;

/// The quiet zone of the standard, in modules.
const QUIET: usize = 4;

/// `secret` as lines of text; `None` when it is too long for a QR code (2953 bytes). With `color` the lines say that light
/// is white and dark is black, whatever the terminal's own colours are.
pub fn code(secret: &Secret, color: bool) -> Option<Secret> {
    // A telephone reads it from a screen at once: the least redundancy makes the largest modules.
    let code = QRBuilder::new(secret.expose().as_bytes()).ecl(ECL::L).build().ok()?;
    let light = |row: usize, column: usize| {
        let inside = (QUIET..code.size + QUIET).contains(&row) && (QUIET..code.size + QUIET).contains(&column);
        !inside || !code[row - QUIET][column - QUIET].value()
    };
    let side = code.size + 2 * QUIET;
    let mut text = String::new();
    for row in (0..side).step_by(2) {
        if color {
            text.push_str("\x1b[40;97m");
        }
        for column in 0..side {
            text.push(match (light(row, column), row + 1 >= side || light(row + 1, column)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        if color {
            text.push_str("\x1b[0m");
        }
        text.push('\n');
    }
    Some(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_square_and_has_its_three_eyes() {
        let code = code(&Secret::new("[Interface]\nAddress = 10.13.13.2\n".into()), false).expect("short enough");
        let lines: Vec<Vec<char>> = code.expose().lines().map(|l| l.chars().collect()).collect();
        let side = lines[0].len();
        assert!(lines.iter().all(|l| l.len() == side));
        assert_eq!(lines.len(), side.div_ceil(2));
        // Sizes are 21, 25, 29 … modules and the quiet zone.
        assert_eq!((side - 8) % 4, 1);
        let dark = |row: usize, column: usize| match lines[row / 2][column] {
            '█' => false,
            '▀' => row % 2 == 1,
            '▄' => row.is_multiple_of(2),
            ' ' => true,
            other => panic!("{other}"),
        };
        let eye = |top: usize, left: usize| {
            (0..7).all(|i| {
                dark(top, left + i) && dark(top + 6, left + i) && dark(top + i, left) && dark(top + i, left + 6)
            }) && (1..6).all(|i| !dark(top + 1, left + i) && !dark(top + i, left + 1))
        };
        assert!(eye(4, 4) && eye(4, side - 11) && eye(side - 11, 4));
        assert!((0..side).all(|i| !dark(0, i) && !dark(i, 0)), "a quiet zone");
    }

    #[test]
    fn what_is_too_long_is_none() {
        assert!(code(&Secret::new("x".repeat(2953)), true).is_some());
        assert!(code(&Secret::new("x".repeat(2954)), true).is_none());
    }
}
