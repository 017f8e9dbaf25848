//! Images that are answered.

use cspine_domain::{OrderPriority, Reason, Verdict};
use cspine_phantom::Preset;
use cspine_store::StudyState;
use cspine_wire::{Event, Lane, Message, Queue, StudyStatus};
use time::OffsetDateTime;

use crate::site::{Site, eventually, png};

#[tokio::test]
async fn an_image_gets_its_finding_its_heatmap_and_its_place() {
    let site = Site::new().await;
    let worker = site.start(&[]);
    let event = site.image(&png(200, 300));
    site.publish(&event).await;
    let finding = site.finding(&event).await;
    let probabilities = finding.probabilities.unwrap();
    assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{probabilities:?}");
    let saliency = finding.saliency.unwrap();
    assert_eq!(saliency.method, "hirescam");
    let heatmap = cspine_imaging::Heatmap::from_png(&saliency.heatmap_png).unwrap();
    assert_eq!((heatmap.width, heatmap.height), (96, 96));
    let list = site.store().worklist(10).await.unwrap();
    assert_eq!((list.len(), list[0].status.as_str(), list[0].position), (1, "scored", 1));
    site.assert_all_told(worker).await;
}

#[tokio::test]
async fn the_same_event_many_times_and_the_same_image_in_another_event_are_one_finding() {
    let site = Site::new().await;
    let event = site.image(&png(128, 128));
    for _ in 0..5 {
        site.publish(&event).await;
    }
    site.publish(&Event { id: format!("{}-again", event.id), ..event.clone() }).await;
    let last = site.image(&png(128, 128));
    site.publish(&last).await;
    let worker = site.start(&[]);
    site.finding(&event).await;
    site.finding(&last).await;
    worker.stop().await;
    assert_eq!(site.store().study_images(&event.data.study_instance_uid).await.unwrap().len(), 1);
    assert_eq!(site.store().parked_count().await.unwrap(), 0);
    let worker = site.start(&[]);
    site.assert_all_told(worker).await;
}

#[tokio::test]
async fn an_image_the_network_has_no_business_with_is_not_assessable_and_says_why() {
    let site = Site::new().await;
    let worker = site.start(&[]);
    let mut chest = site.image(&png(128, 128));
    chest.data.body_part = Some("CHEST".into());
    let small = site.image(&png(63, 200));
    let constant = {
        let mut file = std::io::Cursor::new(Vec::new());
        let black = image::ImageBuffer::<image::Luma<u16>, Vec<u16>>::new(128, 128);
        black.write_to(&mut file, image::ImageFormat::Png).unwrap();
        site.image(&file.into_inner())
    };
    let colour = {
        let mut file = std::io::Cursor::new(Vec::new());
        let photo = image::RgbImage::from_fn(128, 128, |x, y| image::Rgb([(x * 2) as u8, (y * 2) as u8, 90]));
        photo.write_to(&mut file, image::ImageFormat::Png).unwrap();
        site.image(&file.into_inner())
    };
    let expected = [
        (chest, Reason::OutOfScope),
        (small, Reason::TooSmall),
        (constant, Reason::Constant),
        (colour, Reason::Colour),
    ];
    for (event, _) in &expected {
        site.publish(event).await;
    }
    for (event, reason) in &expected {
        let finding = site.finding(event).await;
        assert_eq!((finding.verdict, finding.reason), (Verdict::NotAssessable, Some(*reason)));
        assert!(!finding.flagged && finding.probabilities.is_none() && finding.saliency.is_none());
    }
    worker.stop().await;
    site.remove().await;
}

