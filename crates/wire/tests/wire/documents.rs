//! `docs/events/` against the Rust types: what a schema accepts the type takes, and what it refuses the type refuses, but
//! for what is tolerated on purpose (`tolerated`).

use std::path::{Path, PathBuf};

use cspine_wire::{AnyEvent, EventKind, Lane};
use serde_json::{Value, json};

fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/events")
}

fn read(path: &str) -> Value {
    let path = documents().join(path);
    serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

fn name(kind: EventKind) -> &'static str {
    kind.as_type().strip_prefix("org.cspine.").unwrap()
}

fn schema(kind: EventKind) -> jsonschema::Validator {
    let schema = read(&format!("{}.schema.json", name(kind)));
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

pub fn example(kind: EventKind) -> Value {
    read(&format!("examples/{}.json", name(kind)))
}

fn parses(event: &Value) -> bool {
    AnyEvent::parse(event.to_string().as_bytes()).is_ok()
}

#[test]
fn every_example_is_taken_by_its_schema_and_by_its_type() {
    for kind in EventKind::ALL {
        let example = example(kind);
        assert!(schema(kind).is_valid(&example), "{kind:?}");
        assert_eq!(AnyEvent::parse(example.to_string().as_bytes()).unwrap().kind(), kind);
    }
}

#[test]
fn what_the_types_write_is_taken_by_the_schemas_and_reads_back_the_same() {
    for kind in EventKind::ALL {
        let parsed = AnyEvent::parse(example(kind).to_string().as_bytes()).unwrap();
        let written = match &parsed {
            AnyEvent::ImageArrived(event) => event.to_json(),
            AnyEvent::ImageConfirmed(event) => event.to_json(),
            AnyEvent::StudyStatus(event) => event.to_json(),
            AnyEvent::FindingCreated(event) => event.to_json(),
            AnyEvent::StudyReprioritised(event) => event.to_json(),
            AnyEvent::ModelDrifted(event) => event.to_json(),
        };
        assert!(schema(kind).is_valid(&serde_json::from_slice(&written).unwrap()), "{kind:?}");
        assert_eq!(AnyEvent::parse(&written).unwrap(), parsed);
    }
}

/// Each leaf and object of the event, as a JSON pointer.
fn pointers(value: &Value, at: &str) -> Vec<String> {
    let Value::Object(map) = value else { return Vec::new() };
    let deeper = |(key, value): (&String, &Value)| {
        let here = format!("{at}/{key}");
        let mut found = pointers(value, &here);
        found.push(here);
        found
    };
    map.iter().flat_map(deeper).collect()
}

pub fn without(event: &Value, pointer: &str) -> Value {
    let mut event = event.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
    event
}

pub fn with(event: &Value, pointer: &str, value: Value) -> Value {
    let mut event = event.clone();
    *event.pointer_mut(pointer).unwrap() = value;
    event
}

/// What a type takes although its schema asks for something else: in any event padding around a text, a text
/// of padding alone where nothing need be, and
/// what is said of the event itself; in an arrival whatever does not name the image or its place.
fn tolerated(kind: EventKind, pointer: &str, value: Option<&Value>) -> bool {
    const ENVELOPE: [&str; 2] = ["/subject", "/datacontenttype"];
    const ARRIVAL: [&str; 13] = [
        "/id",
        "/source",
        "/time",
        "/data/accession_number",
        "/data/patient_key",
        "/data/site",
        "/data/order_priority",
        "/data/acquired_at",
        "/data/modality",
        "/data/body_part",
        "/data/view",
        "/data/image/media_type",
        "/data/image/size_bytes",
    ];
    let optional = || {
        let schema = read(&format!("{}.schema.json", name(kind)));
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let parent = schema.pointer(&parent.replace('/', "/properties/")).unwrap();
        !parent["required"].as_array().is_some_and(|required| required.contains(&json!(field)))
    };
    ENVELOPE.contains(&pointer)
        || (kind == EventKind::ImageArrived && ARRIVAL.contains(&pointer))
        || (kind == EventKind::StudyStatus && pointer == "/data/by")
        || (value.and_then(Value::as_str).is_some_and(|text| text.trim().is_empty()) && optional())
}

#[test]
fn schemas_and_types_agree_on_every_field_left_out_or_replaced_but_for_what_is_tolerated() {
    let replacements = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(4),
        json!(1e300),
        json!(123.0),
        json!(""),
        json!(" "),
        json!("x"),
        json!("a\nb"),
        json!("a\u{0}b"),
        json!("x".repeat(2000)),
        json!("stat"),
        json!("2026-13-45T99:99:99Z"),
        json!("2026-11-23"),
        json!("9999-12-31T23:59:59-01:00"),
        json!("9998-12-31T23:59:59-23:59"),
        json!("0001-01-01T00:00:00+23:59"),
        json!("1.02.3"),
        json!("../../etc/passwd"),
        json!("/etc/passwd"),
        json!("s3://bucket/key"),
        json!("a%2fb"),
        json!("9f86"),
        json!("image/webp"),
        json!([]),
        json!([1]),
        json!(["x", ""]),
        json!(["x", "y"]),
        json!({}),
    ];
    let mut refused = 0;
    for kind in EventKind::ALL {
        let (schema, example) = (schema(kind), example(kind));
        // `arrival` of a finding is for people: the type does not read it.
        for pointer in pointers(&example, "").iter().filter(|pointer| !pointer.starts_with("/data/arrival")) {
            let mut mutants = vec![("left out".to_owned(), without(&example, pointer))];
            mutants
                .extend(replacements.iter().map(|value| (value.to_string(), with(&example, pointer, value.clone()))));
            for (what, mutant) in mutants {
                let (valid, parses) = (schema.is_valid(&mutant), parses(&mutant));
                let agreed = valid || tolerated(kind, pointer, mutant.pointer(pointer));
                assert_eq!(agreed, parses, "{kind:?} {pointer}: {what:.40}");
                refused += usize::from(!parses);
            }
        }
    }
    assert!(refused > 500, "mutants are refused, {refused} of them");
}

