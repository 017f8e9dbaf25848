//! Columns whose type is a word, a UID or a digest; counts; spans of time.

use std::error::Error;
use std::str::FromStr;
use std::time::Duration;

use cspine_domain::{Note, Notes, Orientation};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::postgres::types::PgInterval;

/// A text column, parsed.
pub(crate) fn parsed<T>(row: &PgRow, column: &str) -> Result<T, sqlx::Error>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    parse(column, row.try_get::<&str, _>(column)?)
}

/// A text column, parsed unless it is null.
pub(crate) fn parsed_option<T>(row: &PgRow, column: &str) -> Result<Option<T>, sqlx::Error>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    row.try_get::<Option<&str>, _>(column)?.map(|text| parse(column, text)).transpose()
}

/// Notes as an array of codes keeps them.
pub(crate) fn codes(notes: &Notes) -> Vec<&'static str> {
    notes.iter().copied().map(Note::as_str).collect()
}

/// The notes of an array of codes. One that a newer version wrote is left out: a note never stands in an answer's way.
pub(crate) fn notes(row: &PgRow, column: &str) -> Result<Notes, sqlx::Error> {
    let codes: Vec<String> = row.try_get(column)?;
    Ok(codes.iter().filter_map(|code| code.parse().ok()).collect())
}

/// The column `orientation`: EXIF's number, or null.
pub(crate) fn orientation(row: &PgRow) -> Result<Option<Orientation>, sqlx::Error> {
    let number: Option<i16> = row.try_get("orientation")?;
    Ok(number.and_then(|number| Orientation::from_exif(number.unsigned_abs())))
}

/// What SQL counted.
pub(crate) fn count(row: &PgRow, column: &str) -> Result<u64, sqlx::Error> {
    Ok(row.try_get::<i64, _>(column)?.unsigned_abs())
}

fn parse<T>(column: &str, text: &str) -> Result<T, sqlx::Error>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    text.parse().map_err(|e| sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(e) })
}

/// Bounds come from the configuration; centuries are as good as for ever.
pub(crate) fn interval(duration: Duration) -> PgInterval {
    let microseconds = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX).min(i64::MAX / 100);
    PgInterval { months: 0, days: 0, microseconds }
}
