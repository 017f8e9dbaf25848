//! What people say of images.

use crate::{Class, UnknownWord};

/// A class, or that the image is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Label {
    /// One of the three classes.
    Class(Class),
    /// Not to be learned from.
    Unusable,
}

impl Label {
    /// The word used in events, SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Label::Class(class) => class.as_str(),
            Label::Unusable => "unusable",
        }
    }

    /// The class of an image that is of use.
    pub fn class(self) -> Option<Class> {
        match self {
            Label::Class(class) => Some(class),
            Label::Unusable => None,
        }
    }
}

impl From<Class> for Label {
    fn from(class: Class) -> Self {
        Label::Class(class)
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Label {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "unusable" => Ok(Label::Unusable),
            class => class.parse().map(Label::Class).map_err(|_| UnknownWord("label")),
        }
    }
}

impl serde::Serialize for Label {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Label {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        word.parse().map_err(serde::de::Error::custom)
    }
}

/// What a label rests on; the later in this order, the more it weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConfirmationSource {
    /// Quality assurance.
    Qa,
    /// One radiologist's report.
    Radiologist,
    /// Several readers agreed.
    Consensus,
    /// A computed tomography of the same injury.
    Ct,
}

crate::words!(ConfirmationSource, "source of a confirmation", {
    Qa => "qa", Radiologist => "radiologist", Consensus => "consensus", Ct => "ct",
});

#[cfg(test)]
mod tests {
    use super::{ConfirmationSource, Label};
    use crate::Class;

    #[test]
    fn a_label_reads_back_as_it_was_written() {
        for label in Class::ALL.iter().copied().map(Label::Class).chain([Label::Unusable]) {
            assert_eq!(label.to_string().parse(), Ok(label));
        }
        assert_eq!("not_assessable".parse::<Label>().unwrap_err().to_string(), "not a known label");
    }

    #[test]
    fn a_tomography_weighs_more_than_what_quality_assurance_says() {
        assert!(ConfirmationSource::ALL.is_sorted());
        assert!(ConfirmationSource::Ct > ConfirmationSource::Qa);
    }
}
