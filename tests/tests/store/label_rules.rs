//! The rules of labels and sides computed a second time, in plain Rust, and held against the database: what people say, in
//! random order, of images that come in random order, of patients who turn out to be others.

use std::collections::{BTreeMap, BTreeSet};

use cspine_domain::{Class, ConfirmationSource, Label, Sha256, Uid};
use cspine_store::{Arrival, LearningSet, NewReview, Store};
use cspine_tests::database::Database;
use cspine_tests::random::Random;
use time::{Duration, OffsetDateTime};

use crate::samples::arrival;

const ROUNDS: u32 = 120;
const IMAGES: u32 = 6;
const PATIENTS: usize = 4;

/// What happens, in some order.
#[derive(Debug, Clone)]
enum Step {
    /// An image comes, or comes again under a patient's pseudonym.
    Arrive(Box<Arrival>),
    /// Somebody says something.
    Say(NewReview),
    /// Two pseudonyms turn out to be one person.
    Merge(String, String),
    /// Sides are dealt.
    Deal,
}

/// What is known.
#[derive(Default)]
struct Known {
    images: BTreeMap<Uid, Arrival>,
    /// With the number the database gave it.
    said: Vec<(i64, NewReview)>,
    merged: Vec<(String, String)>,
    /// With the turn in which it was dealt.
    dealt: BTreeMap<String, (u32, LearningSet)>,
    turn: u32,
    key: Vec<u8>,
}

/// What follows for an image.
#[derive(Debug, PartialEq)]
struct Followed {
    sop: Uid,
    label: Label,
    label_source: ConfirmationSource,
    answer_seen: bool,
    disputed: bool,
    quarantined: bool,
    set: LearningSet,
    patient: String,
    review_id: i64,
    confirmed_at: OffsetDateTime,
}

impl Known {
    /// The label of each image, and what forbids its use, by what had been said up to a review.
    fn follows(&self, through: i64) -> Vec<Followed> {
        let mut followed: Vec<_> = self.images.values().filter_map(|image| self.image(image, through)).collect();
        let sides: Vec<_> = followed.iter().map(|image| (self.images[&image.sop].content, image.set)).collect();
        for image in &mut followed {
            let content = self.images[&image.sop].content;
            image.quarantined |= sides.iter().any(|(other, set)| *other == content && *set != image.set);
        }
        followed.sort_by_key(|image| (self.images[&image.sop].content, image.sop.clone()));
        followed
    }

    fn image(&self, image: &Arrival, through: i64) -> Option<Followed> {
        let said: Vec<_> = self.said.iter().filter(|(id, _)| *id <= through).collect();
        let counts = |(id, review): &&&(i64, NewReview)| {
            !said.iter().any(|(other_id, other)| {
                let corrects = other.source == review.source && other.supersedes.as_ref() == Some(&review.event_id);
                let later = (other.confirmed_at, *other_id) > (review.confirmed_at, *id);
                corrects || (other.sop == review.sop && other.reviewer == review.reviewer && later)
            })
        };
        let current: Vec<_> = said.iter().filter(|(_, review)| review.sop == image.sop).filter(counts).collect();
        let label_source = current.iter().map(|(_, review)| review.label_source).max()?;
        let deciding: Vec<_> = current.iter().filter(|(_, review)| review.label_source == label_source).collect();
        let (_, latest) = deciding.iter().max_by_key(|(id, review)| (review.confirmed_at, *id))?;
        let patient = patient(image);
        let set = self.side(&patient);
        let others = self.aliases(&patient).into_iter().chain([study(image)]);
        let quarantined = others.filter_map(|name| self.dealt.get(&name)).any(|(_, side)| *side != set);
        Some(Followed {
            sop: image.sop.clone(),
            label: latest.label,
            label_source,
            answer_seen: deciding.iter().any(|(_, review)| review.answer_seen),
            disputed: deciding.iter().any(|(_, review)| review.label != latest.label),
            quarantined,
            set,
            patient,
            review_id: current.iter().map(|(id, _)| *id).max()?,
            confirmed_at: current.iter().map(|(_, review)| review.confirmed_at).max()?,
        })
    }

