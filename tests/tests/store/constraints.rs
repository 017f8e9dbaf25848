//! What must never be, whoever writes.

use cspine_store::{Store, StoreOptions};
use cspine_tests::database::{Database, with_database};

use crate::samples::{NORMAL, arrival, record, refused_by, uid};

#[tokio::test]
async fn impossible_findings_are_refused() {
    let db = Database::create().await;
    let image = arrival(1, 1);
    db.store.register_arrival(&image).await.unwrap();
    let insert = |values: &str| {
        format!(
            "insert into findings (sop_instance_uid, content_sha256, model_sha256, purpose, verdict, reason, flagged,
                                   p_dislocation, p_fracture, p_normal)
             values ('{}', '{}', '{}', {values})",
            image.sop, image.content, image.content
        )
    };
    let cases = [
        ("'primary', 'not_assessable', 'colour', false, 0.1, 0.2, 0.7", "probabilities_if_and_only_if_assessed"),
        ("'primary', 'normal', null, false, null, null, null", "probabilities_if_and_only_if_assessed"),
        ("'primary', 'normal', null, false, null, 0.2, 0.8", "probabilities_if_and_only_if_assessed"),
        ("'primary', 'normal', null, false, 0.1, 0.2, 0.8", "probabilities_sum_to_one"),
        ("'primary', 'normal', null, false, 'NaN', 0.2, 0.8", "findings_p_dislocation_check"),
        ("'primary', 'fracture', null, true, 0.1, 0.2, 0.7", "verdict_is_the_likeliest_class"),
        ("'primary', 'not_assessable', 'colour', true, null, null, null", "only_an_assessed_image_is_flagged"),
        ("'primary', 'not_assessable', null, false, null, null, null", "reason_says_why_not_assessable"),
        ("'primary', 'not_assessable', 'scope_unconfirmed', false, null, null, null", "reason_says_why_not_assessable"),
        ("'primary', 'not_assessable', 'atypical', false, null, null, null", "reason_says_why_not_assessable"),
        ("'primary', 'normal', 'colour', false, 0.1, 0.2, 0.7", "reason_says_why_not_assessable"),
        ("'primary', 'normal', 'out_of_distribution', false, 0.1, 0.2, 0.7", "reason_says_why_not_assessable"),
        ("'second', 'normal', null, false, 0.1, 0.2, 0.7", "findings_purpose_check"),
    ];
    for (values, constraint) in cases {
        assert_eq!(refused_by(&db, insert(values)).await, constraint, "{values}");
    }
    for notes in ["array['']", "array['A']", "array['a b']", "array['a,b']", "array[null]", "array['1a']"] {
        let noted = insert("'primary', 'normal', null, false, 0.1, 0.2, 0.7");
        let noted = noted.replace("p_normal)", "p_normal, notes)").replace("0.7)", &format!("0.7, {notes})"));
        assert_eq!(refused_by(&db, noted).await, "notes_are_codes", "{notes}");
    }
    let odd = "update images set event_notes = array['A']".to_owned();
    assert_eq!(refused_by(&db, odd).await, "event_notes_are_codes");
    for (heatmap, pose) in [
        ("null, null, null", "1, 1"),
        ("'normal', 'gradient', '\\x00'", "0, 1"),
        ("'normal', 'gradient', '\\x00'", "9, 1"),
        ("'normal', 'gradient', '\\x00'", "1, 0.1"),
        ("'normal', 'gradient', '\\x00'", "1, 'nan'"),
        ("'normal', 'gradient', '\\x00'", "1, null"),
        ("'normal', 'gradient', '\\x00'", "null, 1"),
    ] {
        let posed = insert("'primary', 'normal', null, false, 0.1, 0.2, 0.7");
        let columns = "p_normal, saliency_class, saliency_method, heatmap_png, orientation, pixel_aspect)";
        let posed = posed.replace("p_normal)", columns).replace("0.7)", &format!("0.7, {heatmap}, {pose})"));
        assert_eq!(refused_by(&db, posed).await, "a_heatmap_has_its_pose", "{heatmap}, {pose}");
    }
    record(&db.store, image.clone(), NORMAL).await;
    let second = insert("'primary', 'normal', null, false, 0.1, 0.2, 0.7");
    assert_eq!(refused_by(&db, second).await, "one_primary_finding_an_image");
}

#[tokio::test]
async fn impossible_studies_and_changes_are_refused() {
    let db = Database::create().await;
    record(&db.store, arrival(1, 1), NORMAL).await;
    let study = uid(1);
    let update = |set: &str| format!("update studies set {set} where study_instance_uid = '{study}'");
    for (set, constraint) in [
        ("state = 'lost'", "studies_state_check"),
        ("order_priority = 'soon'", "studies_order_priority_check"),
        ("flagged = true", "only_a_flag_gives_an_ai_level"),
        ("flagged = true, ai_level = 0, verdict = 'not_assessable'", "only_an_assessed_study_is_flagged"),
        ("study_instance_uid = '1..2'", "dicom_uid_check"),
    ] {
        assert_eq!(refused_by(&db, update(set)).await, constraint, "{set}");
    }
    let change = |values: &str| {
        format!(
            "insert into priority_changes (study_instance_uid, reason, from_level, to_level, from_flagged, to_flagged)
             values ('{study}', {values})"
        )
    };
    assert_eq!(refused_by(&db, change("'ageing', 1, 2, false, false")).await, "only_an_order_lowers");
    assert_eq!(refused_by(&db, change("'status', 2, 2, true, false")).await, "only_an_order_lowers");
    assert_eq!(refused_by(&db, change("'ageing', 2, 2, false, false")).await, "a_change_changes");
    assert_eq!(refused_by(&db, "update ageing_caps set cap = '0'".into()).await, "ageing_caps_cap_check");
}

#[tokio::test]
async fn resolving_needs_who_and_why() {
    let db = Database::create().await;
    let id = db.store.park(&crate::parked::parked("1")).await.unwrap();
    let half = format!("update parked_messages set resolved_at = now() where id = {id}");
    assert_eq!(refused_by(&db, half).await, "resolved_with_who_and_why");
}

#[tokio::test]
async fn the_schema_knows_whether_it_is_current_and_migrating_again_does_nothing() {
    let db = Database::create().await;
    assert!(db.store.schema_is_current().await.unwrap());
    db.store.migrate().await.unwrap();
    let empty = Store::connect(&with_database(&db.url, "postgres"), &StoreOptions::default()).await.unwrap();
    assert!(!empty.schema_is_current().await.unwrap());
}

#[tokio::test]
async fn an_absent_server_is_transient_and_a_slow_statement_is_ended() {
    let db = Database::create().await;
    let absent = Store::connect("postgres://nobody@127.0.0.1:1/none", &StoreOptions::default()).await.unwrap_err();
    assert!(absent.is_transient(), "{absent}");
    let bounds = StoreOptions { statement_timeout: std::time::Duration::from_millis(200), ..StoreOptions::default() };
    let hasty = Store::connect(&db.url, &bounds).await.unwrap();
    let ended = sqlx::query("select pg_sleep(60)").execute(hasty.pool()).await.unwrap_err();
    assert!(cspine_store::StoreError::from(ended).is_transient());
}
