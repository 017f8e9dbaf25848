//! What a run leaves to be read: champion against challenger, as one HTML file and as JSON, in its folder and in the object
//! store.

use std::path::Path;

use anyhow::Result;
use cspine_domain::{ObjectKey, Sha256};
use cspine_nets::ModelCard;
use cspine_store::Run;
use serde::Serialize;

use super::Service;
use super::attempt::Attempted;
use super::gather::Unused;
use super::settings::Settings;
use crate::dataset::Subjects;
use crate::evaluate::Block;
use crate::evaluate::page::{confusion, reliability};
use crate::evaluate::text::proportion;
use crate::fit::{Epoch, learning_curves};
use crate::metrics::{Calibration, Labelled, calibration, roc};
use crate::page::plot::{Axis, Chart, Series, Style};
use crate::page::{Page, Provenance, publish};
use crate::promotion::{Examination, Examined, Verdict};
use crate::tune::{LeftOut, Role};

/// Where a run's report lies in the object store; each name has the content's SHA-256.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// To be read.
    pub page: String,
    /// The same as JSON.
    pub figures: String,
}

/// All figures of a run. Proportions go from 0 to 1; intervals are Wilson's at 95 %.
#[derive(Debug, Serialize)]
struct Figures<'a> {
    run: i64,
    cause: &'static str,
    champion: Sha256,
    challenger: Sha256,
    card: &'a ModelCard,
    images: Vec<(Role, usize)>,
    unused: Unused,
    left_out: &'a LeftOut,
    history: &'a [Epoch],
    /// How far the weights lie from the champion's to those of the best epoch.
    share: f64,
    verdict: &'a Verdict,
    sets: Vec<Set>,
}

/// Both networks on a set.
#[derive(Debug, Serialize)]
struct Set {
    name: &'static str,
    champion: Side,
    challenger: Side,
}

/// One network on a set.
#[derive(Debug, Serialize)]
struct Side {
    figures: Block,
    calibration: Option<Calibration>,
    /// Shares of normals and of injuries at or over a threshold.
    roc: Vec<(f64, f64)>,
}

/// Writes `run.html` and `run.json` and stores them.
pub async fn write(
    service: &Service,
    run: &Run,
    settings: &Settings,
    done: &Attempted,
    unused: Unused,
    folder: &Path,
) -> Result<Report> {
    let figures = Figures::new(run, done, unused);
    // Within the pool, whose threads are those that it learnt with. A command line may name a password; and what the run
    // began with is in its row.
    let mut provenance = service.pool.install(|| Provenance::new(Subjects::Untold));
    provenance.commands = vec![format!("cspine-trainer run, by the settings {}", run.settings)];
    provenance.seeds.push(format!("order, replay, augmentation: {}", settings.tune.seed));
    provenance.seeds.push(format!("bootstrap: {}", settings.margins.seed));
    let digests = [("champion", run.champion), ("challenger", done.tuned.sha256)];
    provenance.digests.extend(digests.map(|(name, digest)| (name.to_owned(), digest.to_string())));
    if let Some(digest) = done.tuned.card.training.data_digest {
        provenance.digests.insert("images learnt from".into(), digest.to_string());
    }
    let html = page(&figures, &provenance);
    publish(folder, "run", &html, &figures, &provenance)?;
    let page = store(service, run, folder, "html").await?;
    Ok(Report { page, figures: store(service, run, folder, "json").await? })
}

/// Stores a file of the report; its key.
async fn store(service: &Service, run: &Run, folder: &Path, ending: &str) -> Result<String> {
    let bytes = std::fs::read(folder.join("run").with_extension(ending))?;
    let key = format!("runs/{}/{}.{ending}", run.id, Sha256::of(&bytes));
    service.objects.put(&key.parse::<ObjectKey>()?, bytes).await?;
    Ok(key)
}

impl<'a> Figures<'a> {
    fn new(run: &Run, done: &'a Attempted, unused: Unused) -> Self {
        let roles = [Role::New, Role::Replay, Role::NewValidation, Role::ReplayValidation, Role::Frozen, Role::Holdout];
        let count = |role| done.lessons.iter().filter(|lesson| lesson.role == role).count();
        Self {
            run: run.id,
            cause: run.cause.as_str(),
            champion: run.champion,
            challenger: done.tuned.sha256,
            card: &done.tuned.card,
            images: roles.map(|role| (role, count(role))).to_vec(),
            unused,
            left_out: &done.left_out,
            history: &done.tuned.history,
            share: done.tuned.share,
            verdict: &done.verdict,
            sets: [("the frozen set", &done.answers.frozen), ("the newest period", &done.answers.holdout)]
                .into_iter()
                .filter(|(_, examined)| !examined.is_empty())
                .map(|(name, examined)| Set {
                    name,
                    champion: Side::new(examined, Examined::of_champion),
                    challenger: Side::new(examined, Examined::of_challenger),
                })
                .collect(),
        }
    }
}

impl Side {
    fn new(examined: &[Examined], side: impl Fn(&Examined) -> Labelled) -> Self {
        let images: Vec<Labelled> = examined.iter().map(side).collect();
        let scored = images.iter().filter_map(|image| {
            let [dislocation, fracture, _] = image.answer.as_ref()?.probabilities;
            Some((f64::from(dislocation + fracture), image.label.is_injury()))
        });
        Self {
            roc: roc(scored).unwrap_or_default(),
            calibration: calibration(&images, 1.0),
            figures: Block::new(&images),
        }
    }
}

