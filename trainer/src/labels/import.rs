//! `cspine-trainer labels import`.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use cspine_store::NewReview;

use super::{ImportArgs, csv};
use crate::database::connect;

pub(super) async fn run(args: &ImportArgs) -> Result<()> {
    let bytes = std::fs::read(&args.file).with_context(|| format!("reading {}", args.file.display()))?;
    let (reviews, numbers) = csv::read(&bytes, &args.source).with_context(|| args.file.display().to_string())?;
    let store = connect(&args.database).await?;
    let ids: Vec<String> = reviews
        .iter()
        .flat_map(|review| [Some(&review.event_id), review.supersedes.as_ref()])
        .flatten()
        .cloned()
        .collect();
    let there = store.reviews_named(&args.source, &ids).await?;

    let mut named: HashMap<&str, &NewReview> = there.iter().map(|review| (review.event_id.as_str(), review)).collect();
    let changed =
        lines(&reviews, &numbers, |review| !named.entry(&review.event_id).or_insert(review).says_the_same(review));
    ensure!(
        changed.is_empty(),
        "another label has the id of {}: what corrects one has an id of its own, and names the other in supersedes",
        changed.join(", ")
    );
    let taken = store.record_reviews(&reviews).await?;
    println!("{} lines: {taken} new labels, {} were there", reviews.len(), reviews.len() - taken);
    let early =
        lines(&reviews, &numbers, |review| review.supersedes.as_deref().is_some_and(|id| !named.contains_key(id)));
    if !early.is_empty() {
        println!("{} correct what is not on record of {}: {}", early.len(), args.source, early.join(", "));
    }
    Ok(())
}

/// The lines of which something holds.
fn lines<'a>(reviews: &'a [NewReview], numbers: &[u64], mut holds: impl FnMut(&'a NewReview) -> bool) -> Vec<String> {
    let held = reviews.iter().zip(numbers).filter(|(review, _)| holds(review));
    held.map(|(_, number)| format!("line {number}")).collect()
}
