//! Decimal strings (DS, PS3.5 section 6.2), also as devices write them: with a comma, or filled up with zero bytes.

use cspine_domain::{Note, Notes};

use super::dataset::malformed;
use crate::DecodeError;

/// The first value of a decimal or integer string.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Decimal {
    /// No value at all.
    Absent,
    Number {
        value: f64,
        /// Whether it has a comma for its point, or zero bytes around it.
        odd: bool,
    },
    /// Something that cannot be surely read as one number.
    Unreadable,
}

/// The longest text that is read as a number; the standard allows 16.
const LENGTH_MAX: usize = 64;

impl Decimal {
    pub fn parse(bytes: &[u8]) -> Self {
        if bytes.iter().all(|&byte| is_padding(byte)) {
            return Decimal::Absent;
        }
        let first = bytes.split(|&byte| byte == b'\\').next().unwrap_or_default();
        let text = trim(first);
        if text.len() > LENGTH_MAX || !text.iter().all(|byte| byte.is_ascii_digit() || b"+-.,eE".contains(byte)) {
            return Decimal::Unreadable;
        }
        let comma = text.contains(&b',');
        if comma && is_ambiguous(text) {
            return Decimal::Unreadable;
        }
        let number = std::str::from_utf8(text).unwrap_or_default().replace(',', ".");
        match number.parse::<f64>() {
            Ok(value) if value.is_finite() => Decimal::Number { value, odd: comma || first.contains(&0) },
            _ => Decimal::Unreadable,
        }
    }

    /// The number, if there is one; an odd one is noted.
    ///
    /// # Errors
    /// It is there and cannot be surely read: it must not be taken for another number, nor for none.
    pub fn sure(self, what: &'static str, notes: &mut Notes) -> Result<Option<f64>, DecodeError> {
        match self {
            Decimal::Absent => Ok(None),
            Decimal::Unreadable => Err(malformed(what)),
            Decimal::Number { value, odd } => {
                if odd {
                    notes.insert(Note::DecimalString);
                }
                Ok(Some(value))
            }
        }
    }
}

/// Whether a number with commas may have them between its thousands: `2,048` is two thousand to some and two to others.
fn is_ambiguous(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let groups: Vec<&[u8]> = digits.split(|&byte| byte == b',').collect();
    let [whole, rest @ ..] = &groups[..] else { return false };
    let thousands = (1..=3).contains(&whole.len()) && whole[0] != b'0';
    rest.len() > 1 || (thousands && rest.iter().all(|group| group.len() == 3 && group.iter().all(u8::is_ascii_digit)))
}

fn is_padding(byte: u8) -> bool {
    byte == 0 || byte.is_ascii_whitespace()
}

/// A text without the blanks and zero bytes around it.
pub(super) fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_padding(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_padding(*last)
    {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn a_comma_is_a_point_and_padding_is_none_of_the_number() {
        let plain = |value| Decimal::Number { value, odd: false };
        let odd = |value| Decimal::Number { value, odd: true };
        for (text, expected) in [
            (&b"1.5 "[..], plain(1.5)),
            (b"  -2e3", plain(-2000.0)),
            (b"+.5\\7", plain(0.5)),
            (b"1,5", odd(1.5)),
            (b"-0,125", odd(-0.125)),
            (b"2048,0 ", odd(2048.0)),
            (b"1,5E2", odd(150.0)),
            (b"1.5\0", odd(1.5)),
            (b"\0 1.5\0\0\0", odd(1.5)),
            (b"1,5\0\\3", odd(1.5)),
        ] {
            assert_eq!(Decimal::parse(text), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn what_cannot_be_surely_read_is_no_number() {
        for text in [
            &b"2,048"[..],
            b"-1,234",
            b"1,234,567",
            b"1,2,3",
            b"1.234,5",
            b"1,5.0",
            b"\\1.5",
            b" \\1.5",
            b"1.5\x001",
            b"1 5",
            b"NaN",
            b"inf",
            b"1e999",
            b"0x10",
            b"1.5 HU",
            b",",
            b"-",
            b"1-2",
            b"\xff1",
        ] {
            assert_eq!(Decimal::parse(text), Decimal::Unreadable, "{}", text.escape_ascii());
        }
        assert_eq!(Decimal::parse(&[b'1'; 65]), Decimal::Unreadable);
        for text in [&b""[..], b"  ", b"\0", b" \0\0"] {
            assert_eq!(Decimal::parse(text), Decimal::Absent);
        }
    }
}
