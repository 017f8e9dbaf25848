//! `reproduction.html`: the report as one page, to be read on a screen and on paper.

use super::report::{Fresh, Network, Spread};
use super::samples::Sample;
use super::{Outcome, Report};
use crate::evaluate::page::{TEMPERED, confusion, errors, reliability};
use crate::evaluate::text::proportion;
use crate::fit::learning_curves;
use crate::page::plot::{Axis, Chart, Series, Style};
use crate::page::{Made, Page, Picture, Provenance};

/// The page.
pub(super) fn render(report: &Report, outcomes: &[&Outcome], provenance: &Provenance) -> String {
    let mut page = Page::new("Cervical-spine fracture and dislocation: the paper, reproduced");
    page.warning(provenance.caution());
    opening(&mut page, report);
    recipe(&mut page, report);
    table_1(&mut page, report);
    arithmetic(&mut page, report);
    for (network, outcome) in report.networks.iter().zip(outcomes) {
        section(&mut page, network, &outcome.samples);
    }
    page.provenance(provenance);
    page.html()
}

fn opening(page: &mut Page, report: &Report) {
    let [dislocations, fractures, normals] = report.images;
    page.paragraph(&format!(
        "What Naguib et al. (Diagnostics 2023, 13(7), 1273) report of GoogLeNet and AlexNet, measured by the recipe below on \
         {dislocations} dislocations, {fractures} fractures and {normals} normals. The paper used MATLAB's networks: the same \
         architectures but for grouped convolutions, local response normalisation and a true 5×5; ours are torchvision's. \
         It does not say by how much it lowers the rate every four epochs, nor how it kept patients apart."
    ));
    for note in report.survey.notes() {
        page.paragraph(&note);
    }
    for warning in report.survey.warnings() {
        page.warning(&warning);
    }
    if report.networks.len() < report.planned {
        page.warning(&format!(
            "{} of {} networks are done; the command goes on where it stopped.",
            report.networks.len(),
            report.planned
        ));
    }
    for network in &report.networks {
        for (set, how) in network.collapses() {
            page.warning(&format!("{} has collapsed on the {set} set: {how}.", network.name));
        }
    }
}

fn recipe(page: &mut Page, report: &Report) {
    page.heading("The recipe");
    page.table(
        "How every network was to learn; – stands where it is not known here what the paper did",
        &["", "here", "the paper"],
        &report.recipe.rows(),
    );
}

fn table_1(page: &mut Page, report: &Report) {
    page.heading("Table 1");
    let figure = |value: f64| format!("{value:.2}");
    let mut rows: Vec<Vec<String>> = Vec::new();
    for row in &report.paper {
        let shares = [row.plain, row.accuracy, row.sensitivity, row.specificity, row.precision].map(figure);
        let name = format!("the paper's {}", row.network);
        rows.push([vec![name], shares.to_vec(), vec![row.f1.map_or("–".into(), figure), "–".into()]].concat());
    }
    for network in &report.networks {
        for (block, of) in [(&network.all, "all"), (&network.without_ambiguous, "clear")] {
            let mean = &block.one_vs_rest;
            let shares = [block.accuracy, mean.accuracy, mean.sensitivity, mean.specificity, mean.precision, mean.f1]
                .map(|share| share.map_or("–".into(), |share| figure(100.0 * share)));
            let auc = block.auc.map_or("–".into(), |auc| format!("{auc:.4}"));
            let name = format!("{}, {} {of}", network.name, block.images);
            rows.push([vec![name], shares.to_vec(), vec![auc]].concat());
        }
    }
    page.table(
        "Percent. “All” are all images of the test set, “clear” those that the data set does not call ambiguous; AUC is of \
         injuries against normals",
        &["", "plain accuracy", "one-vs-rest accuracy", "sensitivity", "specificity", "precision", "F1", "AUC"],
        &rows,
    );
    let rows: Vec<Vec<String>> = report
        .networks
        .iter()
        .filter(|network| !network.fresh.is_empty())
        .flat_map(|network| network.fresh.iter().map(|fresh| fresh_row(&network.name, fresh)))
        .collect();
    if !rows.is_empty() {
        page.table(
            "Means over fresh sets of phantoms, percent, worst and best set in brackets. The reader is simulated: it knows the \
             true geometry and measures it with half an input pixel of error",
            &["", "films", "plain, all", "plain, clear", "one-vs-rest, clear", "reader, all", "reader, clear"],
            &rows,
        );
    }
}

