//! A site's own words of scope: what its devices write and the built-in vocabulary does not know, or knows otherwise.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::text::words;

/// What a word means for the attribute it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It names what we want: the cervical spine, the lateral view, a radiograph.
    Accept,
    /// It surely names something else.
    Reject,
    /// It says nothing.
    Unknown,
}

/// A site's words by attribute. Read from JSON such as `{"body_part": {"WS ROUTINE": "unknown", "GENUE": "reject"}}`;
/// capitals, accents, blanks and hyphens do not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScopeWords {
    /// Of Body Part Examined and of an event's `body_part`.
    pub(super) body_part: Words,
    /// Of View Position and of an event's `view`.
    pub(super) view: Words,
    /// Of Modality and of an event's `modality`.
    pub(super) modality: Words,
}

/// Words without blanks, and what each means.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Words(pub BTreeMap<String, Answer>);

impl ScopeWords {
    /// The longest word, in characters: as long as DICOM's longest short text.
    pub const WORD_CHARACTERS_MAX: usize = 64;

    /// How many words there are.
    pub fn len(&self) -> usize {
        [&self.body_part, &self.view, &self.modality].iter().map(|words| words.0.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader)
    }
}

/// Not the derived one: of two equal keys that would silently take the last.
struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Words;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("words, each with accept, reject or unknown")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Words, A::Error> {
        use serde::de::Error as _;
        let mut read = BTreeMap::new();
        while let Some((text, answer)) = map.next_entry::<String, Answer>()? {
            let word = words(&text).concat();
            if word.is_empty() || text.chars().count() > ScopeWords::WORD_CHARACTERS_MAX {
                let most = ScopeWords::WORD_CHARACTERS_MAX;
                return Err(A::Error::custom(format_args!("{text:?} is no word of 1 to {most} letters and digits")));
            }
            if read.insert(word, answer).is_some_and(|other| other != answer) {
                return Err(A::Error::custom(format_args!("{text:?} is there twice and means two things")));
            }
        }
        Ok(Words(read))
    }
}
