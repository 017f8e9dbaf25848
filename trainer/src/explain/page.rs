//! `explain.html`.

use super::faithfulness::Faithfulness;
use super::pointing::{Contest, Pointing};
use super::randomisation::Randomisation;
use super::report::{Report, takes_one_pass};
use super::rotation::Rotation;
use crate::page::bars::{Bar, bars};
use crate::page::plot::{Axis, Chart, Series, Style};
use crate::page::{Page, Picture, Provenance};

/// Films with maps over them.
pub struct Pictures {
    /// Of each sample a row: the film, then every explainer's map.
    pub maps: Vec<(String, Vec<Picture>)>,
    /// One film at every angle, and the method whose map lies over it.
    pub turned: Option<(String, Vec<Picture>)>,
}

/// The report as a page.
pub fn render(report: &Report, pictures: &Pictures, provenance: &Provenance) -> String {
    let mut page = Page::new("What the network's answers rest on: its saliency maps, tested");
    page.warning(provenance.caution());
    page.paragraph(&format!(
        "{} at {} pixels, maps of {} images. {}",
        report.architecture.as_str(),
        report.input_size,
        report.images,
        report.verdict()
    ));
    if report.mirrored + report.turned > 0 {
        page.paragraph(&format!(
            "{} of the images the network knows with left for right only, {} turned only: so they are shown and measured, \
             as a worker has them answered.",
            report.mirrored, report.turned
        ));
    }
    if let Some(pointing) = &report.pointing {
        self::pointing(&mut page, pointing);
    }
    for (caption, row) in &pictures.maps {
        page.pictures(caption, row);
    }
    if let Some(faithfulness) = &report.faithfulness {
        self::faithfulness(&mut page, faithfulness);
    }
    if let Some(randomisation) = &report.randomisation {
        self::randomisation(&mut page, randomisation);
    }
    if let Some(rotation) = &report.rotation {
        self::rotation(&mut page, rotation);
        if let Some((caption, row)) = &pictures.turned {
            page.pictures(caption, row);
        }
    }
    page.provenance(provenance);
    page.html()
}

fn pointing(page: &mut Page, pointing: &Pointing) {
    page.heading("Does it point at the injury?");
    page.paragraph(&format!(
        "The map of the true class hits when its largest value lies on the injury's mask or at most {:.1} pixels of the input \
         beside it (about 3 mm in the patient at 224 pixels). A point anywhere would hit {:.1} %; a flat map has {:.1} % of \
         its energy inside. A method beats the baselines when it is better than the best of them on more images than it \
         is worse, by McNemar's test of the hits and the sign test of the energy, p below 0.05.",
        pointing.tolerance_px,
        100.0 * pointing.area_grown,
        100.0 * pointing.area
    ));
    let bar = |row: &super::Pointed| Bar {
        name: row.name.clone(),
        value: row.hits,
        interval: Some(row.interval),
        pale: row.baseline,
    };
    page.figure(
        &bars(
            "Pointing game: share of hits",
            &pointing.rows.iter().map(bar).collect::<Vec<_>>(),
            pointing.best_baseline().map(|row| row.hits),
        ),
        "Grey: baselines that know nothing of the network; the broken line is the best of them.",
    );
    let row = |row: &super::Pointed| {
        let [low, high] = row.interval;
        let verdict = |contest: &Option<Contest>| contest.as_ref().map_or("baseline".to_owned(), Contest::to_string);
        vec![
            row.name.clone(),
            format!("{} ({:.1}–{:.1})", percent(row.hits), 100.0 * low, 100.0 * high),
            percent(row.hits_exact),
            percent(row.hits_own),
            percent(row.energy),
            (if row.baseline || !takes_one_pass(&row.name) { "" } else { "yes" }).to_owned(),
            verdict(&row.hits_against),
            verdict(&row.energy_against),
        ]
    };
    page.table(
        &format!("{} injuries", pointing.images),
        &[
            "",
            "hits",
            "on the mask itself",
            "of the class the model explains",
            "energy inside",
            "one pass",
            "by hits",
            "by energy",
        ],
        &pointing.rows.iter().map(row).collect::<Vec<_>>(),
    );
    let kinds: Vec<String> =
        pointing.kinds.iter().map(|(kind, count)| format!("{} ({count})", kind.replace('_', " "))).collect();
    let header: Vec<&str> = std::iter::once("").chain(kinds.iter().map(String::as_str)).collect();
    let row = |row: &super::Pointed| {
        std::iter::once(row.name.clone()).chain(row.kinds.values().map(|share| percent(*share))).collect()
    };
    page.table("Hits by kind of injury", &header, &pointing.rows.iter().map(row).collect::<Vec<_>>());
}

