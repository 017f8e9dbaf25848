//! `manifest.csv`: one line an image.

use std::collections::HashSet;

use anyhow::{Context, Result, bail, ensure};
use csv::StringRecord;

use super::folders::join;
use super::{Dataset, Example};

/// Its name.
pub(super) const FILE: &str = "manifest.csv";

/// Where the columns are. `file` and `class` must be there; columns that are not named here are not read.
struct Columns {
    file: usize,
    class: usize,
    patient_key: Option<usize>,
    kind: Option<usize>,
    ambiguous: Option<usize>,
}

impl Columns {
    fn find(header: &StringRecord) -> Result<Columns> {
        let column = |name: &str| header.iter().position(|title| title.eq_ignore_ascii_case(name));
        let required = |name: &str| column(name).with_context(|| format!("it has no column '{name}'"));
        Ok(Columns {
            file: required("file")?,
            class: required("class")?,
            patient_key: column("patient_key"),
            kind: column("kind"),
            ambiguous: column("ambiguous"),
        })
    }

    /// One line's image, its path relative to the manifest.
    fn example(&self, line: &StringRecord) -> Result<Example> {
        // The reader gives every line as many fields as the header has.
        let optional = |column: Option<usize>| {
            column.map(|column| &line[column]).filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let ambiguous = match self.ambiguous.map_or("", |column| &line[column]).to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => true,
            "false" | "no" | "0" | "" => false,
            other => bail!("'{other}' is neither true nor false"),
        };
        let class = line[self.class].to_ascii_lowercase();
        Ok(Example {
            path: Default::default(),
            name: line[self.file].replace('\\', "/"),
            class: class.parse().ok().with_context(|| format!("'{class}' is none of dislocation, fracture, normal"))?,
            patient_key: optional(self.patient_key),
            kind: optional(self.kind),
            ambiguous,
        })
    }
}

/// Takes in the images that the manifest in folder `at` lists, and no others.
pub(super) fn collect(dataset: &mut Dataset, at: &str) -> Result<()> {
    let file = join(at, FILE);
    let path = dataset.path_of(&file);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(&path)
        .with_context(|| format!("{file} cannot be read"))?;
    let columns = Columns::find(reader.headers().with_context(|| format!("{file} cannot be read"))?)
        .with_context(|| format!("{file} is not understood"))?;
    let mut names = HashSet::new();
    for record in reader.records() {
        let record = record.with_context(|| format!("{file} is not understood"))?;
        let line = record.position().map_or(0, csv::Position::line);
        let example = columns.example(&record).and_then(|example| place(dataset, at, example));
        let example = example.with_context(|| format!("{file}, line {line}"))?;
        ensure!(names.insert(example.name.clone()), "{file}, line {line}: {} is listed twice", example.name);
        dataset.examples.push(example);
    }
    Ok(())
}

/// Completes name and path; the image must be there, below the manifest's folder.
fn place(dataset: &Dataset, at: &str, mut example: Example) -> Result<Example> {
    let below = |part: &str| !part.is_empty() && part != ".." && part != "." && !part.contains(':');
    ensure!(example.name.split('/').all(below), "'{}' is no path below the manifest's folder", example.name);
    example.name = join(at, &example.name);
    example.path = dataset.path_of(&example.name);
    ensure!(example.path.is_file(), "{} is not there", example.name);
    Ok(example)
}
