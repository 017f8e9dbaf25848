//! Reading the fields of a JSON object, with errors that name the field and never quote its value.

use std::fmt::Display;
use std::str::FromStr;

use serde_json::{Map, Value};
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use crate::EventError;
use crate::times;
use crate::tolerant::Receipt;

/// A JSON object and the place it has in the event (`""` or `"data."`).
pub struct Fields<'a> {
    map: &'a Map<String, Value>,
    place: &'static str,
    pub(crate) receipt: &'a Receipt<'a>,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(value: &'a Value, place: &'static str, receipt: &'a Receipt<'a>) -> Option<Self> {
        value.as_object().map(|map| Self { map, place, receipt })
    }

    /// A field that was given; JSON's null is not, nor a text of padding alone.
    pub(crate) fn given(&self, name: &str) -> Option<&'a Value> {
        let is_blank = |value: &Value| value.as_str().is_some_and(|text| unpadded(text).is_empty());
        self.map.get(name).filter(|value| !value.is_null() && !is_blank(value))
    }

    fn required(&self, name: &'static str) -> Result<&'a Value, EventError> {
        self.given(name).ok_or_else(|| EventError::Missing(self.full_name(name)))
    }

    /// A text whose own type checks everything.
    pub(crate) fn raw_text(&self, name: &'static str) -> Result<&'a str, EventError> {
        let value = self.map.get(name).filter(|value| !value.is_null());
        let value = value.ok_or_else(|| EventError::Missing(self.full_name(name)))?;
        value.as_str().ok_or_else(|| self.invalid(name, "not a text"))
    }

    /// A text of 1 to `longest` characters without its padding, none of them a control character.
    pub(crate) fn text(&self, name: &'static str, longest: usize) -> Result<String, EventError> {
        self.checked_text(name, self.required(name)?, longest)
    }

    pub(crate) fn optional_text(&self, name: &'static str, longest: usize) -> Result<Option<String>, EventError> {
        self.given(name).map(|value| self.checked_text(name, value, longest)).transpose()
    }

    /// A list of 1 to `most` such texts.
    pub(crate) fn texts(&self, name: &'static str, most: usize, longest: usize) -> Result<Vec<String>, EventError> {
        let values = self.required(name)?.as_array().filter(|values| (1..=most).contains(&values.len()));
        let values = values.ok_or_else(|| self.invalid(name, format_args!("not a list of 1 to {most}")))?;
        values.iter().map(|value| self.checked_text(name, value, longest)).collect()
    }

    /// A list of codes: a lower-case letter, then letters, digits and underscores, 64 characters at most. Absent is empty.
    pub(crate) fn codes(&self, name: &'static str) -> Result<Vec<String>, EventError> {
        const MOST: usize = 256;
        let Some(value) = self.given(name) else { return Ok(Vec::new()) };
        let of_code = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let is_code = |code: &str| {
            code.len() <= 64 && code.starts_with(|c: char| c.is_ascii_lowercase()) && code.bytes().all(of_code)
        };
        let code = |value: &Value| value.as_str().filter(|code| is_code(code)).map(str::to_owned);
        let codes = value.as_array().filter(|codes| codes.len() <= MOST);
        let codes = codes.and_then(|codes| codes.iter().map(code).collect());
        codes.ok_or_else(|| self.invalid(name, "not a list of codes"))
    }

    /// A text that `T` can be read from.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&self, name: &'static str) -> Result<T, EventError> {
        self.text(name, 1024)?.parse().map_err(|error: T::Err| self.invalid(name, error))
    }

    pub(crate) fn optional_parsed<T: FromStr<Err: Display>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, EventError> {
        self.given(name).map(|_| self.parsed(name)).transpose()
    }

    pub(crate) fn time(&self, name: &'static str) -> Result<OffsetDateTime, EventError> {
        let time = times::rfc3339(&self.text(name, 64)?);
        time.ok_or_else(|| self.invalid(name, "not a time as RFC 3339 writes it, of the years 0 to 9999 in UTC"))
    }

    /// A day without a time.
    pub(crate) fn date(&self, name: &'static str) -> Result<Date, EventError> {
        let text = self.text(name, 64)?;
        let date = Date::parse(&text, format_description!("[year]-[month]-[day]")).ok();
        // a sign would be read as well
        let date = date.filter(|date| date.to_string() == text);
        date.ok_or_else(|| self.invalid(name, "not a day as RFC 3339 writes it"))
    }

    pub(crate) fn boolean(&self, name: &'static str) -> Result<bool, EventError> {
        self.required(name)?.as_bool().ok_or_else(|| self.invalid(name, "not true or false"))
    }

    /// A whole number from `range`.
    pub(crate) fn whole(&self, name: &'static str, range: std::ops::RangeInclusive<i64>) -> Result<i64, EventError> {
        let number = whole(self.required(name)?).and_then(|number| i64::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        number.ok_or_else(|| {
            self.invalid(name, format_args!("not a whole number from {} to {}", range.start(), range.end()))
        })
    }

    /// A probability.
    pub(crate) fn fraction(&self, name: &'static str) -> Result<f64, EventError> {
        let number = self.required(name)?.as_f64().filter(|number| (0.0..=1.0).contains(number));
        number.ok_or_else(|| self.invalid(name, "not a number from 0 to 1"))
    }

    pub(crate) fn object(&self, name: &'static str) -> Result<Fields<'a>, EventError> {
        let place = match (self.place, name) {
            ("", "data") => "data.",
            ("data.", "image") => "data.image.",
            ("data.", "probabilities") => "data.probabilities.",
            ("data.", "saliency") => "data.saliency.",
            ("data.", "arrival") => "data.arrival.",
            _ => "",
        };
        Fields::of(self.required(name)?, place, self.receipt).ok_or_else(|| self.invalid(name, "not an object"))
    }

    pub(crate) fn optional_object(&self, name: &'static str) -> Result<Option<Fields<'a>>, EventError> {
        self.given(name).map(|_| self.object(name)).transpose()
    }

    pub(crate) fn invalid(&self, name: &'static str, problem: impl Display) -> EventError {
        EventError::Invalid { field: self.full_name(name), problem: problem.to_string() }
    }

    pub(crate) fn checked_text(&self, name: &'static str, value: &Value, longest: usize) -> Result<String, EventError> {
        let text = unpadded(value.as_str().ok_or_else(|| self.invalid(name, "not a text"))?);
        if text.is_empty() || text.chars().count() > longest {
            return Err(self.invalid(name, format_args!("not 1 to {longest} characters")));
        }
        if text.chars().any(char::is_control) {
            return Err(self.invalid(name, "has a control character"));
        }
        Ok(text.to_owned())
    }

    fn full_name(&self, name: &str) -> String {
        format!("{}{name}", self.place)
    }
}

/// Without the blanks and NULs with which DICOM, HL7 and databases fill a field.
pub(crate) fn unpadded(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\0')
}

/// A JSON number without a fraction, `123.0` included; what JSON's floats cannot say exactly is none.
pub(crate) fn whole(value: &Value) -> Option<i128> {
    const EXACT: f64 = (1_u64 << 53) as f64;
    let exact = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
    let float = || value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < EXACT);
    exact.or_else(|| float().map(|number| number as i128))
}