fn page(report: &Figures<'_>, provenance: &Provenance) -> String {
    let mut page = Page::new(&format!("Run {}: a challenger beside the champion", report.run));
    page.warning(provenance.caution());
    let verdict = report.verdict.to_string();
    page.paragraph(verdict.lines().next().unwrap_or_default());
    for examination in report.verdict.sets() {
        checks(&mut page, examination, report.verdict);
    }
    for set in &report.sets {
        figures(&mut page, set);
    }
    learning(&mut page, report);
    images(&mut page, report);
    page.provenance(provenance);
    page.html()
}

fn checks(page: &mut Page, examination: &Examination, verdict: &Verdict) {
    page.heading(&format!("The gate on the {}", examination.set));
    let Examination { images, injuries, normals, sufficient, .. } = examination;
    let enough = if *sufficient { "" } else { "; too few to decide without a person" };
    page.paragraph(&format!("{images} images, {injuries} injuries and {normals} normals{enough}."));
    let rows: Vec<Vec<String>> = examination
        .checks
        .iter()
        .map(|check| vec![check.sentence(&verdict.margins), check.outcome.to_string()])
        .collect();
    page.table("Each check with its numbers", &["check", ""], &rows);
}

fn figures(page: &mut Page, set: &Set) {
    page.heading(&format!("Both networks on {}", set.name));
    let row = |name: &str, figure: &dyn Fn(&Side) -> String| {
        vec![name.to_owned(), figure(&set.champion).trim().to_owned(), figure(&set.challenger).trim().to_owned()]
    };
    let flag = |side: &Side| side.figures.operating_point;
    page.table(
        "Intervals are Wilson's at 95 %; no answer counts as an error",
        &["", "champion", "challenger"],
        &[
            row("injuries flagged", &|side| proportion(flag(side).sensitivity, flag(side).sensitivity_interval)),
            row("normals not flagged", &|side| proportion(flag(side).specificity, flag(side).specificity_interval)),
            row("plain accuracy", &|side| proportion(side.figures.accuracy, side.figures.accuracy_interval)),
            row("without an answer", &|side| side.figures.abstained.to_string()),
            row("AUC", &|side| side.figures.auc.map_or("–".into(), |auc| format!("{auc:.4}"))),
            row("ECE", &|side| side.calibration.as_ref().map_or("–".into(), |c| format!("{:.4}", c.ece))),
        ],
    );
    page.figures(&[
        (confusion("Champion", &set.champion.figures), "Rows are labels, columns answers.".to_owned()),
        (confusion("Challenger", &set.challenger.figures), "The same images.".to_owned()),
    ]);
    let curve = |name: &str, side: &Side, style| Series { name: name.to_owned(), points: side.roc.clone(), style };
    let chart = Chart {
        title: "ROC, injuries against normals".to_owned(),
        x: Axis::of_shares("normals flagged"),
        y: Axis::of_shares("injuries flagged"),
        series: vec![curve("champion", &set.champion, Style::Line), curve("challenger", &set.challenger, Style::Line)],
    };
    let calibrations = [&set.champion, &set.challenger].map(|side| side.calibration.as_ref());
    page.figures(&[
        (chart.svg(), "Over all thresholds.".to_owned()),
        (reliability(["champion", "challenger"], calibrations), "Each at its own temperature.".to_owned()),
    ]);
}

fn learning(page: &mut Page, report: &Figures<'_>) {
    page.heading("How it learnt");
    let kept = format!(
        "The challenger's weights lie {:.0} % of the way from the champion's to those of the lowest validation loss.",
        100.0 * report.share
    );
    page.figure(&learning_curves(report.history), &kept);
    page.paragraph(&format!(
        "Temperature {:.3}, operating point {:.4}: {}.",
        report.card.temperature,
        report.card.operating_point,
        report.card.operating.as_ref().map(ToString::to_string).unwrap_or_default()
    ));
}

fn images(page: &mut Page, report: &Figures<'_>) {
    page.heading("The images");
    let words = |role: Role| match role {
        Role::New => "newly labelled, learnt from",
        Role::Replay => "known, learnt from again",
        Role::NewValidation => "newly labelled, validated with",
        Role::ReplayValidation => "known, validated with",
        Role::Frozen => "frozen, measured with",
        Role::Holdout => "of the newest period, measured with",
    };
    let row = |name: &str, count: usize| vec![name.to_owned(), count.to_string()];
    let mut rows: Vec<Vec<String>> = report.images.iter().map(|(role, count)| row(words(*role), *count)).collect();
    rows.extend([
        row("not used: labels disputed", report.unused.disputed),
        row("not used: patient on two sides", report.unused.quarantined),
        row("not used: unusable by their label", report.unused.unusable),
        row("not used: gone from the object store", report.unused.missing),
        row("left out: one picture under several labels", report.left_out.conflicting.len()),
        row("left out: repeats another", report.left_out.repeated.len()),
        row("left out: not decodable or not assessable", report.left_out.unusable.len()),
        row("measured with though another label contradicts theirs", report.left_out.contradicted.len()),
    ]);
    page.table("What each was for", &["", "images"], &rows);
}
