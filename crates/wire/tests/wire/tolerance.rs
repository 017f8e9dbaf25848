//! What is odd about an arrival and does not keep its image from being looked at; and what does.

use cspine_domain::{Note, OrderPriority, Reason};
use cspine_wire::{AnyEvent, Event, ImageArrived, studies_in};
use serde_json::{Value, json};
use time::macros::datetime;

use crate::documents::{example, with, without};

const RECEIVED: time::OffsetDateTime = datetime!(2026-11-23 02:25:22 UTC);

fn arrival() -> Value {
    example(cspine_wire::EventKind::ImageArrived)
}

fn read(body: &[u8]) -> Event<ImageArrived> {
    let event = AnyEvent::parse_received(body, RECEIVED).unwrap_or_else(|error| panic!("{error}"));
    event.into_arrival().unwrap()
}

/// The example with one field replaced; its notes, and the event as it is written again.
fn changed(pointer: &str, value: Value) -> (Vec<Note>, Value) {
    let body = with(&arrival(), pointer, value).to_string();
    let event = read(body.as_bytes());
    (event.data.notes.iter().copied().collect(), serde_json::from_slice(&event.to_json()).unwrap())
}

/// What is odd in one field, the note that it gets, and what becomes of the field; null where it is left out.
fn odd_fields() -> Vec<(&'static str, Value, Option<Note>, Value)> {
    let none = Value::Null;
    let long = |length| json!("7".repeat(length));
    let mut cases = Vec::new();
    let mut field = |pointer, note: Note, plain: Vec<(Value, Value)>, noted: Vec<(Value, Value)>| {
        cases.extend(plain.into_iter().map(|(value, becomes)| (pointer, value, None, becomes)));
        cases.extend(noted.into_iter().map(|(value, becomes)| (pointer, value, Some(note), becomes)));
    };
    let odd = || [json!("a\nb"), json!(true), json!([]), json!({}), json!(1.5)].map(|value| (value, Value::Null));
    let empty = || ["", " ", "\u{0}", " \u{0}\u{0}"].map(|value| (json!(value), Value::Null));
    for (pointer, note, longest) in [
        ("/data/accession_number", Note::EventAccessionNumber, 255),
        ("/data/patient_key", Note::EventPatientKey, 255),
        ("/data/site", Note::EventSite, 64),
        ("/data/modality", Note::EventModality, 64),
        ("/data/body_part", Note::EventBodyPart, 64),
        ("/data/view", Note::EventView, 64),
        ("/subject", Note::EventSubject, 255),
    ] {
        let mut plain = empty().to_vec();
        plain.extend([(json!(" A1\u{0}"), json!("A1")), (long(longest), long(longest))]);
        let mut noted = odd().to_vec();
        noted.extend([
            (long(longest + 1), none.clone()),
            (json!(1234567), json!("1234567")),
            (json!(12.0), json!("12")),
        ]);
        field(pointer, note, plain, noted);
    }
    // Nobody wants to be without the number of an order that is one character longer than others.
    field("/data/accession_number", Note::EventAccessionNumber, vec![(long(65), long(65))], vec![]);
    let words =
        [("STAT", "stat"), ("S", "stat"), ("asap", "urgent"), (" Routine", "routine"), ("S^Stat^HL70485", "stat")];
    let mut plain: Vec<_> = words.map(|(said, meant)| (json!(said), json!(meant))).to_vec();
    plain.extend(empty().map(|(value, _)| (value, json!("routine"))));
    let noted = [json!("soon"), json!(1), json!("P"), json!([])].map(|value| (value, json!("routine")));
    field("/data/order_priority", Note::EventOrderPriority, plain, noted.to_vec());
    let moment = "2026-11-23T02:24:58Z";
    let mut plain: Vec<_> = ["20261123032458+0100", "2026-11-23T03:24:58+0100", " 2026-11-23T02:24:58Z "]
        .map(|text| (json!(text), json!(moment)))
        .to_vec();
    plain.extend(empty());
    let mut noted: Vec<_> =
        ["20261123022458", "2026-11-23T02:24:58", "2026-11-23", "9999-12-31T23:59:59-01:00", "soon"]
            .map(|text| (json!(text), none.clone()))
            .to_vec();
    noted.extend(odd());
    field("/data/acquired_at", Note::EventAcquiredAt, plain, noted);
    let plain = [("IMAGE/PNG", "image/png"), ("image/jpg", "image/jpeg"), ("image/tiff; q=1", "image/tiff")];
    let plain = plain.map(|(said, meant)| (json!(said), json!(meant))).to_vec();
    let noted = [json!("image/webp"), json!("DICOM"), json!(""), none.clone(), json!(7)];
    let noted = noted.map(|value| (value, json!("application/octet-stream"))).to_vec();
    field("/data/image/media_type", Note::EventMediaType, plain, noted);
    let mut plain = empty().to_vec();
    plain.push((json!(123.0), json!(123)));
    let mut noted = vec![(json!("123"), json!(123)), (json!(" 123.0"), json!(123))];
    noted.extend(
        [json!(0), json!(-1), json!(1.5), json!(1e300), json!("many"), json!([])].map(|value| (value, Value::Null)),
    );
    field("/data/image/size_bytes", Note::EventSizeBytes, plain, noted);
    let received = json!("2026-11-23T02:25:22Z");
    let noted = ["", "now", "2026-11-23T02:25:21", "9999-12-31T23:59:59-01:00", "2026-02-29T00:00:00Z"];
    let noted = noted.map(|text| (json!(text), received.clone())).to_vec();
    field("/time", Note::EventTime, vec![], noted);
    field("/source", Note::EventSource, vec![], vec![(json!(""), json!("/unknown")), (json!([]), json!("/unknown"))]);
    field("/id", Note::EventId, vec![(json!(" 7 "), json!("7"))], vec![(json!(7), json!("7"))]);
    let json_type = json!("application/json");
    let plain =
        ["", "application/json; charset=utf-8", "Application/JSON"].map(|text| (json!(text), json_type.clone()));
    let noted = [json!("text/xml"), json!(1)].map(|value| (value, json_type.clone()));
    field("/datacontenttype", Note::EventDataContentType, plain.to_vec(), noted.to_vec());
    for pointer in ["/data/study_instance_uid", "/data/series_instance_uid", "/data/sop_instance_uid"] {
        let uids = [" 1.2.3", "1.2.3\u{0}", "1.2.3 \u{0}"].map(|text| (json!(text), json!("1.2.3")));
        cases.extend(uids.map(|(said, kept)| (pointer, said, None, kept)));
        cases.push((pointer, json!("1.02.003"), None, json!("1.02.003")));
    }
    cases
}

