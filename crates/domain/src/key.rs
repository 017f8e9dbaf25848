//! Keys of the object store.

use std::fmt;

/// A key relative to the object store: parts joined by `/`, none of them empty, `.` or `..`; no scheme, no backslash,
/// no percent sign (stores differ in what it means), no control character; at most 1024 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct ObjectKey(String);

/// A key that may not be used. It does not quote the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing, or over 1024 characters.
    #[error("not 1 to 1024 characters")]
    Length,
    /// It begins with `/`.
    #[error("absolute; keys are relative to the object store")]
    Absolute,
    /// It begins with a scheme or a drive.
    #[error("has a scheme; keys are relative to the object store")]
    Scheme,
    /// An empty part, `.` or `..`.
    #[error("has a part that is empty, `.` or `..`")]
    Part,
    /// A character that stores disagree about.
    #[error("has a backslash, a percent sign or a control character")]
    Character,
}

impl std::str::FromStr for ObjectKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.is_empty() || text.chars().count() > 1024 {
            return Err(KeyError::Length);
        }
        if text.chars().any(|c| c == '\\' || c == '%' || c.is_control()) {
            return Err(KeyError::Character);
        }
        if text.starts_with('/') {
            return Err(KeyError::Absolute);
        }
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        let scheme_character = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-');
        if scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(scheme_character) {
            return Err(KeyError::Scheme);
        }
        if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(KeyError::Part);
        }
        Ok(Self(text.to_owned()))
    }
}

impl ObjectKey {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyError, ObjectKey};

    #[test]
    fn a_key_can_neither_leave_the_store_nor_name_another() {
        for good in ["a.dcm", "images/2026/11/23/1.2.3.dcm", "a b/ü..png", "...", "1:2"] {
            assert!(good.parse::<ObjectKey>().is_ok(), "{good}");
        }
        let bad = [
            ("", KeyError::Length),
            ("/etc/passwd", KeyError::Absolute),
            ("../x", KeyError::Part),
            ("a/../../x", KeyError::Part),
            ("a/..", KeyError::Part),
            ("./a", KeyError::Part),
            ("a//b", KeyError::Part),
            ("a/", KeyError::Part),
            ("file:///etc/passwd", KeyError::Scheme),
            ("s3://bucket/a", KeyError::Scheme),
            ("C:/x", KeyError::Scheme),
            ("a\\..\\b", KeyError::Character),
            ("%2e%2e/x", KeyError::Character),
            ("a\0b", KeyError::Character),
        ];
        for (text, problem) in bad {
            assert_eq!(text.parse::<ObjectKey>(), Err(problem), "{text:?}");
        }
    }
}
