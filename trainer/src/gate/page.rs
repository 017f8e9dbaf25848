//! `gate.html`.

use super::{Rate, Report};
use crate::page::{Page, Provenance};

/// The report as a page.
pub(super) fn render(report: &Report, provenance: &Provenance) -> String {
    let gate = &report.gate;
    let mut page = Page::new("The scope gate: what it keeps out, and what it lets in");
    page.warning(provenance.caution());
    page.paragraph(&format!(
        "Score: {}, {} components; fitted to {}. Over {:.4} an image is answered and marked atypical, over {:.4} it is not \
         answered; the lower score of the image and its mirror image counts. The images below neither fitted the gate nor found its thresholds.",
        gate.method.as_str(),
        gate.components,
        gate.fitted_on,
        gate.inner,
        gate.outer
    ));
    let areas: Vec<Vec<String>> =
        report.areas.iter().map(|(method, area)| vec![method.as_str().to_owned(), format!("{area:.4}")]).collect();
    page.table(
        "How well the scores tell films in scope from others; the better one is kept",
        &["score", "mean AUC"],
        &areas,
    );
    for (title, rates) in
        [("In scope: to be let in", &report.inside), ("Out of scope: to be kept out", &report.outside)]
    {
        page.heading(title);
        let header = ["sort", "images", "beyond the outer threshold", "95 %", "atypical", "scores: 5, 50, 95 %"];
        page.table("Intervals are Wilson's", &header, &rates.iter().map(row).collect::<Vec<_>>());
    }
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
        rate.atypical.to_string(),
        rate.scores_text(),
    ]
}
