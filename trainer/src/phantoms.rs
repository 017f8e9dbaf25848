//! `cspine-trainer phantoms`: a data set of synthetic radiographs, `DIR/CLASS/NAME`, with masks and a manifest.
//!
//! Case i of seed N is the phantom of seed `N * 2^24 + i`, so data sets of different seeds share no patient. The same
//! arguments give the same bytes, whatever the number of threads.

mod dicom;

use anyhow::{Context, bail, ensure};
use cspine_domain::Class;
use cspine_phantom::{Case, Film, Preset};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use rayon::prelude::*;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::progress::bar;

/// Makes a data set of synthetic radiographs.
#[derive(Debug, Clone, clap::Args)]
pub struct PhantomsArgs {
    /// Folder to write to; it must be empty or not yet exist.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// How many of each class.
    #[arg(long, default_value = "dislocation=530,fracture=772,normal=707", value_name = "CLASS=N,…")]
    pub counts: Counts,
    /// Another seed is another set of patients.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(..1 << 40))]
    pub seed: u64,
    /// Pixels a side.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(128..=2048))]
    pub size: u32,
    /// How the films are taken: reference, shift-a or shift-b.
    #[arg(long, default_value_t = Preset::Reference)]
    pub preset: Preset,
    /// Blank where the injury is, on the injured films and alike on the normals, which are then counterfactuals of the
    /// injured films: a network that still tells them apart has found a shortcut.
    #[arg(long)]
    pub blanked: bool,
    /// What they are for, a column of the manifest as `models register --reference` reads it: training, validation or
    /// evaluation
    #[arg(long, value_name = "SET", value_parser = ["training", "validation", "evaluation"])]
    pub set: Option<String>,
    /// Where they were taken, a column of the manifest
    #[arg(long, value_name = "SITE")]
    pub site: Option<String>,
    /// What the films are written as.
    #[arg(long, value_enum, default_value_t = Format::Png)]
    pub format: Format,
}

/// File formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// 16-bit grey PNG.
    Png,
    /// DICOM CR, 12 of 16 bits, MONOCHROME1 and MONOCHROME2.
    Dicom,
}

/// Images by class, indexed as [`Class`]; written `dislocation=530,fracture=772,normal=707`, a missing class being 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts(pub [u32; Class::COUNT]);

/// Why a text is no [`Counts`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CountsError {
    /// An item is not CLASS=NUMBER.
    #[error("'{0}' is not CLASS=NUMBER")]
    Item(String),
    /// A class that is none.
    #[error("'{0}' is no class: dislocation, fracture or normal")]
    Class(String),
    /// A class twice.
    #[error("{0} is given twice")]
    Twice(Class),
    /// No image at all, or more than a seed has room for.
    #[error("the counts must sum to 1 to {LIMIT}")]
    Sum,
}

/// Cases a seed has room for.
const LIMIT: u64 = 1 << 24;

impl FromStr for Counts {
    type Err = CountsError;

    fn from_str(text: &str) -> Result<Self, CountsError> {
        let mut counts = [None; Class::COUNT];
        for item in text.split(',') {
            let not_an_item = || CountsError::Item(item.to_owned());
            let (class, number) = item.split_once('=').ok_or_else(not_an_item)?;
            let number: u32 = number.trim().parse().map_err(|_| not_an_item())?;
            let class: Class = class.trim().parse().map_err(|_| CountsError::Class(class.to_owned()))?;
            if counts[class.index()].replace(number).is_some() {
                return Err(CountsError::Twice(class));
            }
        }
        let counts = counts.map(Option::unwrap_or_default);
        let sum: u64 = counts.iter().map(|n| u64::from(*n)).sum();
        if (1..=LIMIT).contains(&sum) { Ok(Counts(counts)) } else { Err(CountsError::Sum) }
    }
}

