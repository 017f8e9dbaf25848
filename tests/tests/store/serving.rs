//! Which network serves, and how that changes.

use std::time::Duration;

use cspine_domain::Sha256;
use cspine_store::{Fence, ModelState, Move, Moved, Served, Store};
use cspine_tests::database::Database;
use tokio::time::timeout;

use crate::samples::{expire_lease, refused_by, registered};

fn wish(model: Sha256, epoch: i64) -> Move<'static> {
    Move { model, epoch, by: "qa-7", why: "it is better", fence: None }
}

fn served(name: &str) -> Served {
    let sha256 = Sha256::of(name.as_bytes());
    Served { sha256, object_key: format!("models/{sha256}.safetensors") }
}

async fn promoted(store: &Store, name: &str) -> i64 {
    let model = registered(store, name).await;
    let epoch = store.serving().await.unwrap().epoch;
    assert_eq!(store.promote(&wish(model, epoch)).await.unwrap(), Moved::Done { epoch: epoch + 1 });
    epoch + 1
}

async fn state(store: &Store, name: &str) -> ModelState {
    let [row] = &store.model_named(&Sha256::of(name.as_bytes()).to_string()).await.unwrap()[..] else {
        panic!("{name} is on record")
    };
    row.state
}

#[tokio::test]
async fn before_the_first_promotion_nothing_serves() {
    let db = Database::create().await;
    registered(&db.store, "one").await;
    let serving = db.store.serving().await.unwrap();
    assert_eq!((serving.epoch, serving.champion, serving.shadow, serving.shadow_share), (0, None, None, 0.0));
}

#[tokio::test]
async fn there_is_exactly_one_champion() {
    let db = Database::create().await;
    promoted(&db.store, "one").await;
    assert_eq!(promoted(&db.store, "two").await, 2);
    assert_eq!(db.store.serving().await.unwrap().champion, Some(served("two")));
    assert_eq!(state(&db.store, "one").await, ModelState::Retired);
    assert_eq!(state(&db.store, "two").await, ModelState::Champion);
    let second = format!("update models set state = 'champion' where sha256 = '{}'", Sha256::of(b"one"));
    assert_eq!(refused_by(&db, second).await, "one_champion", "whoever writes");
}

#[tokio::test]
async fn a_lost_race_is_refused_and_changes_nothing() {
    let db = Database::create().await;
    promoted(&db.store, "old").await;
    let mut tasks = Vec::new();
    for racer in 0..8 {
        let model = registered(&db.store, &format!("racer {racer}")).await;
        let store = db.store.clone();
        tasks.push(tokio::spawn(async move { (model, store.promote(&wish(model, 1)).await.unwrap()) }));
    }
    let mut winners = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            (model, Moved::Done { epoch: 2 }) => winners.push(model),
            (_, other) => assert_eq!(other, Moved::LostRace { epoch: 2 }),
        }
    }
    assert_eq!(winners.len(), 1);
    let serving = db.store.serving().await.unwrap();
    assert_eq!((serving.epoch, serving.champion.unwrap().sha256), (2, winners[0]));
    let changes = db.store.model_changes(None).await.unwrap();
    assert_eq!(changes.iter().filter(|change| change.epoch == 2).count(), 2, "one came and one went");
    // who comes with the epoch of long ago is refused all the same
    let late = db.store.promote(&wish(Sha256::of(b"old"), 0)).await.unwrap();
    assert_eq!(late, Moved::LostRace { epoch: 2 });
}

#[tokio::test]
async fn an_earlier_model_can_be_promoted_again() {
    let db = Database::create().await;
    promoted(&db.store, "one").await;
    promoted(&db.store, "two").await;
    let back = db.store.promote(&wish(Sha256::of(b"one"), 2)).await.unwrap();
    assert_eq!(back, Moved::Done { epoch: 3 });
    assert_eq!(db.store.serving().await.unwrap().champion, Some(served("one")));
    assert_eq!(state(&db.store, "two").await, ModelState::Retired);
    assert_eq!(db.store.promote(&wish(Sha256::of(b"one"), 3)).await.unwrap(), Moved::Already);
}