/// A phantom's film as PNG, white for black or not.
fn phantom(inverted: bool) -> Vec<u8> {
    let film = cspine_phantom::Case::sample(11, cspine_domain::Class::Normal).render(448, Preset::Reference);
    let mut pixels = image::ImageBuffer::<image::Luma<u16>, _>::from_raw(448, 448, film.pixels).unwrap();
    if inverted {
        image::imageops::invert(&mut pixels);
    }
    let mut file = std::io::Cursor::new(Vec::new());
    pixels.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

#[tokio::test]
async fn a_spine_white_for_black_is_out_of_distribution_for_the_starter_and_as_it_is_it_is_not() {
    let site = Site::new().await;
    let starter = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/models/starter.safetensors");
    let worker = site.start(&["--model", starter]);
    let [plain, inverted] = [false, true].map(|inverted| site.image(&phantom(inverted)));
    for event in [&plain, &inverted] {
        site.publish(event).await;
    }
    let finding = site.finding(&plain).await;
    assert!(finding.verdict != Verdict::NotAssessable, "{:?}", finding.reason);
    assert!(finding.probabilities.is_some() && finding.saliency.is_some());
    let finding = site.finding(&inverted).await;
    assert_eq!((finding.verdict, finding.reason), (Verdict::NotAssessable, Some(Reason::OutOfDistribution)));
    assert!(!finding.flagged && finding.probabilities.is_none() && finding.saliency.is_none());
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn scope_that_nothing_confirms_is_scored_and_marked_unless_the_setting_is_strict() {
    let site = Site::new().await;
    let bare = |mut event: Event<cspine_wire::ImageArrived>| {
        event.data.modality = None;
        event.data.body_part = None;
        event.data.view = None;
        event
    };
    for (flags, verdict_given, reason) in
        [(&[][..], true, Reason::ScopeUnconfirmed), (&["--scope", "strict"], false, Reason::ScopeUnknown)]
    {
        let worker = site.start(flags);
        let event = bare(site.image(&png(128, 128)));
        site.publish(&event).await;
        let finding = site.finding(&event).await;
        assert_eq!(finding.reason, Some(reason));
        assert_eq!(finding.verdict != Verdict::NotAssessable, verdict_given);
        worker.stop().await;
    }
    site.remove().await;
}

#[tokio::test]
async fn the_order_decides_the_lane_whatever_the_routing_key_says() {
    let site = Site::new().await;
    site.publisher.connect().await.unwrap();
    // Without a champion nothing is taken out of the lanes.
    let worker = site.start_following(&[]);
    for order in [OrderPriority::Stat, OrderPriority::Urgent, OrderPriority::Routine] {
        let mut lane = site.consume(&[Queue::Lane(Lane::of(order))]);
        for key in Lane::ALL.map(Lane::routing_key) {
            let mut event = site.image(&png(128, 128));
            event.data.order_priority = order;
            site.send(key, event.to_json()).await;
            let delivery = lane.next().await.unwrap();
            assert_eq!(delivery.body, event.to_json(), "{order:?} as {key}");
            delivery.ack().await.unwrap();
        }
    }
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn an_image_in_a_less_urgent_lane_than_its_own_is_handed_over() {
    let site = Site::new().await;
    site.publisher.connect().await.unwrap();
    let mut events = Vec::new();
    for (order, lane) in [
        (OrderPriority::Stat, Lane::Urgent),
        (OrderPriority::Stat, Lane::Routine),
        (OrderPriority::Urgent, Lane::Routine),
    ] {
        let mut event = site.image(&png(128, 128));
        event.data.order_priority = order;
        let right = Message::to_lane(&site.broker.topology, order, event.to_json());
        let wrong = Message { routing_key: lane.routing_key().into(), ..right };
        site.publisher.publish(&wrong).await.unwrap();
        events.push(event);
    }
    let worker = site.start(&[]);
    for event in &events {
        site.finding(event).await;
    }
    let list = site.store().worklist(10).await.unwrap();
    let mut orders: Vec<OrderPriority> = list.iter().map(|row| row.order_priority).collect();
    orders.sort_unstable_by_key(|order| order.as_str());
    let expected = [OrderPriority::Stat, OrderPriority::Stat, OrderPriority::Urgent];
    assert_eq!(orders, expected, "the event's own priority counts, not its lane");
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn a_third_delivery_is_decoded_in_a_process_of_its_own_and_answered_the_same() {
    let site = Site::new().await;
    let bytes = png(256, 256);
    let (together, mut alone) = (site.image(&bytes), site.image(&bytes));
    alone.data.image = together.data.image.clone();
    site.to_lane(&alone).await;
    let mut lane = site.consume(&[Queue::Lane(Lane::Routine)]);
    for _ in 0..2 {
        lane.next().await.unwrap().requeue().await.unwrap();
    }
    drop(lane);
    let worker = site.start(&[]);
    site.publish(&together).await;
    let (alone, together) = (site.finding(&alone).await, site.finding(&together).await);
    assert_eq!(alone.probabilities, together.probabilities);
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn a_study_is_read_and_finished_by_its_status_events() {
    let site = Site::new().await;
    let worker = site.start(&[]);
    let event = site.image(&png(128, 128));
    site.publish(&event).await;
    site.finding(&event).await;
    let study = &event.data.study_instance_uid;
    for (state, listed) in [(cspine_wire::StudyState::Reading, true), (cspine_wire::StudyState::Finished, false)] {
        let data = StudyStatus { study_instance_uid: study.clone(), state, by: Some("reader-1".into()) };
        let id = format!("{}-{}", event.id, state.as_str());
        let status = Event { id, source: "/ris".into(), subject: None, time: OffsetDateTime::now_utc(), data };
        site.send("study.status", status.to_json()).await;
        eventually("the state", async || {
            let list = site.store().worklist(10).await.unwrap();
            let row = list.iter().find(|row| row.study == *study);
            let as_told = if listed { row.is_some_and(|row| row.state == StudyState::Reading) } else { row.is_none() };
            as_told.then_some(())
        })
        .await;
    }
    worker.stop().await;
    site.remove().await;
}

#[tokio::test]
async fn a_study_that_waited_for_its_cap_is_raised_and_told_of_by_a_running_worker() {
    let site = Site::new().await;
    let worker = site.start(&["--sweep-every", "100ms"]);
    let event = site.image(&png(63, 200));
    site.publish(&event).await;
    site.finding(&event).await;
    let level = async || site.store().worklist(10).await.unwrap()[0].level;
    let reprioritised = async || {
        let told = "select count(*) from outbox where payload->>'type' like '%study.reprioritised%'";
        sqlx::query_scalar::<_, i64>(told).fetch_one(site.store().pool()).await.unwrap()
    };
    assert_eq!((level().await, reprioritised().await), (3, 0));
    let waited = "update studies set arrived_at = arrived_at - interval '241 minutes'";
    sqlx::query(waited).execute(site.store().pool()).await.unwrap();
    eventually("it is told of", async || (reprioritised().await == 1).then_some(())).await;
    assert_eq!(level().await, 2);
    worker.stop().await;
    site.remove().await;
}
