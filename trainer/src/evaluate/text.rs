//! `evaluation.txt`: the report to be read by people.

use std::fmt::Write as _;

use cspine_domain::Class;

use super::{Block, Report};
use crate::dataset::Dataset;

/// The report on a data set.
pub(super) fn render(report: &Report, dataset: &Dataset) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_report(&mut text, report, dataset);
    text
}

fn write_report(text: &mut String, report: &Report, dataset: &Dataset) -> std::fmt::Result {
    let all = &report.all;
    let ambiguous = all.images - report.without_ambiguous.images;
    let calibrated = if report.calibrated { "calibrated" } else { "not calibrated" };
    writeln!(text, "Model      {}", report.model_sha256)?;
    writeln!(text, "           {calibrated}: temperature {}, flag at {}", report.temperature, report.threshold)?;
    writeln!(text, "           trained on: {}", report.training_data)?;
    writeln!(text, "Data       {} images, digest {}", all.images, report.data_digest)?;
    writeln!(text, "           {ambiguous} called ambiguous; {} other files left out", dataset.ignored.len())?;
    let unread = dataset.unread().len();
    if unread > 0 {
        writeln!(text, "           WARNING: {unread} of these are pictures whose format is not read")?;
    }
    writeln!(text, "Intervals  Wilson, 95 %. Triage figures, no diagnosis and no rule-out.")?;
    write_block(text, "All images", all)?;
    if ambiguous > 0 {
        write_block(text, "Without the ambiguous", &report.without_ambiguous)?;
    }
    if let (Some(before), Some(after)) = (&report.uncalibrated, &report.calibration) {
        writeln!(text, "\nCalibration   bare logits: ECE {:.4}, Brier {:.4}", before.ece, before.brier)?;
        writeln!(text, "              at the temperature: ECE {:.4}, Brier {:.4}", after.ece, after.brier)?;
    }
    if let Some(gate) = &report.gate {
        let counts = |[dislocations, fractures, normals]: [usize; Class::COUNT]| {
            format!("{dislocations} dislocations, {fractures} fractures, {normals} normals")
        };
        writeln!(text, "\nScope gate    out of distribution, no answer: {}", counts(gate.out_of_distribution))?;
        writeln!(text, "              atypical, answered: {}", counts(gate.atypical))?;
    }
    if !report.failures.is_empty() {
        writeln!(text, "\nWithout an answer, counted as errors ({})", report.failures.len())?;
        for failure in &report.failures {
            writeln!(text, "  {failure}")?;
        }
    }
    Ok(())
}

fn write_block(text: &mut String, title: &str, block: &Block) -> std::fmt::Result {
    let flag = &block.operating_point;
    writeln!(text, "\n{title}: {}", block.images)?;
    writeln!(text, "  accuracy              {}", proportion(block.accuracy, block.accuracy_interval))?;
    if let Some(collapse) = &block.collapsed {
        writeln!(text, "  COLLAPSED             {collapse}")?;
    }
    writeln!(text, "  injuries flagged      {}", proportion(flag.sensitivity, flag.sensitivity_interval))?;
    writeln!(text, "  normals not flagged   {}", proportion(flag.specificity, flag.specificity_interval))?;
    writeln!(text, "  AUC, injury v. normal {}", block.auc.map_or("     -".into(), |auc| format!("  {auc:.4}")))?;
    write_classes(text, block)?;
    write_confusion(text, block)
}

fn write_classes(text: &mut String, block: &Block) -> std::fmt::Result {
    let titles = ["accuracy", "sensitivity", "specificity", "precision", "F1"];
    writeln!(text, "\n  {:12}{}", "one v. rest", titles.map(|title| format!("{title:<24}")).concat().trim_end())?;
    for class in Class::ALL {
        let figures = &block.per_class[class.as_str()];
        let cells = [
            proportion(figures.accuracy, figures.accuracy_interval),
            proportion(figures.sensitivity, figures.sensitivity_interval),
            proportion(figures.specificity, figures.specificity_interval),
            proportion(figures.precision, figures.precision_interval),
            percent(figures.f1),
        ];
        writeln!(text, "  {:12}{}", class.as_str(), cells.map(|cell| format!("{cell:<24}")).concat().trim_end())?;
    }
    let mean = &block.one_vs_rest;
    let cells = [mean.accuracy, mean.sensitivity, mean.specificity, mean.precision, mean.f1].map(percent);
    writeln!(text, "  {:12}{}", "mean", cells.map(|cell| format!("{cell:<24}")).concat().trim_end())
}

fn write_confusion(text: &mut String, block: &Block) -> std::fmt::Result {
    let titles = Class::ALL.iter().map(|class| class.as_str()).chain(["no answer"]);
    writeln!(text, "\n  {:12}{}", "is \\ called", titles.map(|title| format!("{title:>13}")).collect::<String>())?;
    for class in Class::ALL {
        let (row, abstained) = (block.confusion[class.index()], block.confusion_abstained[class.index()]);
        let cells = row.iter().chain([&abstained]).map(|count| format!("{count:>13}"));
        writeln!(text, "  {:12}{}", class.as_str(), cells.collect::<String>())?;
    }
    Ok(())
}

/// `88.24 % (78.5–93.9)`.
pub(crate) fn proportion(value: Option<f64>, interval: Option<[f64; 2]>) -> String {
    let interval = interval.map(|[low, high]| format!(" ({:.1}–{:.1})", low * 100.0, high * 100.0));
    percent(value) + &interval.unwrap_or_default()
}

/// ` 88.24 %`.
pub(crate) fn percent(value: Option<f64>) -> String {
    value.map_or("     -".to_owned(), |value| format!("{:6.2} %", value * 100.0))
}
