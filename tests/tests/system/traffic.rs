//! A day's events, made from a seed, with what has to come of them.

use std::collections::BTreeMap;
use std::path::Path;

use cspine_domain::{OrderPriority, Reason, Sha256};
use cspine_tests::python::Message;
use cspine_tests::random::Random;
use serde_json::{Value, json};

use crate::files::{Object, not_assessable, pngs, store, unreadable};

/// SOP instance UID and content hash.
pub type Image = (String, String);

/// What is published, and what has to be there in the end.
#[derive(Default)]
pub struct Traffic {
    /// In the order of publication.
    pub messages: Vec<Message>,
    /// Each image that gets a finding: none means scored, else why not.
    pub answered: BTreeMap<Image, Option<Reason>>,
    /// Each message that is parked, by its event's id or its body's hash.
    pub parked: BTreeMap<String, Reason>,
    /// Each study that is registered, with the most urgent of its orders.
    pub studies: BTreeMap<String, OrderPriority>,
    /// Studies in which one SOP instance UID came with different bytes.
    pub conflicts: Vec<String>,
}

/// How many kinds of events and files there are that get no score.
const KINDS_OF_BAD: usize = 15;
/// How often each of them occurs.
const BAD_EACH: usize = 2;

impl Traffic {
    /// `count` messages of which a tenth are duplicates, shuffled; their files are put into the store.
    pub fn generate(seed: u64, count: usize, objects: &Path) -> Self {
        let mut maker = Maker { random: Random::new(seed), objects, seed, made: 0, traffic: Self::default() };
        let distinct = count - count / 10;
        let conflicts = 3;
        for _ in 0..BAD_EACH {
            maker.bad();
        }
        for _ in 0..conflicts {
            maker.conflict();
        }
        while maker.traffic.messages.len() < distinct {
            let images = 1 + maker.random.below(3).min(distinct - maker.traffic.messages.len() - 1);
            let study = maker.uid();
            for _ in 0..images {
                maker.sound(&study);
            }
        }
        let Maker { mut random, mut traffic, .. } = maker;
        for _ in 0..count / 10 {
            let again = random.below(distinct);
            traffic.messages.push(traffic.messages[again].clone());
        }
        random.shuffle(&mut traffic.messages);
        traffic
    }

    /// How many findings and parked rows there will be: nothing that was accepted is missing, nothing counts twice.
    pub fn outcomes(&self) -> usize {
        self.answered.len() + self.parked.len()
    }
}

struct Maker<'a> {
    random: Random,
    objects: &'a Path,
    seed: u64,
    made: u32,
    traffic: Traffic,
}