#[tokio::test]
async fn what_is_not_in_the_object_store_cannot_serve() {
    let db = Database::create().await;
    let unknown = wish(Sha256::of(b"one"), 0);
    assert_eq!(db.store.promote(&unknown).await.unwrap(), Moved::UnknownModel);
    registered(&db.store, "one").await;
    let forget = "update models set object_key = null";
    sqlx::query(forget).execute(db.store.pool()).await.unwrap();
    assert_eq!(db.store.promote(&unknown).await.unwrap(), Moved::NotInStore);
    assert_eq!(db.store.set_shadow(&unknown, 0.5).await.unwrap(), Moved::NotInStore);
    assert_eq!(db.store.serving().await.unwrap().epoch, 0);
    promoted(&db.store, "one").await;
    assert_eq!(refused_by(&db, forget.into()).await, "what_works_can_be_fetched");
}

#[tokio::test]
async fn a_shadow_that_is_replaced_or_ended_is_a_candidate_again() {
    let db = Database::create().await;
    promoted(&db.store, "champion").await;
    let (one, two) = (registered(&db.store, "one").await, registered(&db.store, "two").await);
    assert_eq!(db.store.set_shadow(&wish(one, 1), 0.25).await.unwrap(), Moved::Done { epoch: 2 });
    let serving = db.store.serving().await.unwrap();
    assert_eq!((serving.shadow, serving.shadow_share), (Some(served("one")), 0.25));
    assert_eq!(serving.champion, Some(served("champion")));
    assert_eq!(state(&db.store, "one").await, ModelState::Shadow);

    assert_eq!(db.store.set_shadow(&wish(two, 2), 0.5).await.unwrap(), Moved::Done { epoch: 3 });
    assert_eq!(state(&db.store, "one").await, ModelState::Candidate);
    assert_eq!(db.store.end_shadow(&wish(one, 3)).await.unwrap(), Moved::Already, "another is");
    assert_eq!(db.store.end_shadow(&wish(two, 3)).await.unwrap(), Moved::Done { epoch: 4 });
    assert_eq!(state(&db.store, "two").await, ModelState::Candidate);
    let serving = db.store.serving().await.unwrap();
    assert_eq!((serving.shadow, serving.shadow_share), (None, 0.0));
}

#[tokio::test]
async fn a_promoted_shadow_leaves_the_shadows_place() {
    let db = Database::create().await;
    promoted(&db.store, "champion").await;
    let one = registered(&db.store, "one").await;
    db.store.set_shadow(&wish(one, 1), 0.25).await.unwrap();
    assert_eq!(db.store.promote(&wish(one, 2)).await.unwrap(), Moved::Done { epoch: 3 });
    let serving = db.store.serving().await.unwrap();
    assert_eq!((serving.champion, serving.shadow, serving.shadow_share), (Some(served("one")), None, 0.0));
    assert_eq!(state(&db.store, "one").await, ModelState::Champion);
    assert_eq!(state(&db.store, "champion").await, ModelState::Retired);
}

#[tokio::test]
async fn a_promotion_beside_a_shadow_leaves_the_shadow() {
    let db = Database::create().await;
    promoted(&db.store, "champion").await;
    let one = registered(&db.store, "one").await;
    db.store.set_shadow(&wish(one, 1), 0.25).await.unwrap();
    promoted(&db.store, "two").await;
    let serving = db.store.serving().await.unwrap();
    assert_eq!(
        (serving.champion, serving.shadow, serving.shadow_share),
        (Some(served("two")), Some(served("one")), 0.25)
    );
}

#[tokio::test]
async fn a_shadows_share_can_change_and_the_champion_is_not_its_own_shadow() {
    let db = Database::create().await;
    promoted(&db.store, "champion").await;
    let one = registered(&db.store, "one").await;
    db.store.set_shadow(&wish(one, 1), 0.25).await.unwrap();
    assert_eq!(db.store.set_shadow(&wish(one, 2), 0.25).await.unwrap(), Moved::Already);
    assert_eq!(db.store.set_shadow(&wish(one, 2), 1.0).await.unwrap(), Moved::Done { epoch: 3 });
    assert_eq!(db.store.model_changes(Some(one)).await.unwrap().len(), 1, "its state is the old one");
    assert_eq!(db.store.set_shadow(&wish(Sha256::of(b"champion"), 3), 0.5).await.unwrap(), Moved::Already);
    for share in [0.0, -0.5, 1.5, f32::NAN] {
        assert!(db.store.set_shadow(&wish(one, 3), share).await.is_err(), "{share} is no share");
    }
    assert_eq!(db.store.serving().await.unwrap().epoch, 3);
}