#[test]
fn an_odd_field_that_is_not_the_images_name_or_place_is_read_left_out_or_made_up_for() {
    let cases = odd_fields();
    assert!(cases.len() > 150, "{}", cases.len());
    for (pointer, value, note, becomes) in cases {
        let (notes, written) = changed(pointer, value.clone());
        assert_eq!(notes, Vec::from_iter(note), "{pointer} {value}");
        assert_eq!(written.pointer(pointer).unwrap_or(&Value::Null), &becomes, "{pointer} {value}");
    }
}

#[test]
fn what_is_absent_is_made_up_for_and_all_oddities_are_noted_together() {
    let mut event = arrival();
    for pointer in ["/id", "/source", "/time", "/subject", "/datacontenttype", "/data/image/media_type"] {
        event = without(&event, pointer);
    }
    event = with(&event, "/data/order_priority", json!("soon"));
    let body = event.to_string();
    let read = read(body.as_bytes());
    let notes = [Note::EventTime, Note::EventId, Note::EventSource, Note::EventOrderPriority, Note::EventMediaType];
    assert_eq!(read.data.notes, notes.into_iter().collect());
    assert_eq!((read.id, read.time), (cspine_domain::Sha256::of(body.as_bytes()).to_string(), RECEIVED));
    assert!(self::read(arrival().to_string().as_bytes()).data.notes.is_empty());
}

/// Bodies of one image in ways that are no oddity to JSON.
#[test]
fn what_json_allows_is_no_oddity() {
    let text = arrival().to_string();
    let bodies = [
        text.replace("A1234567", "Z\u{e4}\u{5f20}\u{1f9b4}"),
        text.replace("A1234567", "\\u00e4\\ud83e\\uddb4"),
        text.replace("02:25:21Z", "23:59:60Z").replace("2026-11-23T", "2016-12-31T"),
        text.replace("02:25:21Z", "02:25:21.123456789+05:45"),
        text.replace("\"stat\"", "\"routine\",\"order_priority\":\"stat\""),
        text.replace("{\"", "{\"later\":{\"a\":[1]},\""),
        format!(" \r\n\t{text}\n"),
    ];
    for body in bodies {
        let event = read(body.as_bytes());
        assert!(event.data.notes.is_empty(), "{body}");
        assert_eq!(event.data.order_priority, OrderPriority::Stat, "{body}");
    }
}

