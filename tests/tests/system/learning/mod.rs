//! The whole circle from outside: images arrive, people label them, the trainer learns, its challenger is tried, promoted and
//! taken back, and not an image is lost meanwhile. Here in small; whether a network gets better, and a worse one is kept
//! out, is asked by [`full`].

mod circle;
mod full;

use std::time::Duration;

use cspine_store::RunState;

use crate::accounting::{check_queues, drained};
use circle::{Circle, Films};

/// Four of each class, of the starter's own kind.
const FEW: Films<'static> = Films { name: "few", seed: "51", preset: "reference", size: "160", counts: [4; 3] };

#[tokio::test]
async fn a_network_learns_from_labels_is_tried_promoted_and_taken_back_while_images_arrive() {
    let reference = [
        Films { name: "training", ..FEW },
        Films { name: "validation", seed: "52", ..FEW },
        Films { name: "evaluation", seed: "53", ..FEW },
    ];
    let circle = Circle::create("learning", reference, Duration::from_secs(300)).await;
    let Circle { site, champion, .. } = &circle;
    let worker = site.start_following_worker("worker");
    worker.ready().await;
    let first = circle.arrive(&Films { name: "first", seed: "61", counts: [6; 3], ..FEW });
    assert!(circle.answered(&first).await.iter().all(|model| model == champion));

    circle.label(&first, |_, film| film.class.clone());
    let lenient = ["--margin", "1", "--margin-class", "1", "--margin-site", "1", "--margin-calibration", "1"];
    let quick = ["--nice", "0", "--tune-epochs", "1", "--shadow-agreement", "0.01", "--shadow-flag-rate", "1"];
    let trainer = circle.start_trainer(18, 6, &[&["--threads", "1"][..], &lenient, &quick].concat());
    let challenger = circle.run_in(RunState::Shadowing).await.challenger.expect("a challenger").to_string();
    // The run is on trial before the registry says so, and the registry before a worker has fetched the challenger:
    // whatever is answered by then, the shadow does not see.
    circle.shown_by(&worker, &format!("cspine_shadow_info{{sha256=\"{challenger}\"}} 1")).await;

    let places = places(&circle).await;
    let tried = circle.arrive(&Films { name: "tried", seed: "62", counts: [3; 3], ..FEW });
    assert!(circle.answered(&tried).await.iter().all(|model| model == champion), "a shadow answers nothing");
    circle.run_in(RunState::Waiting).await;
    let before: Vec<_> =
        self::places(&circle).await.into_iter().filter(|(study, ..)| places.iter().any(|p| p.0 == *study)).collect();
    assert_eq!(before, places, "a shadow moves nothing");

    let moved = circle.promote_and_take_back(&worker, &challenger, &Films { seed: "63", ..FEW }).await;
    circle.run_in(RunState::Promoted).await;
    drop(trainer);
    drained(site).await;
    worker.stop().await;
    assert_eq!(circle.primaries().await, first.len() + tried.len() + moved.len(), "one answer an image");
    check_queues(site);
    site.clean_up();
}

/// Every study's place: level and flag, which a shadow must not move.
async fn places(circle: &Circle) -> Vec<(String, i16, bool)> {
    let mut places: Vec<_> = (circle.db.store.worklist(1000).await.expect("the list").into_iter())
        .map(|row| (row.study.to_string(), row.level, row.flagged))
        .collect();
    places.sort();
    places
}
