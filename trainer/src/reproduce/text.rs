//! The report on a terminal.

use std::fmt::Write as _;

use super::Report;
use super::report::{Fresh, Spread};
use crate::evaluate::text::percent;

/// Table 1 beside the paper's, what collapsed, and the means over fresh phantoms.
pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_report(&mut text, report);
    text
}

fn write_report(text: &mut String, report: &Report) -> std::fmt::Result {
    let titles = ["plain", "one-v-rest", "sensitivity", "specificity", "precision", "F1", "AUC"];
    let line = |cells: [String; 7]| cells.map(|cell| format!("{cell:>12}")).concat();
    writeln!(text, "{:28}{}", "Table 1, percent", line(titles.map(str::to_owned)))?;
    for row in &report.paper {
        let f1 = row.f1.map_or("-".to_owned(), |f1| format!("{f1:.2}"));
        let cells = [row.plain, row.accuracy, row.sensitivity, row.specificity, row.precision];
        let [plain, accuracy, sensitivity, specificity, precision] = cells.map(|value| format!("{value:.2}"));
        let cells = [plain, accuracy, sensitivity, specificity, precision, f1, "-".to_owned()];
        writeln!(text, "{:28}{}", format!("the paper's {}", row.network), line(cells))?;
    }
    for network in &report.networks {
        for (block, of) in [(&network.all, ""), (&network.without_ambiguous, ", clear")] {
            let mean = &block.one_vs_rest;
            let shares = [block.accuracy, mean.accuracy, mean.sensitivity, mean.specificity, mean.precision, mean.f1];
            let [plain, accuracy, sensitivity, specificity, precision, f1] =
                shares.map(|share| share.map_or("-".to_owned(), |share| format!("{:.2}", 100.0 * share)));
            let auc = block.auc.map_or("-".to_owned(), |auc| format!("{auc:.4}"));
            let cells = [plain, accuracy, sensitivity, specificity, precision, f1, auc];
            writeln!(text, "{:28}{}", format!("{}{of}", network.name), line(cells))?;
        }
    }
    for network in &report.networks {
        for (set, how) in network.collapses() {
            writeln!(text, "COLLAPSED on the {set} set: {}: {how}", network.name)?;
        }
        for fresh in &network.fresh {
            writeln!(text, "{}: {}", network.name, fresh_line(fresh))?;
        }
    }
    Ok(())
}

fn fresh_line(fresh: &Fresh) -> String {
    let spread = |spread: Option<Spread>| {
        spread.map_or("-".to_owned(), |s| {
            format!("{} ({:.2}–{:.2})", percent(Some(s.mean)).trim(), 100.0 * s.lowest, 100.0 * s.highest)
        })
    };
    format!(
        "{} sets of {} of {}: plain {}, clear {}; one-vs-rest clear {}; reader {}, clear {}",
        fresh.seeds.len(),
        fresh.images.iter().sum::<usize>(),
        fresh.preset,
        spread(fresh.accuracy),
        spread(fresh.accuracy_clear),
        spread(fresh.one_vs_rest_clear),
        spread(fresh.reader),
        spread(fresh.reader_clear)
    )
}
