//! The words every part shares. Parsed once at the edge; inside, nothing is checked again.
//!
//! This crate is pure: no I/O, no AMQP, no SQL, no Candle.

mod class;
mod key;
mod label;
mod note;
mod orientation;
mod priority;
mod reason;
mod sha256;
mod uid;
mod verdict;

pub use class::Class;
pub use key::{KeyError, ObjectKey};
pub use label::{ConfirmationSource, Label};
pub use note::{Note, Notes};
pub use orientation::{Orientation, Pose};
pub use priority::OrderPriority;
pub use reason::Reason;
pub use sha256::Sha256;
pub use uid::{Uid, UidError};
pub use verdict::Verdict;

/// A word that is not in one of this crate's vocabularies. It does not quote the word, which may be patient data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a known {0}")]
pub struct UnknownWord(pub &'static str);

/// Gives an enum its words: `as_str`, `Display`, `FromStr` and serde by the same table.
macro_rules! words {
    ($name:ident, $what:literal, { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word used in events, SQL and JSON.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl std::str::FromStr for $name {
            type Err = crate::UnknownWord;
            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word { $($word => Ok($name::$variant),)+ _ => Err(crate::UnknownWord($what)) }
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use words;
