//! Calls and labels from CSV files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use cspine_domain::{Class, Sha256};
use csv::StringRecord;

use super::{CallsError, Place};
use crate::table::{Table, Unsound};

/// Largest file that is read: about a million calls.
const MIB_MAX: u64 = 64;

/// How far probabilities may sum from 1: they may be rounded to three digits.
const SUM_TOLERANCE: f64 = 1e-3;

/// A file's name and content.
#[derive(Debug, Clone)]
pub struct Source {
    /// As given; errors begin with it.
    pub name: String,
    bytes: Vec<u8>,
}

/// One reader's line on one image.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub place: Place,
    pub reader: String,
    pub image: String,
    /// `None` for an abstention.
    pub call: Option<Call>,
    pub label: Option<Class>,
}

/// What a reader says of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Call {
    /// The call.
    pub class: Class,
    /// By class index; they sum to 1 within a thousandth. The call need not be the highest.
    pub probabilities: Option<[f64; Class::COUNT]>,
}

/// What an image shows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Label {
    pub place: Place,
    pub image: String,
    pub class: Class,
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// [`CallsError::Read`] or [`CallsError::TooLarge`].
    pub fn open(path: &Path) -> Result<Source, CallsError> {
        let name = path.display().to_string();
        let mut bytes = vec![];
        let limit = MIB_MAX << 20;
        let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
        read.map_err(|source| CallsError::Read { file: name.clone(), source })?;
        if bytes.len() as u64 > limit {
            return Err(CallsError::TooLarge { file: name, mib_max: MIB_MAX });
        }
        Ok(Source { name, bytes })
    }

    /// The content's digest.
    pub fn sha256(&self) -> Sha256 {
        Sha256::of(&self.bytes)
    }

    /// The calls of a file with the columns reader, image and call; or all of them `reader`'s, for which that column is not
    /// read. `file` and `verdict` stand for image and call too, as in evaluate's `predictions.csv`.
    pub(super) fn calls(&self, reader: Option<&str>) -> Result<Vec<Row>, CallsError> {
        self.rows(
            |header| {
                Ok(CallColumns {
                    reader: match reader {
                        Some(_) => None,
                        None => Some(self.required(header, &["reader"])?),
                    },
                    image: self.required(header, &["image", "file"])?,
                    call: self.required(header, &["call", "verdict"])?,
                    probabilities: self.probabilities(header)?,
                    label: self.column(header, "label")?,
                })
            },
            |place, columns, record| columns.row(place, reader, record),
        )
    }

    /// The labels of a file with the columns image and label; `file` and `class` stand for them too, as in a data set's
    /// `manifest.csv`.
    pub(super) fn labels(&self) -> Result<Vec<Label>, CallsError> {
        self.rows(
            |header| Ok((self.required(header, &["image", "file"])?, self.required(header, &["label", "class"])?)),
            |place, (image, label), record| {
                let image = name(&place, "image", &record[*image])?;
                let class = class(&place, &image, "label", &record[*label])?;
                let class = class.ok_or_else(|| CallsError::NoLabel { place: place.clone(), image: image.clone() })?;
                Ok(Label { place, image, class })
            },
        )
    }

    /// Every line by the columns that the header has.
    fn rows<C, R>(
        &self,
        columns: impl Fn(&StringRecord) -> Result<C, CallsError>,
        row: impl Fn(Place, &C, &StringRecord) -> Result<R, CallsError>,
    ) -> Result<Vec<R>, CallsError> {
        let place = |line| Place { file: self.name.clone(), line };
        let unsound = |Unsound { line, what }| CallsError::Csv { place: place(line), what };
        let mut table = Table::new(&self.bytes);
        let header = table.header().map_err(unsound)?;
        if header.is_empty() {
            return Err(CallsError::NoRows { file: self.name.clone() });
        }
        let columns = columns(&header)?;
        let mut rows = vec![];
        for record in table {
            let (line, record) = record.map_err(unsound)?;
            rows.push(row(place(line), &columns, &record)?);
        }
        if rows.is_empty() {
            return Err(CallsError::NoRows { file: self.name.clone() });
        }
        Ok(rows)
    }

    fn column(&self, header: &StringRecord, column: &'static str) -> Result<Option<usize>, CallsError> {
        let mut found = (0..header.len()).filter(|i| header[*i].eq_ignore_ascii_case(column));
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(CallsError::RepeatedColumn { file: self.name.clone(), column }),
            (first, None) => Ok(first),
        }
    }

    /// The first of these titles that there is.
    fn required(&self, header: &StringRecord, titles: &[&'static str]) -> Result<usize, CallsError> {
        for title in titles {
            if let Some(column) = self.column(header, title)? {
                return Ok(column);
            }
        }
        Err(CallsError::MissingColumn { file: self.name.clone(), column: titles[0] })
    }

    /// All three columns or none.
    fn probabilities(&self, header: &StringRecord) -> Result<Option<[usize; Class::COUNT]>, CallsError> {
        let mut columns = [None; Class::COUNT];
        for class in Class::ALL {
            columns[class.index()] = self.column(header, class.as_str())?;
        }
        if columns == [None; Class::COUNT] {
            return Ok(None);
        }
        let missing = Class::ALL.iter().find(|class| columns[class.index()].is_none());
        match missing {
            Some(class) => Err(CallsError::MissingColumn { file: self.name.clone(), column: class.as_str() }),
            None => Ok(Some(columns.map(|column| column.expect("none is missing")))),
        }
    }
}