fn fresh_row(name: &str, fresh: &Fresh) -> Vec<String> {
    let spread = |spread: Option<Spread>| {
        let text = |s: Spread| format!("{:.2} ({:.2}–{:.2})", 100.0 * s.mean, 100.0 * s.lowest, 100.0 * s.highest);
        spread.map_or("–".to_owned(), text)
    };
    let films = format!("{} × {}, {}", fresh.seeds.len(), fresh.images.iter().sum::<usize>(), fresh.preset);
    let figures = [fresh.accuracy, fresh.accuracy_clear, fresh.one_vs_rest_clear, fresh.reader, fresh.reader_clear];
    [vec![name.to_owned(), films], figures.map(spread).to_vec()].concat()
}

fn arithmetic(page: &mut Page, report: &Report) {
    page.heading("The paper's arithmetic");
    page.paragraph(
        "The paper's “accuracy” is the mean of three one-vs-rest accuracies. A wrong answer is wrong in only two of three \
         such decisions, and right in the third, so that this mean is kinder than the share of right answers: 1 − 2e/3 for a \
         share of errors e. Both are given here, by their names.",
    );
    for row in &report.paper {
        page.paragraph(&format!("{}: {}.", row.network, row.decoded));
    }
    page.paragraph(
        "Its Table 2 gives 92.16 % for the network on 68 images. No number of right answers of 68 is that share; 60 right are \
         88.24 % plainly and 1 − 16/204 = 92.16 % as the mean of one-vs-rest accuracies, while its readers' 66 and 67 right \
         are plain shares. cspine-trainer compare prints both of all three.",
    );
}

fn section(page: &mut Page, network: &Network, samples: &[Sample]) {
    page.heading(&network.name);
    let [training, validation, test] = network.split;
    page.paragraph(&format!(
        "{} epochs on {training} images, chosen and calibrated on {validation}, measured on {test}. Plain accuracy {}; \
         injuries flagged {}; normals not flagged {}.",
        network.history.len(),
        proportion(network.all.accuracy, network.all.accuracy_interval).trim(),
        proportion(network.all.operating_point.sensitivity, network.all.operating_point.sensitivity_interval).trim(),
        proportion(network.all.operating_point.specificity, network.all.operating_point.specificity_interval).trim(),
    ));
    page.paragraph(&match &network.made {
        Some(Made { version, machine, program, .. }) => {
            format!("Fitted by {version}, program {}…, on {machine}.", &program.to_string()[..12])
        }
        None => "Fitted by an earlier version, which did not keep its command and program.".to_owned(),
    });
    if let Some(operating) = &network.operating {
        page.paragraph(&format!("On the validation set the flag, at {:.3}, {operating}.", network.threshold));
    }
    page.figures(&[
        (
            confusion("Confusion on the test set", &network.all),
            "Figures 9 and 10. Rows are labels, columns answers; shares are of the row.".to_owned(),
        ),
        (roc(network), format!("Figure 11. Areas, with DeLong's 95 % intervals: {}.", areas(network))),
        (learning_curves(&network.history), "Mean cross-entropy, by epoch.".to_owned()),
        (
            reliability(TEMPERED, [network.uncalibrated.as_ref(), network.calibration.as_ref()]),
            "Below the diagonal the network is surer than it is right.".to_owned(),
        ),
    ]);
    if let (Some(before), Some(after)) = (&network.uncalibrated, &network.calibration) {
        let caption = "Expected calibration error (15 bins) and Brier score (0 to 2) on the test set";
        errors(page, caption, [before, after], network.temperature);
    }
    let pictures: Vec<Picture> = samples.iter().map(Sample::picture).collect();
    page.pictures("Right and wrong answers of each class, the first of each.", &pictures);
}

fn roc(network: &Network) -> String {
    let line = |(name, curve): (&&str, &super::report::Curve)| Series {
        name: (*name).to_owned(),
        points: curve.points.clone(),
        style: Style::Line,
    };
    let chance = Series { name: "chance".into(), points: vec![(0.0, 0.0), (1.0, 1.0)], style: Style::Dashed };
    Chart {
        title: "ROC".into(),
        x: Axis::of_shares("1 − specificity"),
        y: Axis::of_shares("sensitivity"),
        series: network.roc.iter().map(line).chain([chance]).collect(),
    }
    .svg()
}

fn areas(network: &Network) -> String {
    let area = |(name, curve): (&&str, &super::report::Curve)| {
        let interval = curve.area.interval.map(|[low, high]| format!(" ({low:.3}–{high:.3})"));
        format!("{name} {:.4}{}", curve.area.auc, interval.unwrap_or_default())
    };
    network.roc.iter().map(area).collect::<Vec<_>>().join(", ")
}