impl Maker<'_> {
    fn uid(&mut self) -> String {
        self.made += 1;
        format!("1.2.826.0.1.3680043.8.498.{}.{}", self.seed, self.made)
    }

    /// An image that is scored.
    fn sound(&mut self, study: &str) {
        let object = self.png_object();
        self.answered_event(study, &object, None);
    }

    /// One SOP instance UID with two contents: both are scored, the study is marked.
    fn conflict(&mut self) {
        let (study, sop) = (self.uid(), self.uid());
        let first = self.random.below(pngs().len());
        for file in [first, (first + 1) % pngs().len()] {
            let object = self.object(pngs()[file].clone());
            let event = self.event(&study, &sop, &object);
            self.register(&study, &event);
            self.traffic.answered.insert((sop.clone(), object.sha256.to_string()), None);
            self.publish(&event);
        }
        self.traffic.conflicts.push(study);
    }

    /// One of every kind that gets no score.
    fn bad(&mut self) {
        let before = self.traffic.messages.len();
        for (reason, bytes) in not_assessable() {
            let (study, object) = (self.uid(), self.object(bytes));
            self.answered_event(&study, &object, Some(reason));
        }
        self.chest();
        for (reason, bytes) in unreadable() {
            let object = self.object(bytes);
            self.failing_event(reason, |_| (), &object);
        }
        let object = self.png_object();
        let other = Sha256::of(b"other bytes").to_string();
        self.failing_event(Reason::HashMismatch, |event| event["data"]["image"]["sha256"] = json!(other), &object);
        let longer = object.size_bytes + 1;
        self.failing_event(Reason::ObjectShort, |event| event["data"]["image"]["size_bytes"] = json!(longer), &object);
        let absent = Object { key: format!("images/absent-{}.png", self.made), ..object.clone() };
        self.failing_event(Reason::ObjectMissing, |_| (), &absent);
        // these cannot be read as events: no image is registered
        self.unreadable_event(Reason::BadKey, &object, |event| event["data"]["image"]["key"] = json!("../outside.png"));
        self.unreadable_event(Reason::BadVersion, &object, |event| {
            event["type"] = json!("org.cspine.image.arrived.v2");
        });
        self.unreadable_event(Reason::BadSchema, &object, |event| {
            event["data"].as_object_mut().expect("an object").remove("sop_instance_uid");
        });
        self.unreadable_event(Reason::BadSchema, &object, |event| event["data"]["study_instance_uid"] = json!("1..2"));
        self.no_json();
        assert_eq!(self.traffic.messages.len() - before, KINDS_OF_BAD);
    }

    fn chest(&mut self) {
        let (study, sop) = (self.uid(), self.uid());
        let object = self.png_object();
        let mut event = self.event(&study, &sop, &object);
        event["data"]["body_part"] = json!("CHEST");
        self.register(&study, &event);
        self.traffic.answered.insert((sop, object.sha256.to_string()), Some(Reason::OutOfScope));
        self.publish(&event);
    }

    fn no_json(&mut self) {
        self.made += 1;
        let body = format!("{{ this is no JSON, number {} of {}", self.made, self.seed).into_bytes();
        self.traffic.parked.insert(Sha256::of(&body).to_string(), Reason::BadSchema);
        self.traffic.messages.push(Message { routing_key: "image.arrived.routine".into(), body });
    }

    fn answered_event(&mut self, study: &str, object: &Object, reason: Option<Reason>) {
        let sop = self.uid();
        let event = self.event(study, &sop, object);
        self.register(study, &event);
        self.traffic.answered.insert((sop, object.sha256.to_string()), reason);
        self.publish(&event);
    }

    /// An event that can be read and whose image cannot: its study is listed.
    fn failing_event(&mut self, reason: Reason, spoil: impl FnOnce(&mut Value), object: &Object) {
        let (study, sop) = (self.uid(), self.uid());
        let mut event = self.event(&study, &sop, object);
        spoil(&mut event);
        self.register(&study, &event);
        self.park(&event, reason);
    }

    /// An event of which no more can be read than its study, if that: where it can, the study is listed.
    fn unreadable_event(&mut self, reason: Reason, object: &Object, spoil: impl FnOnce(&mut Value)) {
        let (study, sop) = (self.uid(), self.uid());
        let mut event = self.event(&study, &sop, object);
        spoil(&mut event);
        if event["data"]["study_instance_uid"] == study {
            self.register(&study, &event);
        }
        self.park(&event, reason);
    }

    fn park(&mut self, event: &Value, reason: Reason) {
        self.traffic.parked.insert(event["id"].as_str().expect("an id").into(), reason);
        self.publish(event);
    }

    fn register(&mut self, study: &str, event: &Value) {
        let order: OrderPriority = event["data"]["order_priority"]
            .as_str()
            .map_or(Ok(OrderPriority::Routine), str::parse)
            .expect("a priority");
        let most_urgent = self.traffic.studies.entry(study.into()).or_insert(order);
        *most_urgent = order.min(*most_urgent);
    }

    fn publish(&mut self, event: &Value) {
        // the routing key only chooses the lane; one in twenty is wrong about it
        let honest = event["data"]["order_priority"].as_str().unwrap_or("routine");
        let lane = if self.random.once_in(20) { self.random.pick(&["stat", "routine"]) } else { honest };
        let message = Message { routing_key: format!("image.arrived.{lane}"), body: event.to_string().into_bytes() };
        self.traffic.messages.push(message);
    }

    /// What an integrator would write by the README, from the design's text and not from our types.
    fn event(&mut self, study: &str, sop: &str, object: &Object) -> Value {
        self.made += 1;
        let mut event = json!({
            "specversion": "1.0",
            "type": "org.cspine.image.arrived.v1",
            "id": format!("{}-{}", self.seed, self.made),
            "source": "/stranger/pika",
            "subject": sop,
            "time": "2026-11-23T02:25:21Z",
            "datacontenttype": "application/json",
            "unknown": {"fields": "are ignored"},
            "data": {
                "study_instance_uid": study,
                "series_instance_uid": format!("{study}.1"),
                "sop_instance_uid": sop,
                "modality": "DX",
                "body_part": "CSPINE",
                "view": "LL",
                "image": {
                    "key": object.key,
                    "media_type": "image/png",
                    "sha256": object.sha256.to_string(),
                    "size_bytes": object.size_bytes,
                }
            }
        });
        match self.random.below(10) {
            0 => event["data"]["order_priority"] = json!("stat"),
            1 | 2 => event["data"]["order_priority"] = json!("urgent"),
            3..=7 => event["data"]["order_priority"] = json!("routine"),
            _ => {} // absent: routine
        }
        event
    }

    fn png_object(&mut self) -> Object {
        let bytes = pngs()[self.random.below(pngs().len())].clone();
        self.object(bytes)
    }

    fn object(&mut self, bytes: Vec<u8>) -> Object {
        self.made += 1;
        store(self.objects, &format!("images/{}/{}.png", self.seed, self.made), &bytes)
    }
}
