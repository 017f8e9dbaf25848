//! Named values side by side, each with its interval.

use std::fmt::Write as _;

use super::plot::{opening, text};

/// One value.
#[derive(Debug, Clone)]
pub struct Bar {
    /// What it is of.
    pub name: String,
    /// From 0 to 1.
    pub value: f64,
    /// Its interval, if it has one.
    pub interval: Option<[f64; 2]>,
    /// Whether it is one of those to compare with.
    pub pale: bool,
}

const ROW: f64 = 26.0;
const WIDTH: f64 = 560.0;
/// Left of the axis, and right of its end.
const NAMES: f64 = 130.0;
const VALUES: f64 = 70.0;
const TOP: f64 = 34.0;

/// Bars from 0 to 1 as an `<svg>` element, and a broken line at `mark`.
pub fn bars(title: &str, bars: &[Bar], mark: Option<f64>) -> String {
    let height = TOP + ROW * bars.len() as f64 + 26.0;
    let bottom = height - 22.0;
    let x = |value: f64| NAMES + value.clamp(0.0, 1.0) * (WIDTH - NAMES - VALUES);
    let mut svg = opening(WIDTH, height, title);
    text(&mut svg, [WIDTH / 2.0, 18.0], "middle", 13, title);
    for tick in [0.0, 0.2, 0.4, 0.6, 0.8, 1.0] {
        let _ = write!(svg, "<path d=\"M{:.1} {TOP}V{bottom:.1}\" stroke=\"#d5dae0\"/>", x(tick));
        text(&mut svg, [x(tick), height - 7.0], "middle", 11, &format!("{tick}"));
    }
    for (i, bar) in bars.iter().enumerate() {
        let top = TOP + ROW * i as f64 + 4.0;
        let middle = top + ROW / 2.0 - 4.0;
        let colour = if bar.pale { "#9aa5b1" } else { "#0072b2" };
        text(&mut svg, [NAMES - 8.0, middle + 4.0], "end", 12, &bar.name);
        let width = x(bar.value) - NAMES;
        let _ = write!(
            svg,
            "<rect x=\"{NAMES}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{colour}\" fill-opacity=\".75\"/>",
            ROW - 8.0
        );
        if let Some([low, high]) = bar.interval {
            let _ = write!(
                svg,
                "<path d=\"M{:.1} {middle:.1}H{:.1}\" stroke=\"#1b1f24\" stroke-width=\"1.4\"/>",
                x(low),
                x(high)
            );
        }
        text(&mut svg, [WIDTH - VALUES + 12.0, middle + 4.0], "start", 12, &format!("{:.1} %", 100.0 * bar.value));
    }
    if let Some(mark) = mark {
        let _ = write!(
            svg,
            "<path d=\"M{:.1} {TOP}V{bottom:.1}\" stroke=\"#d55e00\" stroke-width=\"1.4\" stroke-dasharray=\"5 4\"/>",
            x(mark)
        );
    }
    svg + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::{Bar, bars};

    #[test]
    fn a_bar_is_as_long_as_its_value_and_a_name_is_text() {
        let bar = |value, interval| Bar { name: "<a>".into(), value, interval, pale: false };
        let svg = bars("t", &[bar(0.5, Some([0.25, 0.75])), bar(1.0, None)], Some(0.1));
        for part in ["width=\"180.0\"", "width=\"360.0\"", "M220.0 47.0H400.0", "M166.0 34V", "&lt;a&gt;", "50.0 %"] {
            assert!(svg.contains(part), "{part} in {svg}");
        }
        assert_eq!(svg.matches("<rect").count(), 2);
    }
}
