//! `gate.html`.

use super::{Oriented, Rate, Report};
use crate::page::{Page, Provenance};

/// The report as a page.
pub(super) fn render(report: &Report, provenance: &Provenance) -> String {
    let gate = &report.gate;
    let mut page = Page::new("The scope gate: what it keeps out, and what it lets in");
    page.warning(provenance.caution());
    page.paragraph(&format!(
        "Score: {}, {} components; fitted to {}. Over {:.4} an image is answered and marked atypical, over {:.4} it is not \
         answered. An image that is beyond is looked at with left for right, and if it is beyond then too, in the six other \
         orientations; of these the one with the lowest score is answered if it is typical. The images below neither \
         fitted the gate nor found its thresholds.",
        gate.method.as_str(),
        gate.components,
        gate.fitted_on,
        gate.inner,
        gate.outer
    ));
    let areas: Vec<Vec<String>> =
        report.areas.iter().map(|(method, area)| vec![method.as_str().to_owned(), format!("{area:.4}")]).collect();
    if !areas.is_empty() {
        page.table(
            "How well the scores tell films in scope from others; the better one is kept",
            &["score", "mean AUC"],
            &areas,
        );
    }
    for (title, rates) in [
        ("In scope: to be let in", &report.inside),
        ("Out of scope: to be kept out", &report.outside),
        ("In scope, but turned: to be answered upright, or not", &report.turned),
    ] {
        page.heading(title);
        let header = ["sort", "images", "not answered", "95 %", "only turned", "atypical", "scores: 5, 50, 95 %"];
        page.table("Intervals are Wilson's", &header, &rates.iter().map(row).collect::<Vec<_>>());
    }
    page.heading("Films by how they lie");
    let header = ["stored", "films", "answered", "upright", "same answer", "other answer", "atypical"];
    let rows: Vec<Vec<String>> = report.orientations.iter().map(oriented).collect();
    page.table("Beside the answer to the same film upright: class and flag", &header, &rows);
    if !report.radiographs.is_empty() {
        page.heading("Radiographs of other body parts, one by one");
        let row = |one: &super::Single| {
            vec![one.file.clone(), format!("{:.3}", one.score), one.standing.as_str().replace('_', " ")]
        };
        let rows: Vec<Vec<String>> = report.radiographs.iter().map(row).collect();
        page.table("Too few for a rate", &["file", "score", "stands"], &rows);
    }
    page.provenance(provenance);
    page.html()
}

fn row(rate: &Rate) -> Vec<String> {
    let [low, high] = rate.interval.map(|share| 100.0 * share);
    vec![
        rate.sort.clone(),
        rate.images.to_string(),
        rate.share_text(),
        format!("{low:.1}–{high:.1}"),
        rate.turned.to_string(),
        rate.atypical.to_string(),
        rate.scores_text(),
    ]
}

fn oriented(one: &Oriented) -> Vec<String> {
    let counts = [one.films, one.answered, one.upright, one.same_answer, one.other_answer, one.atypical];
    std::iter::once(one.name()).chain(counts.map(|count| count.to_string())).collect()
}
