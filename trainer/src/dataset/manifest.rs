//! A manifest: a CSV file with a line an image.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use csv::StringRecord;

use super::folders::{join, part};
use super::{Dataset, Example};
use crate::table::Table;

/// Its name, where nobody names it.
pub(super) const FILE: &str = "manifest.csv";

/// Where the columns are. `file` and `class` must be there; columns that are not named here are not read.
struct Columns {
    file: usize,
    class: usize,
    patient_key: Option<usize>,
    kind: Option<usize>,
    ambiguous: Option<usize>,
    site: Option<usize>,
    set: Option<usize>,
    mask: Option<usize>,
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
            site: column("site"),
            set: column("set"),
            mask: column("mask"),
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
            part: None,
            site: optional(self.site),
            set: optional(self.set),
            mask: optional(self.mask).map(|mask| mask.replace('\\', "/").into()),
        })
    }
}

/// Takes in the images that the manifest of this name in folder `at` lists, and no others.
pub(super) fn collect(dataset: &mut Dataset, at: &str, name: &str) -> Result<()> {
    let file = join(at, name);
    let path = dataset.path_of(&file);
    let not_understood = || format!("{file} is not understood");
    let bytes = fs::read(&path).with_context(|| format!("{file} cannot be read"))?;
    let mut table = Table::new(&bytes);
    let columns = Columns::find(&table.header().with_context(not_understood)?).with_context(not_understood)?;
    let mut names = HashSet::new();
    for record in table {
        let (line, record) = record.with_context(not_understood)?;
        let example = columns.example(&record).and_then(|example| place(dataset, at, example));
        let example = example.with_context(|| format!("{file}, line {line}"))?;
        ensure!(names.insert(example.name.clone()), "{file}, line {line}: {} is listed twice", example.name);
        dataset.examples.push(example);
    }
    Ok(())
}

/// Completes name and paths; they must lie below the manifest's folder, and the image must be there.
fn place(dataset: &Dataset, at: &str, mut example: Example) -> Result<Example> {
    (example.name, example.path) = below(dataset, at, &example.name)?;
    example.part = part(&example.name);
    ensure!(example.path.is_file(), "{} is not there", example.name);
    if let Some(mask) = example.mask.take() {
        // Whether it is there matters only to those who read it.
        example.mask = Some(below(dataset, at, &mask.to_string_lossy())?.1);
    }
    Ok(example)
}

/// A name's path from the data set's folder, and where it lies.
fn below(dataset: &Dataset, at: &str, name: &str) -> Result<(String, PathBuf)> {
    let plain = |part: &str| !part.is_empty() && part != ".." && part != "." && !part.contains(':');
    ensure!(name.split('/').all(plain), "'{name}' is no path below the manifest's folder");
    let name = join(at, name);
    let path = dataset.path_of(&name);
    Ok((name, path))
}
