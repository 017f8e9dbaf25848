//! DICOM unique identifiers.

use std::fmt;

/// A DICOM UID (PS3.5 section 9.1) as a device writes it: 1 to 64 characters, numbers joined by dots. The standard allows
/// no leading zeros, but devices write them, and other systems then know the image by them: so they are kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uid(String);

/// A text that is no DICOM UID. It does not quote the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a DICOM UID: 1 to 64 characters, numbers joined by dots")]
pub struct UidError;

impl Uid {
    /// Checks and takes a text; surrounding padding is not removed.
    pub fn parse(text: &str) -> Result<Self, UidError> {
        let component = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if text.len() <= 64 && text.split('.').all(component) { Ok(Self(text.to_owned())) } else { Err(UidError) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has the same numbers: a gateway may have dropped the leading zeros of a header, or padded what had none.
    pub fn has_numbers_of(&self, other: &Self) -> bool {
        fn numbers(uid: &Uid) -> impl Iterator<Item = &str> {
            uid.0.split('.').map(|part| part.trim_start_matches('0'))
        }
        numbers(self).eq(numbers(other))
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
    fn a_uid_is_numbers_joined_by_dots() {
        for good in ["1", "0.0", "1.02", "1.2.826.0.1.3680043.8.498.1"] {
            assert_eq!(Uid::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", ".", "1..2", "1.", "1.a", "1.-2", "../1", " 1.2", "1.2\0", "１.2", &"1.".repeat(33)] {
            assert!(Uid::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn leading_zeros_do_not_make_another_uid() {
        let same = |a: &str, b: &str| Uid::parse(a).unwrap().has_numbers_of(&Uid::parse(b).unwrap());
        assert!(same("1.02.0.3", "1.2.00.3") && same("0.1", "0.01"));
        assert!(!same("1.02", "1.20") && !same("1.2", "1.2.0") && !same("12.3", "1.23"));
    }
}
