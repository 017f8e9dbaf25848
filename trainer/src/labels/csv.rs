//! Labels in a CSV file.

use anyhow::{Context, Result, anyhow, ensure};
use cspine_domain::{Sha256, Uid};
use cspine_store::NewReview;
use csv::StringRecord;
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use crate::table::Table;

/// A line, as it stands there.
#[derive(Debug, Deserialize, Serialize)]
struct Line {
    id: Option<String>,
    sop_instance_uid: String,
    content_sha256: String,
    label: String,
    reviewer: String,
    source: String,
    answer_seen: bool,
    confirmed_at: String,
    supersedes: Option<String>,
}

/// The lines' reviews, in their order, and the line of each. Without an id a line's is the digest of what it says: the same
/// line in another file is the same.
pub(super) fn read(bytes: &[u8], source: &str) -> Result<(Vec<NewReview>, Vec<u64>)> {
    let mut table = Table::new(bytes);
    let header = table.header()?;
    let (mut reviews, mut lines) = (Vec::new(), Vec::new());
    for record in table {
        let (line, record) = record?;
        let fields = record.deserialize::<Line>(Some(&header)).map_err(|error| anyhow!(said(&error, &header)));
        reviews.push(fields.and_then(|fields| review(fields, source)).with_context(|| format!("line {line}"))?);
        lines.push(line);
    }
    ensure!(!reviews.is_empty(), "it has no lines");
    Ok((reviews, lines))
}

fn review(mut line: Line, source: &str) -> Result<NewReview> {
    let word = |name: &str| format!("{name} is not what it should be");
    let text = |name: &str, value: String| {
        ensure!((1..=255).contains(&value.chars().count()), "{name} is empty or too long");
        Ok(value)
    };
    let event_id = match line.id.take().filter(|id| !id.is_empty()) {
        Some(id) => id,
        None => Sha256::of(&serde_json::to_vec(&line)?).to_string(),
    };
    Ok(NewReview {
        source: source.to_owned(),
        event_id,
        sop: line.sop_instance_uid.parse::<Uid>().context(word("sop_instance_uid"))?,
        content: line.content_sha256.parse().ok().context(word("content_sha256"))?,
        label: line.label.parse().context(word("label"))?,
        reviewer: text("reviewer", line.reviewer)?,
        label_source: line.source.parse().context(word("source"))?,
        answer_seen: line.answer_seen,
        confirmed_at: moment(&line.confirmed_at).with_context(|| word("confirmed_at"))?,
        supersedes: line.supersedes.filter(|id| !id.is_empty()),
    })
}

/// A moment that has a place in UTC's years too: `9999-12-31T23:59:59-01:00` is of the year 10000 there.
fn moment(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)
}

/// Without the value, which may be anything.
fn said(error: &csv::Error, header: &StringRecord) -> String {
    let csv::ErrorKind::Deserialize { err, .. } = error.kind() else { return "it cannot be read".to_owned() };
    let column = err.field().and_then(|field| header.get(usize::try_from(field).ok()?));
    match (err.kind(), column) {
        (csv::DeserializeErrorKind::Message(message), _) => message.clone(),
        (_, Some(column)) => format!("{column} is not what it should be"),
        (_, None) => "a field is not what it should be".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use cspine_domain::{Class, ConfirmationSource, Label};

    use super::*;

    const HEADER: &str =
        "id,sop_instance_uid,content_sha256,label,reviewer,source,answer_seen,confirmed_at,supersedes\n";
    const SHA: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn file(lines: &[&str]) -> Vec<u8> {
        format!("{HEADER}{}", lines.join("\n").replace("SHA", SHA)).into_bytes()
    }

    #[test]
    fn lines_become_reviews_with_their_ids() {
        let bytes = file(&[
            "a,1.2.3,SHA,fracture,r-1,ct,true,2026-11-25T10:00:00Z,",
            "b, 1.2.4,SHA,unusable,r-2,qa,false,2026-11-25T10:00:00+01:00,a",
        ]);
        let (reviews, lines) = read(&bytes, "qa-list").unwrap();
        assert_eq!(lines, [2, 3]);
        assert!(reviews.iter().all(|review| review.source == "qa-list"));
        assert_eq!((reviews[0].event_id.as_str(), reviews[1].event_id.as_str()), ("a", "b"));
        assert_eq!(
            (reviews[0].label, reviews[0].label_source),
            (Label::Class(Class::Fracture), ConfirmationSource::Ct)
        );
        assert_eq!((reviews[1].label, reviews[1].supersedes.as_deref()), (Label::Unusable, Some("a")));
    }

    #[test]
    fn a_line_without_an_id_has_the_same_in_every_file_and_another_than_every_other_line() {
        let lines = [
            ",1.2.3,SHA,fracture,r-1,ct,true,2026-11-25T10:00:00Z,",
            ",1.2.3,SHA,normal,r-1,ct,true,2026-11-25T10:00:00Z,",
            ",1.2.3,SHA,normal,r-2,ct,true,2026-11-25T10:00:00Z,",
        ];
        let ids = |lines: &[&str]| -> Vec<String> {
            read(&file(lines), "labels").unwrap().0.into_iter().map(|review| review.event_id).collect()
        };
        let once = ids(&lines[..2]);
        assert_eq!(ids(&[lines[2], lines[0], lines[1]])[1..], once);
        assert!(ids(&lines).iter().collect::<std::collections::HashSet<_>>().len() == 3);
    }

    #[test]
    fn a_line_that_is_wrong_is_named_without_what_it_says() {
        for (line, what) in [
            (",1.2.3,SHA,broken neck,r-1,ct,true,2026-11-25T10:00:00Z,", "label"),
            (",one,SHA,fracture,r-1,ct,true,2026-11-25T10:00:00Z,", "sop_instance_uid"),
            (",1.2.3,SHA,fracture,,ct,true,2026-11-25T10:00:00Z,", "reviewer"),
            (",1.2.3,SHA,fracture,r-1,ct,true,yesterday,", "confirmed_at"),
            (",1.2.3,SHA,fracture,r-1,ct,true,9999-12-31T23:59:59-01:00,", "confirmed_at"),
            (",1.2.3,SHA,fracture,r-1,ct,maybe,2026-11-25T10:00:00Z,", "answer_seen is not what it should be"),
            (",1.2.3,SHA,fracture,r-1,ct,true", "another number of fields"),
        ] {
            let good = ",1.2.3,SHA,normal,r-1,ct,true,2026-11-25T10:00:00Z,";
            let error = format!("{:#}", read(&file(&[good, line]), "labels").unwrap_err());
            assert!(error.contains("line 3") && error.contains(what), "{line}: {error}");
            for value in ["broken neck", "yesterday", "maybe"] {
                assert!(!error.contains(value), "{error}");
            }
        }
        assert!(read(HEADER.as_bytes(), "labels").is_err());
    }
}
