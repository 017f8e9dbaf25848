//! Plots as SVG, readable in grey and on paper.

use std::fmt::Write as _;

use super::escape;

/// Points and lines over two axes.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Stands above.
    pub title: String,
    /// Across.
    pub x: Axis,
    /// Up.
    pub y: Axis,
    /// Drawn in order, the first lowest.
    pub series: Vec<Series>,
}

/// A linear axis.
#[derive(Debug, Clone)]
pub struct Axis {
    /// What it measures, with its unit.
    pub label: String,
    /// Its low end.
    pub from: f64,
    /// Its high end.
    pub to: f64,
}

impl Axis {
    /// From 0 to 1.
    pub fn of_shares(label: &str) -> Self {
        Self { label: label.to_owned(), from: 0.0, to: 1.0 }
    }
}

/// What belongs together in a chart.
#[derive(Debug, Clone)]
pub struct Series {
    /// Its name in the legend; without one it is not in it.
    pub name: String,
    /// Places on the axes; those that are not finite are left out.
    pub points: Vec<(f64, f64)>,
    /// How it is drawn.
    pub style: Style,
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// From point to point.
    Line,
    /// The same, broken: for what is there to compare with.
    Dashed,
    /// A mark a point.
    Points,
    /// A bar from the axis to each point.
    Bars,
}

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 300.0;
/// Left, top, right, bottom.
const MARGIN: [f64; 4] = [54.0, 30.0, 12.0, 44.0];
/// Told apart by those who see no red or no green, and by their lightness (after Okabe and Ito).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#9a6b00", "#000000"];

impl Chart {
    /// The chart as an `<svg>` element.
    pub fn svg(&self) -> String {
        let mut svg = opening(WIDTH, HEIGHT + self.legend_height(), &self.title);
        text(&mut svg, [WIDTH / 2.0, 18.0], "middle", 13, &self.title);
        self.axes(&mut svg);
        for (i, series) in self.series.iter().enumerate() {
            self.draw(&mut svg, series, i);
        }
        self.legend(&mut svg);
        svg + "</svg>"
    }

    fn place(&self, (x, y): (f64, f64)) -> [f64; 2] {
        let share = |value: f64, axis: &Axis| (value - axis.from) / (axis.to - axis.from);
        let [left, top, right, bottom] = MARGIN;
        let across = left + share(x, &self.x) * (WIDTH - left - right);
        [across, HEIGHT - bottom - share(y, &self.y) * (HEIGHT - top - bottom)]
    }

    fn axes(&self, svg: &mut String) {
        for tick in ticks(&self.y) {
            let [left, y] = self.place((self.x.from, tick));
            let _ = write!(svg, "<path d=\"M{left:.1} {y:.1}H{:.1}\" stroke=\"#d5dae0\"/>", WIDTH - MARGIN[2]);
            text(svg, [left - 6.0, y + 4.0], "end", 11, &number(tick));
        }
        let [left, bottom] = self.place((self.x.from, self.y.from));
        let _ = write!(svg, "<path d=\"M{left:.1} {bottom:.1}H{:.1}\" stroke=\"#1b1f24\"/>", WIDTH - MARGIN[2]);
        for tick in ticks(&self.x) {
            let [x, _] = self.place((tick, self.y.from));
            let _ = write!(svg, "<path d=\"M{x:.1} {bottom:.1}v4\" stroke=\"#1b1f24\"/>");
            text(svg, [x, bottom + 17.0], "middle", 11, &number(tick));
        }
        text(svg, [(left + WIDTH - MARGIN[2]) / 2.0, HEIGHT - 8.0], "middle", 12, &self.x.label);
        let (x, y) = (14.0, (MARGIN[1] + HEIGHT - MARGIN[3]) / 2.0);
        let _ = write!(
            svg,
            "<text transform=\"translate({x} {y}) rotate(-90)\" text-anchor=\"middle\" font-size=\"12\">{}</text>",
            escape(&self.y.label)
        );
    }

    fn draw(&self, svg: &mut String, series: &Series, index: usize) {
        let colour = COLOURS[index % COLOURS.len()];
        let points = series.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite());
        let places: Vec<[f64; 2]> = points.map(|point| self.place(point)).collect();
        let bottom = self.place((self.x.from, self.y.from))[1];
        match series.style {
            Style::Line | Style::Dashed => {
                let path: Vec<String> = places.iter().map(|[x, y]| format!("{x:.1} {y:.1}")).collect();
                let dashes = if series.style == Style::Dashed { " stroke-dasharray=\"5 4\"" } else { "" };
                if !path.is_empty() {
                    let path = path.join("L");
                    let _ = write!(
                        svg,
                        "<path d=\"M{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\"{dashes}/>"
                    );
                }
            }
            Style::Points => {
                for [x, y] in places {
                    let _ = write!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.2\" fill=\"{colour}\"/>");
                }
            }
            Style::Bars => {
                let width = 0.7 * (WIDTH - MARGIN[0] - MARGIN[2]) / places.len().max(1) as f64;
                for [x, y] in places {
                    let (left, height) = (x - width / 2.0, bottom - y);
                    let _ = write!(
                        svg,
                        "<rect x=\"{left:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\" \
                         fill-opacity=\".75\"/>"
                    );
                }
            }
        }
    }

    fn legend(&self, svg: &mut String) {
        for (row, (i, series)) in self.named().enumerate() {
            let (x, y) = (MARGIN[0], HEIGHT + 12.0 + 17.0 * row as f64);
            let colour = COLOURS[i % COLOURS.len()];
            let dashes = if series.style == Style::Dashed { " stroke-dasharray=\"5 4\"" } else { "" };
            let _ = write!(svg, "<path d=\"M{x} {y}h22\" stroke=\"{colour}\" stroke-width=\"3\"{dashes}/>");
            text(svg, [x + 29.0, y + 4.0], "start", 12, &series.name);
        }
    }

    fn named(&self) -> impl Iterator<Item = (usize, &Series)> {
        self.series.iter().enumerate().filter(|(_, series)| !series.name.is_empty())
    }

    fn legend_height(&self) -> f64 {
        17.0 * self.named().count() as f64 + 6.0
    }
}

