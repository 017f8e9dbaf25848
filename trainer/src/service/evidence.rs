//! What a run's link in the chain of evidence says of its labels.

use std::collections::BTreeMap;

use cspine_domain::Sha256;
use serde_json::{Value, json};

use crate::tune::Lesson;

/// Digest and counts of the labels that a run was given: with the reviews in the database it can be computed again.
pub fn labels(lessons: &[Lesson]) -> Value {
    let mut lines: Vec<String> =
        lessons.iter().map(|lesson| format!("{} {} {:?}\n", lesson.content, lesson.class, lesson.role)).collect();
    lines.sort_unstable();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for lesson in lessons {
        *counts.entry(format!("{:?} {}", lesson.role, lesson.class)).or_default() += 1;
    }
    json!({ "digest": Sha256::of(lines.concat().as_bytes()), "images": lessons.len(), "by_role_and_class": counts })
}
