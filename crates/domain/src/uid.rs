//! DICOM unique identifiers.

use std::fmt;

/// A DICOM UID (PS3.5 section 9.1): 1 to 64 characters, digits in components joined by dots, no leading zeros.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uid(String);

/// A text that is no DICOM UID. It does not quote the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a DICOM UID: 1 to 64 characters, numbers without leading zeros joined by dots")]
pub struct UidError;

impl Uid {
    /// Checks and takes a text; surrounding padding is not removed.
    pub fn parse(text: &str) -> Result<Self, UidError> {
        let component = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_digit())
                && (part.len() == 1 || !part.starts_with('0'))
        };
        if text.len() <= 64 && text.split('.').all(component) { Ok(Self(text.to_owned())) } else { Err(UidError) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Uid {
    type Err = UidError;
    fn from_str(text: &str) -> Result<Self, UidError> {
        Self::parse(text)
    }
}

impl serde::Serialize for Uid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Uid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Uid;

    #[test]
    fn a_uid_is_numbers_joined_by_dots_without_leading_zeros() {
        for good in ["1", "0.0", "1.2.826.0.1.3680043.8.498.1"] {
            assert!(Uid::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "1..2", "1.02", "1.a", "../1", " 1.2", &"1.".repeat(33)] {
            assert!(Uid::parse(bad).is_err(), "{bad}");
        }
    }
}
