//! Reading the fields of a JSON object, with errors that name the field and never quote its value.

use std::fmt::Display;
use std::str::FromStr;

use serde_json::{Map, Value};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use crate::EventError;

/// A JSON object and the place it has in the event (`""` or `"data."`).
pub struct Fields<'a> {
    map: &'a Map<String, Value>,
    place: &'static str,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(value: &'a Value, place: &'static str) -> Option<Self> {
        value.as_object().map(|map| Self { map, place })
    }

    /// A field that was given; JSON's null is not.
    fn given(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    fn required(&self, name: &'static str) -> Result<&'a Value, EventError> {
        self.given(name).ok_or_else(|| EventError::Missing(self.full_name(name)))
    }

    /// A text whose own type checks everything.
    pub(crate) fn raw_text(&self, name: &'static str) -> Result<&'a str, EventError> {
        self.required(name)?.as_str().ok_or_else(|| self.invalid(name, "not a text"))
    }

    /// A text of 1 to `longest` characters, none of them a control character.
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
        let text = self.text(name, 64)?;
        OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| self.invalid(name, "not a time as RFC 3339 writes it"))
    }

    pub(crate) fn optional_time(&self, name: &'static str) -> Result<Option<OffsetDateTime>, EventError> {
        self.given(name).map(|_| self.time(name)).transpose()
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
        let number = self.required(name)?.as_i64().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            self.invalid(name, format_args!("not a whole number from {} to {}", range.start(), range.end()))
        })
    }

    pub(crate) fn optional_whole(
        &self,
        name: &'static str,
        range: std::ops::RangeInclusive<i64>,
    ) -> Result<Option<i64>, EventError> {
        self.given(name).map(|_| self.whole(name, range)).transpose()
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
        Fields::of(self.required(name)?, place).ok_or_else(|| self.invalid(name, "not an object"))
    }

    pub(crate) fn optional_object(&self, name: &'static str) -> Result<Option<Fields<'a>>, EventError> {
        self.given(name).map(|_| self.object(name)).transpose()
    }

    pub(crate) fn invalid(&self, name: &'static str, problem: impl Display) -> EventError {
        EventError::Invalid { field: self.full_name(name), problem: problem.to_string() }
    }

    fn checked_text(&self, name: &'static str, value: &Value, longest: usize) -> Result<String, EventError> {
        let text = value.as_str().ok_or_else(|| self.invalid(name, "not a text"))?;
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

/// A time as events write it, in UTC.
pub(crate) fn rfc3339(time: OffsetDateTime) -> String {
    let utc = time.to_offset(time::UtcOffset::UTC);
    utc.format(&Rfc3339).expect("years from 0 to 9999 can be written; others cannot be read in")
}
