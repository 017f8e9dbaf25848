//! `evaluation.html`: the report with its plots.

use cspine_domain::Class;

use super::text::{percent, proportion};
use super::{Block, Report};
use crate::metrics::Calibration;
use crate::page::plot::{Axis, Chart, Series, Style, matrix};
use crate::page::{Page, Provenance};

/// The page.
pub(super) fn render(report: &Report, provenance: &Provenance) -> String {
    let mut page = Page::new("A model on labelled images");
    page.warning(provenance.caution());
    page.paragraph(&format!(
        "{} images, {} of them without an answer, which count as errors. Trained on: {}.",
        report.all.images, report.all.abstained, report.training_data
    ));
    if let Some(gate) = &report.gate {
        let sum = |counts: [usize; Class::COUNT]| counts.iter().sum::<usize>();
        page.paragraph(&format!(
            "The scope gate left {} without an answer (dislocations, fractures, normals: {:?}) and marked {} atypical ({:?}).",
            sum(gate.out_of_distribution),
            gate.out_of_distribution,
            sum(gate.atypical),
            gate.atypical
        ));
    }
    block(&mut page, "All images", &report.all);
    if report.without_ambiguous.images < report.all.images {
        block(&mut page, "Without the ambiguous", &report.without_ambiguous);
    }
    calibration(&mut page, report);
    page.provenance(provenance);
    page.html()
}

fn block(page: &mut Page, title: &str, block: &Block) {
    page.heading(title);
    if let Some(collapse) = &block.collapsed {
        page.warning(&format!("Collapsed: {collapse}."));
    }
    let flag = &block.operating_point;
    let row = |name: &str, value: String| vec![name.to_owned(), value.trim().to_owned()];
    page.table(
        &format!("{} images; intervals are Wilson's at 95 %", block.images),
        &["", "value"],
        &[
            row("plain accuracy", proportion(block.accuracy, block.accuracy_interval)),
            row("one-vs-rest mean accuracy (the paper's)", percent(block.one_vs_rest.accuracy)),
            row("injuries flagged", proportion(flag.sensitivity, flag.sensitivity_interval)),
            row("normals not flagged", proportion(flag.specificity, flag.specificity_interval)),
            row("AUC, injuries against normals", block.auc.map_or("-".to_owned(), |auc| format!("{auc:.4}"))),
        ],
    );
    let rows = Class::ALL.iter().map(|class| {
        let figures = &block.per_class[class.as_str()];
        let cells = [
            proportion(figures.sensitivity, figures.sensitivity_interval),
            proportion(figures.specificity, figures.specificity_interval),
            proportion(figures.precision, figures.precision_interval),
            percent(figures.f1),
        ];
        std::iter::once(class.to_string()).chain(cells.map(|cell| cell.trim().to_owned())).collect()
    });
    page.table(
        "One class against the others",
        &["class", "sensitivity", "specificity", "precision", "F1"],
        &rows.collect::<Vec<_>>(),
    );
    page.figure(&confusion("Confusion", block), "Rows are labels, columns answers; shares are of the row.");
}

/// A block's confusion matrix, images without an answer in a column of their own.
pub(crate) fn confusion(title: &str, block: &Block) -> String {
    let names: Vec<&str> = Class::ALL.iter().map(|class| class.as_str()).collect();
    let rows = block.confusion.iter().zip(block.confusion_abstained);
    let counts: Vec<Vec<usize>> = rows.map(|(row, none)| row.iter().copied().chain([none]).collect()).collect();
    let columns: Vec<&str> = names.iter().copied().chain(["no answer"]).collect();
    matrix(title, &names, &columns, &counts)
}

fn calibration(page: &mut Page, report: &Report) {
    let (Some(before), Some(after)) = (&report.uncalibrated, &report.calibration) else { return };
    page.heading("Calibration");
    errors(page, "Expected calibration error (15 bins) and Brier score (0 to 2)", [before, after], report.temperature);
    page.figure(
        &reliability(TEMPERED, [Some(before), Some(after)]),
        "Below the diagonal the network is surer than it is right. A mark may stand for few images.",
    );
}

/// The table of calibration errors before and after a temperature.
pub(crate) fn errors(page: &mut Page, caption: &str, [before, after]: [&Calibration; 2], temperature: f32) {
    let row = |name: &str, c: &Calibration| vec![name.to_owned(), format!("{:.4}", c.ece), format!("{:.4}", c.brier)];
    let tempered = format!("at the model's temperature, {temperature:.3}");
    page.table(caption, &["", "ECE", "Brier"], &[row("bare logits", before), row(&tempered, after)]);
}

/// Before and after a temperature.
pub(crate) const TEMPERED: [&str; 2] = ["bare logits", "at the temperature"];

/// The reliability diagram of two networks, or of one in two states.
pub(crate) fn reliability(names: [&str; 2], calibrations: [Option<&Calibration>; 2]) -> String {
    let marks = |i: usize| Series {
        name: names[i].to_owned(),
        points: calibrations[i].iter().flat_map(|c| c.bins.iter().map(|bin| (bin.confidence, bin.accuracy))).collect(),
        style: Style::Points,
    };
    Chart {
        title: "Reliability".to_owned(),
        x: Axis::of_shares("probability of the likeliest class"),
        y: Axis::of_shares("share that is of that class"),
        series: vec![
            marks(0),
            marks(1),
            Series { name: "as sure as right".to_owned(), points: vec![(0.0, 0.0), (1.0, 1.0)], style: Style::Dashed },
        ],
    }
    .svg()
}