#[test]
fn unknown_fields_are_ignored_and_unknown_versions_refused_by_both() {
    for kind in EventKind::ALL {
        let (schema, mut event) = (schema(kind), example(kind));
        event["later"] = json!({"a": 1});
        event["data"]["later"] = json!("b");
        assert!(schema.is_valid(&event) && parses(&event), "{kind:?}");
        for other in [kind.as_type().replace(".v1", ".v2"), kind.as_type().replace(".v1", ""), "a".into()] {
            event["type"] = json!(other);
            assert!(!schema.is_valid(&event) && !parses(&event), "{other}");
        }
    }
}

#[test]
fn asyncapi_names_every_event_its_schema_and_its_routing_keys() {
    let document = read("asyncapi.json");
    let messages = document["components"]["messages"].as_object().unwrap();
    for kind in EventKind::ALL {
        let message = messages.values().find(|message| message["name"] == kind.as_type());
        let schema =
            message.unwrap_or_else(|| panic!("{}", kind.as_type()))["payload"]["schema"]["$ref"].as_str().unwrap();
        assert_eq!(read(schema)["properties"]["type"]["const"], kind.as_type());
    }
    let addresses: Vec<_> = document["channels"]
        .as_object()
        .unwrap()
        .values()
        .map(|channel| channel["address"].as_str().unwrap())
        .collect();
    let lanes = Lane::ALL.into_iter().map(Lane::routing_key);
    for key in
        lanes.chain(["image.confirmed", "study.status", "finding.created", "study.reprioritised", "model.drifted"])
    {
        assert!(addresses.contains(&key), "{key}");
    }
    for operation in document["operations"].as_object().unwrap().values() {
        let channel = operation["channel"]["$ref"].as_str().unwrap().strip_prefix('#').unwrap();
        assert!(document.pointer(channel).is_some(), "{channel}");
    }
}
