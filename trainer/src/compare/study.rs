//! Every reader's call of every image, and the truth.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use cspine_domain::Class;

use super::read::{Label, Row};
use super::{Call, CallsError, Place};

/// Readers who called the same images.
#[derive(Debug, Clone)]
pub struct Study {
    /// What each image shows; in the order in which the images come first.
    pub labels: Vec<Class>,
    /// At least one; in the order in which they come first.
    pub readers: Vec<Reader>,
}

/// A network or a person.
#[derive(Debug, Clone)]
pub struct Reader {
    /// Its name.
    pub name: String,
    /// By image; `None` for an abstention.
    pub calls: Vec<Option<Call>>,
}

/// The rows of one reader by image.
struct Rows {
    name: String,
    rows: HashMap<String, Row>,
}

impl Study {
    /// Puts rows together; `truth` beside the labels that rows have.
    pub(super) fn new(rows: Vec<Row>, truth: Vec<Label>) -> Result<Study, CallsError> {
        let images = Images::of(&rows, truth)?;
        let readers = by_reader(rows)?.into_iter().map(|rows| rows.reader(&images)).collect::<Result<_, _>>()?;
        Ok(Study { labels: images.labels()?, readers })
    }
}

/// Images in the order in which they come first, with what is known of them.
#[derive(Default)]
struct Images {
    names: Vec<String>,
    known: HashMap<String, Known>,
}

struct Known {
    /// Where the image comes first.
    place: Place,
    /// Its label, and where that was said first.
    label: Option<(Class, Place)>,
}

impl Images {
    fn of(rows: &[Row], truth: Vec<Label>) -> Result<Images, CallsError> {
        let mut images = Images::default();
        for row in rows {
            images.add(&row.image, &row.place, row.label)?;
        }
        for label in truth {
            images.add(&label.image, &label.place, Some(label.class))?;
        }
        Ok(images)
    }

    fn add(&mut self, image: &str, place: &Place, label: Option<Class>) -> Result<(), CallsError> {
        if !self.known.contains_key(image) {
            self.names.push(image.to_owned());
            self.known.insert(image.to_owned(), Known { place: place.clone(), label: None });
        }
        let known = self.known.get_mut(image).expect("put there if it was not");
        match (label, &known.label) {
            (Some(label), Some((first_label, first))) if label != *first_label => {
                let (place, image, first) = (place.clone(), image.to_owned(), first.clone());
                Err(CallsError::Contradiction { place, image, label, first_label: *first_label, first })
            }
            (Some(label), None) => {
                known.label = Some((label, place.clone()));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn labels(&self) -> Result<Vec<Class>, CallsError> {
        let label = |image: &String| {
            let Known { place, label } = &self.known[image];
            let missing = || CallsError::NoLabel { place: place.clone(), image: image.clone() };
            label.as_ref().map(|(class, _)| *class).ok_or_else(missing)
        };
        self.names.iter().map(label).collect()
    }
}

/// Readers in the order in which they come first.
fn by_reader(rows: Vec<Row>) -> Result<Vec<Rows>, CallsError> {
    let (mut readers, mut index): (Vec<Rows>, HashMap<String, usize>) = (vec![], HashMap::new());
    for row in rows {
        let reader = *index.entry(row.reader.clone()).or_insert_with(|| {
            readers.push(Rows { name: row.reader.clone(), rows: HashMap::new() });
            readers.len() - 1
        });
        match readers[reader].rows.entry(row.image.clone()) {
            Entry::Occupied(first) => {
                let (Row { place, image, reader, .. }, first) = (row, first.get().place.clone());
                return Err(CallsError::CalledTwice { place, image, reader, first });
            }
            Entry::Vacant(entry) => {
                entry.insert(row);
            }
        }
    }
    Ok(readers)
}

impl Rows {
    /// Checks that no image and no probability is missing.
    fn reader(self, images: &Images) -> Result<Reader, CallsError> {
        let called = |row: &Row| row.call.is_some_and(|call| call.probabilities.is_some());
        let scored = self.rows.values().any(called);
        let mut calls = Vec::with_capacity(images.names.len());
        for image in &images.names {
            let Some(row) = self.rows.get(image) else {
                let place = images.known[image].place.clone();
                return Err(CallsError::NotCalled { place, image: image.clone(), reader: self.name });
            };
            if scored && row.call.is_some() && !called(row) {
                let (place, image) = (row.place.clone(), image.clone());
                return Err(CallsError::SomeProbabilities { place, image, reader: self.name });
            }
            calls.push(row.call);
        }
        Ok(Reader { name: self.name, calls })
    }
}

impl Reader {
    /// The probabilities of an image; `None` for an abstention and for a reader who gives none.
    pub fn probabilities(&self, image: usize) -> Option<&[f64; Class::COUNT]> {
        self.calls[image].as_ref()?.probabilities.as_ref()
    }

    /// Whether there are probabilities: for all calls or for none.
    pub fn scored(&self) -> bool {
        (0..self.calls.len()).any(|image| self.probabilities(image).is_some())
    }

    /// Whether the call of an image is its label.
    pub fn right(&self, image: usize, label: Class) -> bool {
        self.calls[image].is_some_and(|call| call.class == label)
    }
}