    fn side(&self, patient: &str) -> LearningSet {
        if let Some((_, set)) = self.dealt.get(patient) {
            return *set;
        }
        let aliases = self.aliases(patient);
        let dealt = aliases.iter().filter_map(|name| self.dealt.get(name).map(|(turn, set)| (*turn, name, *set)));
        if let Some((_, _, set)) = dealt.min() {
            return set;
        }
        self.drawn(aliases.iter().map(String::as_str).chain([patient]).min().expect("there is the patient"))
    }

    fn drawn(&self, patient: &str) -> LearningSet {
        let hash = Sha256::of(&[&self.key, patient.as_bytes()].concat()).0;
        let draw = u32::from_be_bytes([0, hash[0], hash[1], hash[2]]) % 100;
        match draw {
            0..70 => LearningSet::Training,
            70..85 => LearningSet::Validation,
            _ if patient.starts_with("study:") => LearningSet::Validation,
            _ => LearningSet::Evaluation,
        }
    }

    fn aliases(&self, patient: &str) -> BTreeSet<String> {
        let mut person = BTreeSet::from([patient.to_owned()]);
        loop {
            let before = person.len();
            for (from, into) in &self.merged {
                if person.contains(from) || person.contains(into) {
                    person.extend([from.clone(), into.clone()]);
                }
            }
            if person.len() == before {
                person.remove(patient);
                return person;
            }
        }
    }

    fn deal(&mut self) {
        let labelled: Vec<_> = self.follows(i64::MAX).into_iter().map(|image| (image.sop, image.set)).collect();
        for (sop, set) in labelled {
            let image = &self.images[&sop];
            for name in [patient(image), study(image)] {
                self.dealt.entry(name).or_insert((self.turn, set));
            }
        }
    }
}

fn patient(image: &Arrival) -> String {
    image.patient_key.clone().unwrap_or_else(|| study(image))
}

fn study(image: &Arrival) -> String {
    format!("study:{}", image.study)
}

/// What happens in a round, whose images and people are its own.
fn steps(round: u32, random: &mut Random) -> Vec<Step> {
    let base = 100 + round * IMAGES;
    let people: Vec<String> = (0..PATIENTS).map(|number| format!("patient-{round:04}-{number}")).collect();
    // two images a study; some have the same bytes, and most a patient
    let images: Vec<Arrival> = (0..IMAGES)
        .map(|image| {
            let content = Sha256::of(format!("{round} {}", random.below(12)).as_bytes());
            let patient_key = (!random.once_in(3)).then(|| people[image as usize / 2].clone());
            Arrival { content, patient_key, ..arrival(base + image / 2, base + image) }
        })
        .collect();
    let mut steps: Vec<Step> = images.iter().cloned().map(Box::new).map(Step::Arrive).collect();
    for _ in 0..random.below(5) {
        let image = images[random.below(images.len())].clone();
        let patient_key = Some(people[random.below(PATIENTS)].clone());
        steps.push(Step::Arrive(Box::new(Arrival { patient_key, ..image })));
    }
    for _ in 0..random.below(4) {
        let (one, two) = (random.below(PATIENTS), random.below(PATIENTS));
        if one != two {
            steps.push(Step::Merge(people[one].clone(), people[two].clone()));
        }
    }
    for number in 0..4 + random.below(16) {
        steps.push(Step::Say(word(round, number, &images[random.below(images.len())], random)));
    }
    steps.extend((0..1 + random.below(4)).map(|_| Step::Deal));
    random.shuffle(&mut steps);
    steps
}

