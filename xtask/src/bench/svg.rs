//! Bar charts, on a logarithmic scale: the contestants are further apart than a straight one could show.

use std::fmt::Write as _;

/// Bars under one heading.
pub struct Group {
    /// The heading.
    pub label: String,
    /// Name, value, and how the value is written.
    pub bars: Vec<(String, f64, String)>,
}

const WIDTH: f64 = 760.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 110.0;
const BAR: f64 = 18.0;
const STEP: f64 = 24.0;
const OURS: &str = "mosip-prov";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The chart. `unit` stands below the axis; powers of ten are marked.
pub fn bars(title: &str, unit: &str, groups: &[Group]) -> String {
    let values = || {
        groups
            .iter()
            .flat_map(|group| &group.bars)
            .map(|bar| bar.1)
            .filter(|value| *value > 0.0)
    };
    let least = values().fold(f64::INFINITY, f64::min);
    let most = values().fold(0.0, f64::max);
    let low = if least.is_finite() {
        (least / 2.0).log10().floor()
    } else {
        0.0
    };
    let high = if most > 0.0 {
        most.log10().ceil().max(low + 1.0)
    } else {
        low + 1.0
    };
    let x = |value: f64| LEFT + (value.log10() - low) / (high - low) * (WIDTH - LEFT - RIGHT);
    let lines: usize = groups.iter().map(|group| group.bars.len() + 1).sum();
    let bottom = 50.0 + lines as f64 * STEP;
    let height = bottom + 44.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"26\" font-size=\"16\" font-weight=\"bold\" fill=\"#222222\">{}</text>\n",
        escaped(title)
    );
    for power in low as i32..=high as i32 {
        let at = x(10f64.powi(power));
        let _ = writeln!(
            out,
            "<line x1=\"{at:.1}\" y1=\"40\" x2=\"{at:.1}\" y2=\"{bottom:.1}\" stroke=\"#dddddd\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#666666\">{}</text>",
            bottom + 16.0,
            number(10f64.powi(power))
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#666666\">{}</text>",
        LEFT + (WIDTH - LEFT - RIGHT) / 2.0,
        bottom + 36.0,
        escaped(unit)
    );
    let mut y = 46.0;
    for group in groups {
        let _ = writeln!(
            out,
            "<text x=\"12\" y=\"{:.1}\" font-weight=\"bold\" fill=\"#222222\">{}</text>",
            y + 15.0,
            escaped(&group.label)
        );
        y += STEP;
        for (name, value, text) in &group.bars {
            let colour = if name == OURS { "#1b7f4d" } else { "#8a97a8" };
            // What is at the foot of the scale is still seen.
            let end = x(value.max(10f64.powf(low))).max(LEFT + 2.0);
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#222222\">{}</text>\
                 <rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" fill=\"#222222\">{}</text>",
                LEFT - 8.0,
                y + 14.0,
                escaped(name),
                end - LEFT,
                end + 6.0,
                y + 14.0,
                escaped(text)
            );
            y += STEP;
        }
    }
    out.push_str("</svg>\n");
    out
}

/// 0.001, 0.1, 1, 10, 1000.
fn number(power: f64) -> String {
    if power >= 1.0 {
        format!("{power:.0}")
    } else {
        format!("{power}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_is_more_and_text_is_text() {
        let group = Group {
            label: "a & b".into(),
            bars: vec![
                (OURS.into(), 0.2, "0.2 s".into()),
                ("Ansible <x>".into(), 40.0, "40 s".into()),
            ],
        };
        let chart = bars("Six hosts", "seconds", &[group]);
        assert!(chart.contains("a &amp; b") && chart.contains("Ansible &lt;x&gt;"));
        let widths: Vec<f64> = chart
            .split("<rect x=")
            .skip(1)
            .filter_map(|part| part.split("width=\"").nth(1)?.split('"').next()?.parse().ok())
            .collect();
        assert_eq!(widths.len(), 2);
        // From 0.1 to 100 are three powers: 0.2 is a tenth of the way, 40 nearly nine tenths.
        assert!(
            (widths[0] - 46.2).abs() < 1.0 && (widths[1] - 398.9).abs() < 2.0,
            "{widths:?}"
        );
    }

    #[test]
    fn nothing_to_show_is_no_panic() {
        assert!(bars("x", "s", &[]).ends_with("</svg>\n"));
    }
}
