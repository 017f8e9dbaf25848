//! `resolution.html`.

use cspine_domain::Class;

use super::{Reading, Report};
use crate::page::plot::{Axis, Chart, Series, Style};
use crate::page::{Page, Provenance};

/// The report as a page.
pub fn render(report: &Report, provenance: &Provenance) -> String {
    let mut page = Page::new("Where fine injuries go: sensitivity against size, by input resolution");
    page.warning(provenance.caution());
    page.paragraph(&format!(
        "Phantoms of {} pixels, preset {}. The reader is simulated: it measures each phantom's true lengths with a normal \
         error of half an input pixel, and calls what exceeds its threshold. It shows how much measuring allows at a \
         resolution; a network may use more of the film than one length.",
        report.film_size, report.preset
    ));
    page.heading("What resolution buys, and what it costs");
    let header =
        ["input", "half a pixel", "time an image", "right", "without ambiguous", "reader", "reader, without ambiguous"];
    page.table("Share of right classes on a set as it comes", &header, &accuracies(report));
    for pair in &report.pairs {
        page.paragraph(&format!("{pair}."));
    }
    if !report.pairs.is_empty() {
        page.paragraph(
            "p is McNemar's on the same films, two-sided, corrected by Holm for all pairs: how likely so large a \
             difference would be if the size made none. Times are of this machine.",
        );
    }
    page.heading("Sensitivity by size");
    let figures = [Class::Dislocation, Class::Fracture].map(|class| (chart(report, class).svg(), caption(class)));
    page.figures(&figures);
    for reading in &report.readings {
        let header = ["injury", "mm", "injuries", "called", "95 %", "flagged", "reader"];
        page.table(&format!("{} pixels", reading.input_size), &header, &sizes(reading));
    }
    page.provenance(provenance);
    page.html()
}

fn accuracies(report: &Report) -> Vec<Vec<String>> {
    let row = |r: &Reading| {
        let [low, high] = r.accuracy_interval;
        vec![
            format!("{} pixels", r.input_size),
            format!("{:.2} mm", r.error_mm),
            format!("{:.1} ms", r.milliseconds),
            format!("{} ({:.1}–{:.1})", percent(r.accuracy), 100.0 * low, 100.0 * high),
            percent(r.accuracy_clear),
            percent(r.reader_accuracy),
            percent(r.reader_accuracy_clear),
        ]
    };
    report.readings.iter().map(row).collect()
}

fn sizes(reading: &Reading) -> Vec<Vec<String>> {
    let row = |s: &super::Sized| {
        vec![
            s.class.to_string(),
            format!("{:.1}–{:.1}", s.mm[0], s.mm[1]),
            s.injuries.to_string(),
            percent(s.called),
            format!("{:.1}–{:.1}", 100.0 * s.called_interval[0], 100.0 * s.called_interval[1]),
            percent(s.flagged),
            percent(s.reader),
        ]
    };
    reading.sizes.iter().map(row).collect()
}

fn chart(report: &Report, class: Class) -> Chart {
    let mut series = Vec::new();
    for reading in &report.readings {
        let points = |value: fn(&super::Sized) -> f64| {
            let of = reading.sizes.iter().filter(|size| size.class == class);
            of.map(|size| (f64::from(size.mm[0] + size.mm[1]) / 2.0, 100.0 * value(size))).collect()
        };
        let size = reading.input_size;
        series.push(Series {
            name: format!("network, {size} pixels"),
            points: points(|s| s.called),
            style: Style::Line,
        });
        series.push(Series {
            name: format!("reader, {size} pixels"),
            points: points(|s| s.reader),
            style: Style::Dashed,
        });
    }
    Chart {
        title: format!("{class}s"),
        x: Axis { label: "size of the injury, mm".into(), from: 2.0, to: 10.0 },
        y: Axis { label: "called an injury, %".into(), from: 0.0, to: 100.0 },
        series,
    }
}

fn caption(class: Class) -> String {
    match class {
        Class::Dislocation => "Translation at the level of the dislocation; an injury from 3.5 mm on.".to_owned(),
        _ => "Gap, displacement or height lost; an injury from 2 mm on (a wedge from 3 mm).".to_owned(),
    }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}