fn word(round: u32, number: usize, image: &Arrival, random: &mut Random) -> NewReview {
    let label = [Class::Dislocation.into(), Class::Fracture.into(), Class::Normal.into(), Label::Unusable];
    let corrected = random.below(number + 3);
    NewReview {
        source: format!("/room-{}", random.below(2)),
        event_id: format!("{round}-{number}"),
        sop: image.sop.clone(),
        content: image.content,
        label: random.pick(&label),
        reviewer: format!("reader-{}", random.below(4)),
        label_source: random.pick(ConfirmationSource::ALL),
        answer_seen: random.once_in(3),
        // few, so that some coincide
        confirmed_at: OffsetDateTime::UNIX_EPOCH + Duration::minutes(random.below(6) as i64),
        // of any source, of any image, or of an event that never comes
        supersedes: (random.once_in(3) && corrected != number).then(|| format!("{round}-{corrected}")),
    }
}

async fn take(store: &Store, known: &mut Known, step: Step) {
    known.turn += 1;
    match step {
        Step::Arrive(arrival) => {
            store.register_arrival(&arrival).await.unwrap();
            // a study has one pseudonym: of several the first by the alphabet
            let of_study = known.images.values().filter(|image| image.study == arrival.study);
            let patients = of_study.chain([&*arrival]).filter_map(|image| image.patient_key.clone());
            let patient_key = patients.min();
            let study = arrival.study.clone();
            known.images.entry(arrival.sop.clone()).or_insert(*arrival);
            for image in known.images.values_mut().filter(|image| image.study == study) {
                image.patient_key.clone_from(&patient_key);
            }
        }
        Step::Say(review) => {
            assert!(store.record_review(&review).await.unwrap());
            let id = sqlx::query_scalar("select id from reviews where source = $1 and event_id = $2")
                .bind(&review.source)
                .bind(&review.event_id)
                .fetch_one(store.pool())
                .await
                .unwrap();
            known.said.push((id, review));
        }
        Step::Merge(from, into) => {
            store.merge_patients(&from, &into, "registry").await.unwrap();
            known.merged.push((from, into));
        }
        Step::Deal => {
            store.assign_sets().await.unwrap();
            known.deal();
        }
    }
}

/// The database's answer for the images of a round.
async fn answered(store: &Store, known: &Known, through: i64) -> Vec<Followed> {
    let images = store.labelled_images(through).await.unwrap().into_iter();
    images
        .filter(|image| known.images.contains_key(&image.sop))
        .map(|image| Followed {
            sop: image.sop,
            label: image.label,
            label_source: image.label_source,
            answer_seen: image.answer_seen,
            disputed: image.disputed,
            quarantined: image.quarantined,
            set: image.set,
            patient: image.patient,
            review_id: image.review_id,
            confirmed_at: image.confirmed_at,
        })
        .collect()
}

#[tokio::test]
async fn labels_and_sides_are_what_their_rules_say_in_whatever_order_things_happen() {
    let db = Database::create().await;
    let key: Vec<u8> = sqlx::query_scalar("select key from split_key").fetch_one(db.store.pool()).await.unwrap();
    let mut random = Random::new(4);
    let (mut compared, mut disputed, mut quarantined) = (0, 0, 0);
    for round in 0..ROUNDS {
        let mut known = Known { key: key.clone(), ..Known::default() };
        let steps = steps(round, &mut random);
        for step in steps.clone() {
            take(&db.store, &mut known, step).await;
            if random.once_in(8) {
                assert_eq!(answered(&db.store, &known, i64::MAX).await, known.follows(i64::MAX), "{steps:#?}");
            }
        }
        let ids: Vec<i64> = known.said.iter().map(|(id, _)| *id).collect();
        for through in [i64::MAX, random.pick(&ids)] {
            let follows = known.follows(through);
            assert_eq!(
                answered(&db.store, &known, through).await,
                follows,
                "round {round} through {through}: {steps:#?}"
            );
            compared += follows.len();
            disputed += follows.iter().filter(|image| image.disputed).count();
            quarantined += follows.iter().filter(|image| image.quarantined).count();
        }
    }
    println!("{compared} compared, {disputed} in dispute, {quarantined} quarantined");
    assert!(compared > 500 && disputed > 50 && quarantined > 50);
}