#[tokio::test]
async fn every_change_says_who_and_why_latest_first() {
    let db = Database::create().await;
    promoted(&db.store, "one").await;
    let two = registered(&db.store, "two").await;
    let wish = Move { by: "qa-8", why: "one fell", ..wish(two, 1) };
    db.store.promote(&wish).await.unwrap();
    let changes = db.store.model_changes(None).await.unwrap();
    let (one, candidate) = (Sha256::of(b"one"), ModelState::Candidate);
    let said: Vec<_> =
        changes.iter().map(|c| (c.model, c.from, c.to, c.epoch, c.by.as_str(), c.why.as_str())).collect();
    assert_eq!(
        said,
        [
            (two, candidate, ModelState::Champion, 2, "qa-8", "one fell"),
            (one, ModelState::Champion, ModelState::Retired, 2, "qa-8", "one fell"),
            (one, candidate, ModelState::Champion, 1, "qa-7", "it is better"),
        ]
    );
    assert_eq!(db.store.model_changes(Some(one)).await.unwrap(), changes[1..]);
}

#[tokio::test]
async fn a_trainer_that_holds_the_lease_promotes() {
    let db = Database::create().await;
    let one = registered(&db.store, "one").await;
    let fence = db.store.acquire_lease("trainer-1", Duration::from_secs(60)).await.unwrap();
    assert_eq!(db.store.promote(&Move { fence, ..wish(one, 0) }).await.unwrap(), Moved::Done { epoch: 1 });
}

#[tokio::test]
async fn a_trainer_past_its_leases_end_promotes_nothing_though_nobody_took_over() {
    let db = Database::create().await;
    let one = registered(&db.store, "one").await;
    let fence = db.store.acquire_lease("trainer-1", Duration::from_secs(60)).await.unwrap();
    expire_lease(&db.store).await;
    let late = Move { fence, ..wish(one, 0) };
    assert_eq!(db.store.promote(&late).await.unwrap(), Moved::LostLease);
    assert_eq!(db.store.set_shadow(&late, 0.5).await.unwrap(), Moved::LostLease);
    assert_eq!(db.store.end_shadow(&late).await.unwrap(), Moved::LostLease);
    nothing_moved(&db.store).await;
}

#[tokio::test]
async fn a_trainer_whose_lease_was_taken_over_promotes_nothing() {
    let db = Database::create().await;
    let one = registered(&db.store, "one").await;
    let fence = db.store.acquire_lease("trainer-1", Duration::from_secs(60)).await.unwrap();
    expire_lease(&db.store).await;
    let second = db.store.acquire_lease("trainer-2", Duration::from_secs(60)).await.unwrap();
    assert_eq!(second, Some(Fence { epoch: 2 }));
    assert_eq!(db.store.promote(&Move { fence, ..wish(one, 0) }).await.unwrap(), Moved::LostLease);
    nothing_moved(&db.store).await;
    let moved = db.store.promote(&Move { fence: second, ..wish(one, 0) }).await.unwrap();
    assert_eq!(moved, Moved::Done { epoch: 1 });
}

async fn nothing_moved(store: &Store) {
    let serving = store.serving().await.unwrap();
    assert_eq!((serving.epoch, serving.champion), (0, None));
    assert_eq!(state(store, "one").await, ModelState::Candidate);
    assert!(store.model_changes(None).await.unwrap().is_empty());
}

const SOON: Duration = Duration::from_secs(300);

#[tokio::test]
async fn a_promotion_wakes_a_listener() {
    let db = Database::create().await;
    let mut hints = db.store.serving_hints().await.unwrap();
    // waiting can be given up and taken up again
    assert!(timeout(Duration::from_millis(100), hints.next()).await.is_err(), "nothing has moved");
    promoted(&db.store, "one").await;
    timeout(SOON, hints.next()).await.expect("a hint").unwrap();
    let one = registered(&db.store, "two").await;
    db.store.set_shadow(&wish(one, 1), 0.5).await.unwrap();
    timeout(SOON, hints.next()).await.expect("a hint").unwrap();
}

#[tokio::test]
async fn a_listener_that_lost_its_connection_is_told_and_listens_again() {
    let db = Database::create().await;
    let mut hints = db.store.serving_hints().await.unwrap();
    let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and query ilike 'listen%'";
    let ended: i64 = sqlx::query_scalar(cut).fetch_one(db.store.pool()).await.unwrap();
    assert_eq!(ended, 1);
    timeout(SOON, hints.next()).await.expect("something may have gone unheard").unwrap();
    promoted(&db.store, "one").await;
    timeout(SOON, hints.next()).await.expect("a hint").unwrap();
}