struct CallColumns {
    reader: Option<usize>,
    image: usize,
    call: usize,
    probabilities: Option<[usize; Class::COUNT]>,
    label: Option<usize>,
}

impl CallColumns {
    fn row(&self, place: Place, reader: Option<&str>, record: &StringRecord) -> Result<Row, CallsError> {
        // The CSV reader gives every line as many fields as the header has.
        let reader = self.reader.map_or(reader.unwrap_or_default(), |column| &record[column]);
        let reader = name(&place, "reader", reader)?;
        let image = name(&place, "image", &record[self.image])?;
        let label = self.label.map(|column| class(&place, &image, "label", &record[column])).transpose()?.flatten();
        let call = class(&place, &image, "call", &record[self.call])?;
        let words = self.probabilities.map(|columns| columns.map(|column| &record[column]));
        let probabilities = match words {
            Some(words) if words.iter().any(|word| !word.is_empty()) => Some(probabilities(&place, &image, words)?),
            _ => None,
        };
        let call = match (call, probabilities) {
            (None, Some(_)) => return Err(CallsError::AbstainedWithProbabilities { place, image }),
            (class, probabilities) => class.map(|class| Call { class, probabilities }),
        };
        Ok(Row { place, reader, image, call, label })
    }
}

fn name(place: &Place, column: &'static str, word: &str) -> Result<String, CallsError> {
    match word {
        "" => Err(CallsError::Unnamed { place: place.clone(), column }),
        word => Ok(word.to_owned()),
    }
}

/// `None` where nothing is said.
fn class(place: &Place, image: &str, column: &'static str, word: &str) -> Result<Option<Class>, CallsError> {
    if word.is_empty() {
        return Ok(None);
    }
    let unknown = |_| {
        let (place, image, word) = (place.clone(), image.to_owned(), word.to_owned());
        CallsError::UnknownClass { place, image, column, word }
    };
    word.to_ascii_lowercase().parse().map(Some).map_err(unknown)
}

fn probabilities(place: &Place, image: &str, words: [&str; Class::COUNT]) -> Result<[f64; Class::COUNT], CallsError> {
    let mut values = [0.0; Class::COUNT];
    for class in Class::ALL {
        let word = words[class.index()];
        let value = word.parse().ok().filter(|value| (0.0..=1.0).contains(value));
        values[class.index()] = value.ok_or_else(|| {
            let (place, image, word) = (place.clone(), image.to_owned(), word.to_owned());
            CallsError::NoProbability { place, image, class: *class, word }
        })?;
    }
    let sum: f64 = values.iter().sum();
    // A trace of rounding is not what the tolerance is about.
    if (sum - 1.0).abs() > SUM_TOLERANCE + 1e-9 {
        return Err(CallsError::Sum { place: place.clone(), image: image.to_owned(), sum });
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use cspine_domain::Class;

    use super::{Call, Source};
    use crate::evaluate::{Block, Prediction, predict};
    use crate::metrics::{Answer, Labelled, area};

    use super::super::Contrast;

    #[test]
    fn what_evaluate_writes_is_read_as_a_readers_calls_with_all_digits() {
        let mut predictions: Vec<Prediction> = (0..40)
            .map(|i| {
                let label = Class::ALL[i * i % 3];
                let dislocation = 0.3 * ((i * 37 % 40) as f32 / 40.0);
                let fracture = 1e-4 / (i as f32 + 1.0);
                let probabilities = [dislocation, fracture, 1.0 - dislocation - fracture];
                let answer = Some(Answer { probabilities, verdict: Class::Normal, flagged: false });
                let image = Labelled { label, answer };
                Prediction {
                    name: format!("{i}, x.png"),
                    image,
                    ambiguous: false,
                    sha256: None,
                    standing: None,
                    failure: None,
                }
            })
            .collect();
        predictions[7].image.answer = None;
        let bytes = predict::csv(&predictions).unwrap().into_bytes();
        let rows = Source { name: "predictions.csv".into(), bytes }.calls(Some("network")).unwrap();

        for (row, prediction) in rows.iter().zip(&predictions) {
            assert_eq!((row.reader.as_str(), &row.image), ("network", &prediction.name));
            assert_eq!(row.label, Some(prediction.image.label));
            let answer = prediction.image.answer.as_ref();
            assert_eq!(row.call.map(|call| call.class), answer.map(|answer| answer.verdict));
            let read = row.call.and_then(|call| call.probabilities).map(|values| values.map(|value| value as f32));
            assert_eq!(read, answer.map(|answer| answer.probabilities));
        }
        assert_eq!((rows[7].call, rows[7].place.line), (None, 9));
        let scored = rows.iter().filter_map(|row| {
            let probabilities = row.call?.probabilities?;
            Some((Contrast::Injury.score(&probabilities), row.label?.is_injury()))
        });
        let images: Vec<Labelled> = predictions.iter().map(|prediction| prediction.image.clone()).collect();
        assert_eq!(area(scored), Block::new(&images).auc);
    }

    #[test]
    fn titles_and_classes_may_be_capital_and_spaced() {
        let bytes = b"Image , READER,Call\na, one , Fracture\n".to_vec();
        let rows = Source { name: "calls.csv".into(), bytes }.calls(None).unwrap();
        assert_eq!((rows[0].reader.as_str(), rows[0].image.as_str()), ("one", "a"));
        assert_eq!(rows[0].call, Some(Call { class: Class::Fracture, probabilities: None }));
    }
}
