//! Times of events, bounded once and for all: whatever is read here can be computed with, written and stored.

use time::format_description::well_known::{Iso8601, Rfc3339};
use time::{OffsetDateTime, UtcOffset};

/// A time as RFC 3339 writes it, in UTC; `None` also for one that UTC cannot hold within the years 0 to 9999, which are
/// those that RFC 3339 can write and well within Postgres' bounds: `9999-12-31T23:59:59-01:00` is of the year 10000.
pub(crate) fn rfc3339(text: &str) -> Option<OffsetDateTime> {
    bounded(OffsetDateTime::parse(text, &Rfc3339).ok()?)
}

/// The same, or a moment as ISO 8601 or a DICOM date and time writes it. Without an offset it is no moment: nobody knows
/// which clock was meant.
pub(crate) fn moment(text: &str) -> Option<OffsetDateTime> {
    let iso = |text: &str| bounded(OffsetDateTime::parse(text, &Iso8601::PARSING).ok()?);
    rfc3339(text).or_else(|| iso(text)).or_else(|| iso(&dicom_as_iso(text)?))
}

/// `20261123022458.123+0100` (PS3.5, value representation DT) with the T that ISO 8601 puts before the hours.
fn dicom_as_iso(text: &str) -> Option<String> {
    let (date, time) = text.split_at_checked(8)?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(date) && digits(time.get(..6)?)).then(|| format!("{date}T{time}"))
}

fn bounded(time: OffsetDateTime) -> Option<OffsetDateTime> {
    time.checked_to_offset(UtcOffset::UTC).filter(|utc| (0..=9999).contains(&utc.year()))
}

/// A time as events write it, in UTC.
pub(crate) fn written(time: OffsetDateTime) -> String {
    let utc = time.to_offset(UtcOffset::UTC);
    utc.format(&Rfc3339).expect("years from 0 to 9999 can be written; others cannot be read in")
}

#[cfg(test)]
mod tests {
    use super::{moment, rfc3339, written};

    #[test]
    fn a_moment_is_read_as_rfc_3339_iso_8601_and_dicom_write_it() {
        for text in [
            "2026-11-23T02:24:58.5Z",
            "2026-11-23t03:24:58.5+01:00",
            "2026-11-23T03:24:58.500+0100",
            "20261123T032458.5+0100",
            "20261123022458.500000+0000",
            "20261122212458.5-0500",
        ] {
            assert_eq!(moment(text).map(written).as_deref(), Some("2026-11-23T02:24:58.5Z"), "{text}");
        }
        for text in
            ["20261123022458", "2026-11-23T02:24:58", "2026-11-23", "20261123", "022458", "now", "", "20261123é"]
        {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn what_utc_or_postgres_cannot_hold_is_no_time() {
        for text in [
            "9999-12-31T23:59:59-01:00",
            "9999-12-31T23:59:59-00:01",
            "0000-01-01T00:00:00+00:01",
            "-9999-01-01T00:00:00Z",
            "+10000-01-01T00:00:00Z",
            "-009999-12-31T00:00:00Z",
            "99991231235959-0100",
            "2025-02-29T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-01-01T25:00:00Z",
        ] {
            assert_eq!((rfc3339(text), moment(text)), (None, None), "{text}");
        }
        for text in [
            "9999-12-31T23:59:59.999999999Z",
            "9999-12-31T23:59:59+14:00",
            "0000-01-01T00:00:00-14:00",
            "2024-02-29T00:00:00Z",
            "2016-12-31T23:59:60Z",
        ] {
            let time = rfc3339(text).unwrap_or_else(|| panic!("{text}"));
            assert!(!written(time).is_empty());
        }
    }
}
