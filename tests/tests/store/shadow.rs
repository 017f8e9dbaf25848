//! A challenger's answers beside those that were given.

use std::time::Duration;

use cspine_domain::{Reason, Sha256};
use cspine_store::{Answer, NewFinding, Purpose, ShadowTally, Store, TrialImages};
use cspine_tests::database::Database;

use crate::samples::{COLOUR, DISLOCATION, FRACTURE, NORMAL, arrival, finding, record};

async fn shadow(store: &Store, image: u32, model: &[u8], answer: Answer) {
    let shadow =
        NewFinding { purpose: Purpose::Shadow, model: Sha256::of(model), ..finding(arrival(image, image), answer) };
    store.record_finding(&shadow).await.unwrap();
}

async fn tally(store: &Store, champion: &[u8]) -> ShadowTally {
    store.shadow_tally(Sha256::of(b"challenger"), Sha256::of(champion)).await.unwrap()
}

#[tokio::test]
async fn a_shadow_is_compared_where_both_answered_and_agrees_where_it_flags_alike() {
    let db = Database::create().await;
    let other_reason = Answer::NotAssessable(Reason::TooSmall);
    let unflagged_fracture = Answer::Assessed { probabilities: [0.25, 0.375, 0.375], flagged: false, mark: None };
    let pairs = [
        (NORMAL, NORMAL),             // agrees, the same verdict
        (NORMAL, unflagged_fracture), // agrees
        (DISLOCATION, FRACTURE),      // agrees, both flagged
        (FRACTURE, FRACTURE),         // agrees, the same verdict, both flagged
        (NORMAL, FRACTURE),           // differs
        (DISLOCATION, NORMAL),        // differs
        // one that assesses what the champion could not is no disagreement, nor is the opposite
        (COLOUR, other_reason),
        (COLOUR, FRACTURE),
        (NORMAL, COLOUR),
        (FRACTURE, COLOUR), // nor flagged
    ];
    for (image, (primary, challenger)) in (1..).zip(pairs) {
        record(&db.store, arrival(image, image), primary).await;
        shadow(&db.store, image, b"challenger", challenger).await;
    }
    let expected = ShadowTally {
        images: 10,
        answered_primary: 8,
        lost_answers: 2,
        flagged_primary: 4,
        kept_flags: 2,
        both_answered: 6,
        agree: 4,
        same_verdict: 2,
        flagged_primary_of_both: 3,
        flagged_shadow_of_both: 3,
    };
    assert_eq!(tally(&db.store, b"model").await, expected);
    assert_eq!(tally(&db.store, b"another champion").await, ShadowTally::default());
}

#[tokio::test]
async fn only_the_shadows_own_answers_beside_primary_ones_count() {
    let db = Database::create().await;
    let challenger = Sha256::of(b"challenger");
    assert_eq!(tally(&db.store, b"model").await, ShadowTally::default());
    // without a primary answer yet
    shadow(&db.store, 1, b"challenger", NORMAL).await;
    // of another challenger
    record(&db.store, arrival(2, 2), NORMAL).await;
    shadow(&db.store, 2, b"another", NORMAL).await;
    // its rescore, and its own primary one
    let rescore = NewFinding { purpose: Purpose::Rescore, model: challenger, ..finding(arrival(2, 2), FRACTURE) };
    db.store.record_finding(&rescore).await.unwrap();
    let primary = NewFinding { model: challenger, ..finding(arrival(3, 3), FRACTURE) };
    db.store.record_finding(&primary).await.unwrap();
    assert_eq!(tally(&db.store, b"model").await, ShadowTally::default());
    record(&db.store, arrival(1, 1), NORMAL).await;
    let tally = tally(&db.store, b"model").await;
    assert_eq!((tally.images, tally.agree), (1, 1));
}

#[tokio::test]
async fn the_images_of_a_trial_are_those_of_its_share_that_its_champion_answered_long_enough_ago() {
    let db = Database::create().await;
    let since = sqlx::query_scalar("select now()").fetch_one(db.store.pool()).await.unwrap();
    let mut of_the_half = 0;
    for image in 1..=40 {
        let arrival = arrival(image, image);
        // As a worker chooses: the first four bytes of the digest, as a share of all there are.
        of_the_half += i64::from(Sha256::of(arrival.sop.as_str().as_bytes()).0[0] < 0x80);
        record(&db.store, arrival, NORMAL).await;
    }
    // A shadow's and another champion's are none of its champion's answers.
    shadow(&db.store, 1, b"challenger", NORMAL).await;
    let another = NewFinding { model: Sha256::of(b"another"), ..finding(arrival(41, 41), NORMAL) };
    db.store.record_finding(&another).await.unwrap();
    let all = TrialImages { champion: Sha256::of(b"model"), since, share: 1.0, wait: Duration::ZERO };
    for (expected, of) in [
        (40, all),
        (of_the_half, TrialImages { share: 0.5, ..all }),
        (0, TrialImages { wait: Duration::from_secs(3600), ..all }),
        (0, TrialImages { since: since + Duration::from_secs(3600), ..all }),
        (1, TrialImages { champion: Sha256::of(b"another"), ..all }),
    ] {
        assert_eq!(db.store.trial_images(&of).await.unwrap(), expected, "{of:?}");
    }
    assert!(of_the_half > 0 && of_the_half < 40);
}