#[test]
fn what_names_the_image_or_lets_it_be_fetched_keeps_an_event_from_being_taken_but_not_its_study_off_the_list() {
    let digest = "/data/image/sha256";
    let cases = [
        ("/data/series_instance_uid", json!("1..2"), Reason::BadSchema),
        ("/data/series_instance_uid", Value::Null, Reason::BadSchema),
        ("/data/sop_instance_uid", json!(""), Reason::BadSchema),
        ("/data/sop_instance_uid", json!(12), Reason::BadSchema),
        ("/data/image", Value::Null, Reason::BadSchema),
        ("/data/image", json!("x.dcm"), Reason::BadSchema),
        ("/data/image/key", Value::Null, Reason::BadSchema),
        ("/data/image/key", json!("../x"), Reason::BadKey),
        ("/data/image/key", json!("/x"), Reason::BadKey),
        ("/data/image/key", json!("s3://bucket/x"), Reason::BadKey),
        (digest, Value::Null, Reason::BadSchema),
        (digest, json!("9f86"), Reason::BadSchema),
        ("/specversion", json!("0.3"), Reason::BadSchema),
        ("/type", json!("org.cspine.image.arrived.v2"), Reason::BadVersion),
        ("/type", Value::Null, Reason::BadSchema),
        ("/type", json!("com.example.arrived"), Reason::BadVersion),
    ];
    let uid = &arrival()["data"]["study_instance_uid"];
    for (pointer, value, reason) in cases {
        let body = with(&arrival(), pointer, value.clone()).to_string();
        assert_eq!(AnyEvent::parse(body.as_bytes()).unwrap_err().reason(), reason, "{pointer} {value}");
        let [study] = &studies_in(body.as_bytes())[..] else { panic!("{pointer} {value}") };
        assert_eq!(study.study_instance_uid.as_str(), uid.as_str().unwrap());
        assert_eq!((study.order_priority, study.accession_number.as_deref()), (OrderPriority::Stat, Some("A1234567")));
    }
    for bad in [json!("1..2"), json!("1.a"), json!(""), json!(12), Value::Null, json!("1.".repeat(33))] {
        let body = with(&arrival(), "/data/study_instance_uid", bad.clone()).to_string();
        assert!(AnyEvent::parse(body.as_bytes()).is_err() && studies_in(body.as_bytes()).is_empty(), "{bad}");
    }
}

#[test]
fn a_body_that_is_no_event_is_not_taken_and_its_studies_are_found() {
    let text = arrival().to_string();
    let utf16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let other = text.replace("498.3", "498.4");
    let as_text = with(&arrival(), "/data", json!(arrival()["data"].to_string())).to_string();
    let bodies = [
        ("a byte-order mark", [b"\xef\xbb\xbf", text.as_bytes()].concat(), 1),
        ("UTF-16, little endian", utf16(u16::to_le_bytes), 1),
        ("UTF-16, big endian", [vec![0xfe, 0xff], utf16(u16::to_be_bytes)].concat(), 1),
        ("a batch", format!("[{text},{other},{text}]").into_bytes(), 2),
        ("data as a text", as_text.into_bytes(), 1),
        ("no envelope", arrival()["data"].to_string().into_bytes(), 1),
        ("too large", text.replace("A1234567", &"7".repeat(70_000)).into_bytes(), 1),
        ("cut short", text.as_bytes()[..text.len() - 1].to_vec(), 0),
        ("Latin-1", text.replace("A1234567", "A\u{e4}").chars().map(|c| c as u8).collect(), 0),
        ("nothing", Vec::new(), 0),
        ("an empty batch", b"[]".to_vec(), 0),
        ("deep", [vec![b'['; 30_000], vec![b']'; 30_000]].concat(), 0),
    ];
    for (what, body, studies) in bodies {
        assert!(AnyEvent::parse(&body).is_err(), "{what}");
        assert_eq!(studies_in(&body).len(), studies, "{what}");
    }
    let status = example(cspine_wire::EventKind::StudyStatus).to_string();
    assert!(studies_in(status.as_bytes()).is_empty(), "it tells of no image");
}

/// Each kind of event, each of its times, each time that is none or that nothing can compute with.
#[test]
fn no_event_of_any_kind_holds_a_time_that_cannot_be_computed_with() {
    let times = [
        ("9999-12-31T23:59:59-01:00", false),
        ("9999-12-31T23:59:59-23:59", false),
        ("0000-01-01T00:00:00+00:01", false),
        ("-9999-01-01T00:00:00Z", false),
        ("+99999-01-01T00:00:00Z", false),
        ("2026-02-29T12:00:00Z", false),
        ("9999-12-31T23:59:59.999999999Z", true),
        ("9999-12-31T23:59:59+23:59", true),
        ("0000-01-01T00:00:00-23:59", true),
        ("2024-02-29T12:00:00Z", true),
    ];
    for kind in cspine_wire::EventKind::ALL {
        for pointer in ["/time", "/data/acquired_at", "/data/confirmed_at"] {
            let example = example(kind);
            if example.pointer(pointer).is_none() {
                continue;
            }
            let tolerated = kind == cspine_wire::EventKind::ImageArrived;
            for (time, sound) in times {
                let parsed = AnyEvent::parse(with(&example, pointer, json!(time)).to_string().as_bytes());
                assert_eq!(parsed.is_ok(), sound || tolerated, "{kind:?} {pointer} {time}");
                // Written again, and so computed with.
                let written = match &parsed {
                    Ok(AnyEvent::ImageArrived(event)) => event.to_json(),
                    Ok(AnyEvent::ImageConfirmed(event)) => event.to_json(),
                    Ok(AnyEvent::StudyStatus(event)) => event.to_json(),
                    Ok(AnyEvent::FindingCreated(event)) => event.to_json(),
                    Ok(AnyEvent::StudyReprioritised(event)) => event.to_json(),
                    Ok(AnyEvent::ModelDrifted(event)) => event.to_json(),
                    Err(_) => continue,
                };
                assert!(AnyEvent::parse(&written).is_ok(), "{kind:?} {pointer} {time}");
            }
        }
    }
}
