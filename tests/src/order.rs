//! The design's priority and order, computed a second time: from what was sent and what was found, without the database's
//! functions, its view, or the columns the store derived.

use cspine_domain::{OrderPriority, Verdict};
use time::{Duration, OffsetDateTime};

/// An image's answer as it stands in `findings`.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// The verdict.
    pub verdict: Verdict,
    /// The flag.
    pub flagged: bool,
    /// p(dislocation), 0 when not assessed.
    pub dislocation: f32,
    /// p(fracture), 0 when not assessed.
    pub fracture: f32,
}

/// What is known of a study.
#[derive(Debug, Clone)]
pub struct Study {
    /// Study instance UID.
    pub uid: String,
    /// The most urgent of its events.
    pub order_priority: OrderPriority,
    /// First registration.
    pub arrived_at: OffsetDateTime,
    /// The answers of its images.
    pub answers: Vec<Answer>,
}

/// A place on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Study instance UID.
    pub uid: String,
    /// 0 to 3.
    pub level: i16,
    /// Any image flagged.
    pub flagged: bool,
}

/// The list as it has to be at this time.
pub fn expected(studies: &[Study], now: OffsetDateTime) -> Vec<Place> {
    let mut list: Vec<(&Study, Place)> = studies.iter().map(|study| (study, place(study, now))).collect();
    list.sort_by_key(|(study, place)| (place.level, !place.flagged, study.arrived_at));
    list.into_iter().map(|(_, place)| place).collect()
}

fn place(study: &Study, now: OffsetDateTime) -> Place {
    let flagged: Vec<&Answer> = study.answers.iter().filter(|answer| answer.flagged).collect();
    let injury = |answer: &&Answer| if answer.dislocation >= answer.fracture { 0 } else { 1 };
    let (order, cap) = match study.order_priority {
        OrderPriority::Stat => (0, None),
        OrderPriority::Urgent => (2, Some(Duration::minutes(60))),
        OrderPriority::Routine => (3, Some(Duration::minutes(240))),
    };
    let mut level: i16 = flagged.iter().map(injury).min().map_or(order, |ai| ai.min(order));
    let mut waited = now - study.arrived_at;
    while let Some(cap) = cap
        && waited >= cap
        && level > 1
    {
        level -= 1;
        waited -= cap;
    }
    Place { uid: study.uid.clone(), level, flagged: !flagged.is_empty() }
}