fn faithfulness(page: &mut Page, faithfulness: &Faithfulness) {
    page.heading("Does it matter what it calls important?");
    page.paragraph(&format!(
        "Deletion blurs the film ({:.0} pixels) where the map is largest first, insertion brings back a blurred film in the \
         same order (Petsiuk et al. 2018). The mean probability of the explained class is {:.2} on the whole film and {:.2} on \
         the blurred one; {} images.",
        faithfulness.sigma_px, faithfulness.whole, faithfulness.blurred, faithfulness.images
    ));
    let row = |row: &super::faithfulness::Faithful| {
        vec![row.name.clone(), format!("{:.3}", row.deletion), format!("{:.3}", row.insertion)]
    };
    page.table(
        "Areas under the curves",
        &["", "deletion, less is better", "insertion, more is better"],
        &faithfulness.rows.iter().map(row).collect::<Vec<_>>(),
    );
    let chart = |title: &str, curve: fn(&super::faithfulness::Faithful) -> &Vec<f64>| {
        let series = faithfulness.rows.iter().map(|row| Series {
            name: row.name.clone(),
            // As the square root: an injury covers little.
            points: faithfulness.shares.iter().map(|share| share.sqrt()).zip(curve(row).iter().copied()).collect(),
            style: if is_baseline(&row.name) { Style::Dashed } else { Style::Line },
        });
        Chart {
            title: title.to_owned(),
            x: Axis::of_shares("square root of the share of pixels"),
            y: Axis::of_shares("probability of the class"),
            series: series.collect(),
        }
    };
    page.figures(&[
        (chart("Deletion", |row| &row.deletion_curve).svg(), "The sooner it falls, the better.".to_owned()),
        (chart("Insertion", |row| &row.insertion_curve).svg(), "The sooner it rises, the better.".to_owned()),
    ]);
}

fn randomisation(page: &mut Page, cascade: &Randomisation) {
    page.heading("Does it show what the network learnt?");
    page.paragraph(
        "The network forgets block by block, from the head downwards (Adebayo et al. 2018). A map that correlates with \
         itself to the end shows the film, not what was learnt.",
    );
    let header: Vec<&str> = std::iter::once("").chain(cascade.stages.iter().map(String::as_str)).collect();
    let row = |row: &super::randomisation::Cascade| {
        std::iter::once(row.name.clone()).chain(row.rho.iter().map(|rho| format!("{rho:.2}"))).collect()
    };
    page.table(
        &format!("Spearman's ρ with the map of the whole network, {} images", cascade.images),
        &header,
        &cascade.rows.iter().map(row).collect::<Vec<_>>(),
    );
    let series = cascade.rows.iter().map(|row| Series {
        name: row.name.clone(),
        points: std::iter::once(1.0).chain(row.rho.iter().copied()).enumerate().map(|(x, y)| (x as f64, y)).collect(),
        style: Style::Line,
    });
    let chart = Chart {
        title: "Cascading randomisation".to_owned(),
        x: Axis { label: "blocks that are random".to_owned(), from: 0.0, to: cascade.stages.len() as f64 },
        y: Axis { label: "rank correlation".to_owned(), from: -0.4, to: 1.0 },
        series: series.collect(),
    };
    page.figure(&chart.svg(), &format!("In this order: {}.", cascade.stages.join(", ")));
}

fn rotation(page: &mut Page, rotation: &Rotation) {
    page.heading("The paper's Figure 15: turned films");
    page.paragraph(
        "The film is turned counter-clockwise, the map turned back and held against that of the film as it is, within the \
         circle that stays in the picture. The network was not trained for large turns, and a convolutional network does not \
         turn with its input. What the scope gate refuses is measured like the rest; a worker gives it no answer.",
    );
    let angles: Vec<String> = rotation.angles.iter().map(|angle| format!("{angle}°")).collect();
    let header: Vec<&str> = std::iter::once("").chain(angles.iter().map(String::as_str)).collect();
    let row = |name: &str, values: &[f64], sign: bool| {
        let cell = |value: &f64| if sign { format!("{value:+.3}") } else { format!("{value:.2}") };
        std::iter::once(name.to_owned()).chain(values.iter().map(cell)).collect::<Vec<String>>()
    };
    let mut rows: Vec<Vec<String>> = rotation.rows.iter().map(|turned| row(&turned.name, &turned.rho, false)).collect();
    rows.push(row("change of the probability", &rotation.probability_change, true));
    rows.push(row("share explained as before", &rotation.same_class, false));
    rows.push(row("share that the scope gate refuses", &rotation.refused, false));
    page.table(&format!("Spearman's ρ and the probability, {} images", rotation.images), &header, &rows);
}

fn is_baseline(name: &str) -> bool {
    name.parse::<cspine_nets::SaliencyMethod>().is_err()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