/// Writes the data set, on rayon's current pool.
///
/// # Errors
/// If the folder holds anything, or cannot be written to.
pub fn run(args: &PhantomsArgs) -> anyhow::Result<()> {
    let [dislocations, fractures, normals] = args.counts.0;
    ensure!(
        !args.blanked || u64::from(normals) <= u64::from(dislocations) + u64::from(fractures),
        "--blanked makes each normal of an injured film: there cannot be more normals than injuries"
    );
    prepare(&args.out)?;
    let per_class = args.counts.0.iter().zip(Class::ALL);
    let classes: Vec<Class> = per_class.flat_map(|(n, class)| std::iter::repeat_n(*class, *n as usize)).collect();
    let progress = bar(classes.len(), "phantoms {bar:40} {pos}/{len}, {per_sec}, {eta} left");
    let lines = classes
        .par_iter()
        .enumerate()
        .map(|(i, class)| {
            let (case, film) = if args.blanked { blanked(args, i, *class) } else { plain(args, i, *class) };
            let line = write_case(args, &case, &film, i).with_context(|| format!("phantom {i}"))?;
            progress.inc(1);
            Ok(line)
        })
        .collect::<anyhow::Result<Vec<String>>>()?;
    progress.finish_and_clear();
    // Last: a folder with a manifest is complete.
    let mut text = "file,class,patient_key,level,kind,severity_mm,ambiguous,mask".to_owned();
    for (column, _) in more(args) {
        text += &format!(",{column}");
    }
    let manifest = args.out.join("manifest.csv");
    fs::write(&manifest, text + "\n" + &lines.concat()).with_context(|| manifest.display().to_string())
}

/// The case of a place in the data set and its film.
fn plain(args: &PhantomsArgs, i: usize, class: Class) -> (Case, Film) {
    let case = Case::sample((args.seed * LIMIT).wrapping_add(i as u64), class);
    let film = case.render(args.size, args.preset);
    (case, film)
}

/// The same without what makes the class: the injury's region blanked, and for the n-th normal that of the n-th injury.
fn blanked(args: &PhantomsArgs, i: usize, class: Class) -> (Case, Film) {
    let [dislocations, fractures, _] = args.counts.0.map(|n| n as usize);
    if class.is_injury() {
        let (case, mut film) = plain(args, i, class);
        let mask = film.mask.clone();
        film.blank(&mask);
        return (case, film);
    }
    let injury = i - dislocations - fractures;
    let class = if injury < dislocations { Class::Dislocation } else { Class::Fracture };
    let (case, injured) = plain(args, injury, class);
    let healed = case.counterfactual();
    let mut film = healed.render(args.size, args.preset);
    film.blank(&injured.mask);
    (healed, film)
}

/// Makes the folders; refuses one that holds anything.
fn prepare(out: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    if fs::read_dir(out).with_context(|| format!("cannot list {}", out.display()))?.next().is_some() {
        bail!("{} is not empty: phantoms are written to a new folder only", out.display());
    }
    for name in Class::ALL.iter().map(|c| c.as_str()).chain(["masks"]) {
        fs::create_dir(out.join(name)).with_context(|| format!("cannot make {name} in {}", out.display()))?;
    }
    Ok(())
}

/// Writes a case's film and mask, and gives its line of the manifest.
fn write_case(args: &PhantomsArgs, case: &Case, film: &Film, i: usize) -> anyhow::Result<String> {
    let extension = match args.format {
        Format::Png => "png",
        Format::Dicom => "dcm",
    };
    let file = format!("{}/{i:06}.{extension}", case.class);
    let mask = format!("masks/{i:06}.png");
    let path = args.out.join(&file);
    let bytes = match args.format {
        Format::Png => png16(film)?,
        Format::Dicom => dicom::encode(case, film, args.preset)?,
    };
    fs::write(&path, bytes).with_context(|| path.display().to_string())?;
    let path = args.out.join(&mask);
    fs::write(&path, png8(film)?).with_context(|| path.display().to_string())?;
    let mut line = String::new();
    let (class, key, level, kind) = (case.class, &case.patient_key, &case.level, case.kind.as_str());
    write!(line, "{file},{class},{key},{level},{kind},{:.2},{},{mask}", case.severity_mm, case.ambiguous)?;
    for (_, value) in more(args) {
        write!(line, ",{value}")?;
    }
    Ok(line + "\n")
}

/// Columns of the manifest that are asked for, each with what stands in it.
fn more(args: &PhantomsArgs) -> impl Iterator<Item = (&'static str, &str)> {
    [("site", &args.site), ("set", &args.set)].into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
}

fn png16(film: &Film) -> anyhow::Result<Vec<u8>> {
    let samples: Vec<u8> = film.pixels.iter().flat_map(|p| p.to_ne_bytes()).collect();
    png(film, &samples, ExtendedColorType::L16)
}

fn png8(film: &Film) -> anyhow::Result<Vec<u8>> {
    png(film, &film.mask, ExtendedColorType::L8)
}

fn png(film: &Film, samples: &[u8], colour: ExtendedColorType) -> anyhow::Result<Vec<u8>> {
    ensure!(film.width > 0 && film.height > 0, "an empty film");
    let mut bytes = vec![];
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Sub)
        .write_image(samples, film.width, film.height, colour)
        .context("cannot encode a PNG")?;
    Ok(bytes)
}