/// A confusion matrix: counts, each with its share of the row, the darker the larger.
pub fn matrix(title: &str, rows: &[&str], columns: &[&str], counts: &[Vec<usize>]) -> String {
    const CELL: [f64; 2] = [84.0, 46.0];
    const CORNER: [f64; 2] = [96.0, 64.0];
    let width = CORNER[0] + CELL[0] * columns.len() as f64 + 8.0;
    let height = CORNER[1] + CELL[1] * rows.len() as f64 + 8.0;
    let mut svg = opening(width, height, title);
    text(&mut svg, [width / 2.0, 18.0], "middle", 13, title);
    text(&mut svg, [8.0, 52.0], "start", 11, "is \\ called");
    for (i, name) in columns.iter().enumerate() {
        text(&mut svg, [CORNER[0] + CELL[0] * (i as f64 + 0.5), 52.0], "middle", 12, name);
    }
    for (i, (name, row)) in rows.iter().zip(counts).enumerate() {
        let top = CORNER[1] + CELL[1] * i as f64;
        text(&mut svg, [CORNER[0] - 8.0, top + 28.0], "end", 12, name);
        let sum: usize = row.iter().sum();
        for (j, &count) in row.iter().enumerate() {
            let share = count as f64 / sum.max(1) as f64;
            let left = CORNER[0] + CELL[0] * j as f64;
            let _ = write!(
                svg,
                "<rect x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\" fill=\"#0072b2\" fill-opacity=\"{:.3}\" \
                 stroke=\"#d5dae0\"/>",
                CELL[0],
                CELL[1],
                0.75 * share
            );
            let ink = if share > 0.6 { "#ffffff" } else { "#1b1f24" };
            let middle = left + CELL[0] / 2.0;
            let _ = write!(
                svg,
                "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" font-size=\"14\" fill=\"{ink}\">{count}</text>\
                 <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" font-size=\"10\" fill=\"{ink}\">{:.1} %</text>",
                top + 21.0,
                top + 36.0,
                100.0 * share
            );
        }
    }
    svg + "</svg>"
}

pub(super) fn opening(width: f64, height: f64, title: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-label=\"{}\" font-family=\"system-ui, sans-serif\">",
        escape(title)
    )
}

pub(super) fn text(svg: &mut String, [x, y]: [f64; 2], anchor: &str, size: u32, text: &str) {
    let _ = write!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{}</text>",
        escape(text)
    );
}

/// Four to ten round values within an axis.
fn ticks(axis: &Axis) -> Vec<f64> {
    let span = axis.to - axis.from;
    let power = 10f64.powf((span / 4.0).log10().floor());
    let step = [5.0, 2.0, 1.0].into_iter().map(|k| k * power).find(|step| span / step >= 4.0 - 1e-9).unwrap_or(power);
    let (first, last) = ((axis.from / step - 1e-9).ceil() as i64, (axis.to / step + 1e-9).floor() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{Axis, Chart, Series, Style, matrix, number, ticks};

    fn axis(from: f64, to: f64) -> Axis {
        Axis { label: "share".into(), from, to }
    }

    #[test]
    fn an_axis_has_four_to_ten_round_ticks_within_it() {
        for (from, to) in [(0.0, 1.0), (0.0, 0.3), (-5.0, 40.0), (0.9, 1.0), (0.0, 12000.0), (1.0, 30.0)] {
            let ticks = ticks(&axis(from, to));
            assert!((4..=11).contains(&ticks.len()), "{from} to {to}: {ticks:?}");
            assert!(ticks.iter().all(|t| (from - 1e-9..=to + 1e-9).contains(t)));
        }
        assert_eq!(
            ticks(&axis(0.0, 1.0)).iter().map(|&t| number(t)).collect::<Vec<_>>(),
            ["0", "0.2", "0.4", "0.6", "0.8", "1"]
        );
    }

    #[test]
    fn a_point_lies_where_its_values_are_on_the_axes() {
        let series = |style| Series { name: "s".into(), points: vec![(0.0, 0.0), (1.0, 1.0), (0.5, f64::NAN)], style };
        let chart =
            |style| Chart { title: "t".into(), x: axis(0.0, 1.0), y: axis(0.0, 1.0), series: vec![series(style)] };
        let points = chart(Style::Points).svg();
        assert!(
            points.contains("<circle cx=\"54.0\" cy=\"256.0\"") && points.contains("<circle cx=\"408.0\" cy=\"30.0\"")
        );
        assert_eq!(points.matches("<circle").count(), 2, "what is not finite is left out");
        assert!(chart(Style::Line).svg().contains("M54.0 256.0L408.0 30.0"));
        assert!(chart(Style::Dashed).svg().contains("stroke-dasharray"));
        assert_eq!(chart(Style::Bars).svg().matches("<rect").count(), 2);
    }

    #[test]
    fn a_matrix_shows_every_count_with_its_share_of_the_row() {
        let svg = matrix("<m>", &["a", "b"], &["a", "b"], &[vec![3, 1], vec![0, 0]]);
        for part in [">3<", ">75.0 %<", ">1<", ">25.0 %<", ">0.0 %<", "&lt;m&gt;"] {
            assert!(svg.contains(part), "{part}");
        }
    }
}
