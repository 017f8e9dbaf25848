//! `comparison.txt`: the comparison to be read by people.

use std::fmt::{Result, Write as _};

use cspine_domain::Class;

use super::report::PAIRED_MAX;
use super::{Comparison, Contrast, Pair, ReaderFigures};
use crate::evaluate::text::{percent, proportion};
use crate::metrics::{Area, DeLong, Method};

/// The comparison.
pub(super) fn render(comparison: &Comparison) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_comparison(&mut text, comparison);
    text
}

fn write_comparison(text: &mut String, comparison: &Comparison) -> Result {
    let labels = Class::ALL.iter().map(|class| format!("{} {class}", comparison.labels[class.as_str()]));
    writeln!(text, "Images     {}: {}", comparison.images, labels.collect::<Vec<_>>().join(", "))?;
    for input in &comparison.inputs {
        writeln!(text, "Input      {}, SHA-256 {}", input.file, input.sha256)?;
    }
    writeln!(text, "Intervals  95 %: Wilson for proportions, DeLong for AUCs")?;
    writeln!(text, "Abstained  images without a call: errors in every proportion, left out of AUCs")?;
    write_accuracies(text, comparison)?;
    for reader in &comparison.readers {
        write_reader(text, reader)?;
    }
    write_mcnemar(text, comparison)?;
    write_delong(text, comparison)
}

fn write_accuracies(text: &mut String, comparison: &Comparison) -> Result {
    let mut lines =
        vec![["reader", "right", "abstained", "plain accuracy", "one-vs-rest mean accuracy"].map(String::from)];
    lines.extend(comparison.readers.iter().map(|reader| {
        [
            reader.reader.clone(),
            format!("{} of {}", reader.right, comparison.images),
            reader.abstained.to_string(),
            proportion(reader.accuracy, reader.accuracy_interval),
            proportion(reader.one_vs_rest.accuracy, reader.one_vs_rest_accuracy_interval),
        ]
    }));
    writeln!(text, "\nAccuracies")?;
    table(text, &lines)?;
    text.write_str(ACCURACIES)
}

/// What the two accuracies are.
const ACCURACIES: &str = "
  Plain: right calls of all images.
  One-vs-rest mean: for each class, the share of images that are rightly said to be or not to be of it; of the three
  the mean. The paper calls this \"accuracy\". It is the kinder figure: a wrong call is wrong for two classes and right
  for the third. Its interval is the plain accuracy's on this scale (1 - 2/3 of the errors), because the three decisions
  on an image are not independent: pooled, they would seem to be three times as many images. If a reader abstains, the
  interval of the share of answered images is added, on the wide side.
";

fn write_reader(text: &mut String, reader: &ReaderFigures) -> Result {
    let mut lines = vec![["one v. rest", "images", "accuracy", "sensitivity", "specificity", "AUC"].map(String::from)];
    lines.extend(Class::ALL.iter().map(|class| {
        let figures = &reader.per_class[class.as_str()];
        [
            class.to_string(),
            figures.images.to_string(),
            proportion(figures.accuracy, figures.accuracy_interval),
            proportion(figures.sensitivity, figures.sensitivity_interval),
            proportion(figures.specificity, figures.specificity_interval),
            area(auc(reader, Contrast::Class(*class))),
        ]
    }));
    let mean = &reader.one_vs_rest;
    let [accuracy, sensitivity, specificity] = [mean.accuracy, mean.sensitivity, mean.specificity].map(percent);
    lines.push(["mean".into(), String::new(), accuracy, sensitivity, specificity, String::new()]);
    writeln!(text, "\n{}", reader.reader)?;
    table(text, &lines)?;
    if reader.auc.is_some() {
        writeln!(text, "  AUC, injury v. normal  {}", area(auc(reader, Contrast::Injury)))?;
    }
    let mut lines = vec![["is \\ called", "dislocation", "fracture", "normal", "abstained"].map(String::from)];
    lines.extend(Class::ALL.iter().map(|class| {
        let [dislocation, fracture, normal] = reader.confusion[class.index()].map(|count| count.to_string());
        let abstained = reader.confusion_abstained[class.index()].to_string();
        [class.to_string(), dislocation, fracture, normal, abstained]
    }));
    writeln!(text)?;
    table(text, &lines)
}

