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

    /// What a reader makes of the lines, each module four pixels wide and high, light ones white.
    fn read(lines: &str) -> String {
        const SCALE: usize = 4;
        let lines: Vec<Vec<char>> = lines.lines().map(|l| l.chars().collect()).collect();
        let side = lines[0].len();
        assert!(lines.iter().all(|l| l.len() == side));
        assert_eq!(lines.len(), side.div_ceil(2));
        let light = |row: usize, column: usize| match lines[row / 2][column] {
            '█' => true,
            '▀' => row.is_multiple_of(2),
            '▄' => row % 2 == 1,
            ' ' => false,
            other => panic!("{other}"),
        };
        let pixel = |x: usize, y: usize| if light(y / SCALE, x / SCALE) { 255 } else { 0 };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side * SCALE, side * SCALE, pixel);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "one code");
        grids[0].decode().expect("readable").1
    }

    #[test]
    fn a_reader_gets_the_very_file() {
        let file = "[Interface]\nAddress = 10.13.13.2\nPrivateKey = cHJpdmF0ZSBrZXkgb2YgcGVlcjEsIG5vIHJlYWwgb25lISE=\n\
                    MTU = 1330\n\n[Peer]\nPublicKey = c2VydmVyIHB1YmxpYyBrZXksIG5vIHJlYWwgb25lISEhISE=\n\
                    PresharedKey = cHJlc2hhcmVkIGtleSBvZiBwZWVyMSwgbm90IHJlYWwhISE=\nEndpoint = 192.0.2.1:51820\n\
                    AllowedIPs = 172.16.50.0/24\n";
        for text in [file, "x"] {
            let code = code(&Secret::new(text.into()), false).expect("short enough");
            assert_eq!(read(code.expose()), text);
        }
    }

    #[test]
    fn with_colours_light_is_white_on_black() {
        let plain = code(&Secret::new("x".into()), false).expect("short");
        let coloured = code(&Secret::new("x".into()), true).expect("short");
        let without = coloured.expose().replace("\x1b[40;97m", "").replace("\x1b[0m", "");
        assert_eq!(without, plain.expose());
        assert!(
            coloured
                .expose()
                .lines()
                .all(|l| l.starts_with("\x1b[40;97m") && l.ends_with("\x1b[0m"))
        );
    }

    #[test]
    fn what_is_too_long_is_none() {
        assert!(code(&Secret::new("x".repeat(2953)), true).is_some());
        assert!(code(&Secret::new("x".repeat(2954)), true).is_none());
    }
}