fn write_mcnemar(text: &mut String, comparison: &Comparison) -> Result {
    if comparison.readers.len() > PAIRED_MAX {
        return writeln!(text, "\nMore than {PAIRED_MAX} readers: no two are tested against each other.");
    }
    if comparison.pairs.is_empty() {
        return Ok(());
    }
    let mut lines =
        vec![["readers", "only first right", "only second right", "p", "p (Holm)", "test"].map(String::from)];
    lines.extend(comparison.pairs.iter().map(|pair| {
        let test = &pair.mcnemar;
        let method = match (test.method, test.statistic) {
            (Method::ChiSquare, Some(statistic)) => format!("chi-square, corrected for continuity: {statistic:.3}"),
            _ => "exact binomial".to_owned(),
        };
        let counts = [test.only_first, test.only_second].map(|count| count.to_string());
        let [first, second] = counts;
        [readers(pair), first, second, p(Some(test.p)), p(Some(pair.mcnemar_p_holm)), method]
    }));
    writeln!(text, "\nMcNemar: do two readers' plain accuracies differ on the same images?")?;
    table(text, &lines)?;
    writeln!(text, "\n  Two-sided; exact below 25 images that only one has right. Holm: corrected for all pairs.")
}

fn write_delong(text: &mut String, comparison: &Comparison) -> Result {
    let tested: Vec<&Pair> = comparison.pairs.iter().filter(|pair| pair.delong.is_some()).collect();
    if tested.is_empty() {
        return Ok(());
    }
    let titles = ["readers", "what", "images", "first AUC", "second AUC", "difference", "z", "p"];
    let mut lines = vec![titles.map(String::from)];
    for pair in tested {
        lines.extend(Contrast::ALL.iter().map(|contrast| {
            let test = pair.delong.as_ref().and_then(|tests| tests[contrast.as_str()]);
            let [images, first, second, difference, z, p] = test.map_or([(); 6].map(|()| "-".to_owned()), delong);
            let what = match contrast {
                Contrast::Injury => "injury v. normal".to_owned(),
                Contrast::Class(class) => format!("{class} v. rest"),
            };
            [readers(pair), what, images, first, second, difference, z, p]
        }));
    }
    writeln!(text, "\nDeLong: do two readers' AUCs differ on the same images?")?;
    table(text, &lines)?;
    writeln!(
        text,
        "\n  Two-sided, not corrected for several tests. It is a test for large samples: with few images on"
    )?;
    writeln!(text, "  either side (images: those to be ranked above + the others) its p is rough.")
}

fn delong(test: DeLong) -> [String; 6] {
    let [low, high] = test.interval;
    [
        format!("{} + {}", test.cases, test.controls),
        format!("{:.4}", test.aucs[0]),
        format!("{:.4}", test.aucs[1]),
        format!("{:+.4} ({low:+.4} to {high:+.4})", test.difference),
        test.z.map_or("-".into(), |z| format!("{z:.2}")),
        p(test.p),
    ]
}

fn auc(reader: &ReaderFigures, contrast: Contrast) -> Option<Area> {
    reader.auc.as_ref().and_then(|areas| areas[contrast.as_str()])
}

fn area(area: Option<Area>) -> String {
    let Some(area) = area else { return "-".to_owned() };
    let interval = area.interval.map(|[low, high]| format!(" ({low:.3}–{high:.3})"));
    format!("{:.4}", area.auc) + &interval.unwrap_or_default()
}

fn readers(pair: &Pair) -> String {
    format!("{} v. {}", pair.first, pair.second)
}

fn p(p: Option<f64>) -> String {
    match p {
        None => "-".to_owned(),
        Some(p) if p < 1e-4 => format!("{p:.1e}"),
        Some(p) => format!("{p:.4}"),
    }
}

/// Left-aligned columns two apart, the first line their titles.
fn table<const N: usize>(text: &mut String, lines: &[[String; N]]) -> Result {
    let width = |column: usize| lines.iter().map(|line| line[column].trim_start().chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    for line in lines {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("  {:width$}", cell.trim_start()));
        writeln!(text, "{}", cells.collect::<String>().trim_end())?;
    }
    Ok(())
}
