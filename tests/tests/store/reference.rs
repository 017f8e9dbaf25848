//! The images that came with the first champion.

use cspine_domain::{Class, Sha256};
use cspine_store::{AddedReference, LearningSet, ReferenceImage, StoreError};
use cspine_tests::database::Database;

use crate::samples::{count, deal, refused_by};

fn image(number: u32, patient: &str, set: LearningSet) -> ReferenceImage {
    ReferenceImage {
        content: Sha256::of(&number.to_le_bytes()),
        object_key: format!("reference/{number}.png"),
        media_type: "image/png".into(),
        label: Class::Fracture,
        patient: patient.into(),
        site: Some("ed-1".into()),
        set,
    }
}

#[tokio::test]
async fn reference_images_are_added_once_and_read_by_content() {
    let db = Database::create().await;
    let mut images: Vec<_> =
        (0..2100).map(|number| image(number, &format!("phantom-{}", number / 2), LearningSet::Evaluation)).collect();
    images[7].site = None;
    assert_eq!(db.store.add_reference(&images[..7], "qa-7").await.unwrap(), AddedReference { added: 7, there: 0 });
    let rest = db.store.add_reference(&images, "qa-7").await.unwrap();
    assert_eq!(rest, AddedReference { added: 2093, there: 7 });
    let other = ReferenceImage { label: Class::Normal, ..images[0].clone() };
    assert_eq!(db.store.add_reference(&[other], "qa-8").await.unwrap(), AddedReference { added: 0, there: 1 });
    images.sort_by_key(|image| image.content);
    assert_eq!(db.store.reference_images().await.unwrap(), images, "as they were recorded first");
}

#[tokio::test]
async fn a_patient_of_another_side_keeps_all_of_them_out() {
    let db = Database::create().await;
    deal(&db.store, "one", LearningSet::Training).await;
    let of_one = image(1, "one", LearningSet::Evaluation);
    let on_both = [image(2, "two", LearningSet::Training), image(3, "two", LearningSet::Validation)];
    for images in [vec![image(4, "three", LearningSet::Training), of_one], on_both.to_vec()] {
        let refused = db.store.add_reference(&images, "qa-7").await;
        assert!(matches!(refused, Err(StoreError::PatientElsewhere)), "{refused:?}");
    }
    assert_eq!((count(&db.store, "reference_images").await, count(&db.store, "patient_sets").await), (0, 1));
    // also when the other came with an earlier thousand
    let mut many: Vec<_> = (0..1500).map(|number| image(number, "four", LearningSet::Training)).collect();
    many[1400].set = LearningSet::Evaluation;
    assert!(matches!(db.store.add_reference(&many, "qa-7").await, Err(StoreError::PatientElsewhere)));
    assert_eq!(count(&db.store, "reference_images").await, 0);
}

#[tokio::test]
async fn reference_images_cannot_be_changed_by_anybody() {
    let db = Database::create().await;
    db.store.add_reference(&[image(1, "one", LearningSet::Evaluation)], "qa-7").await.unwrap();
    for statement in
        ["update reference_images set label = 'normal'", "delete from reference_images", "truncate reference_images"]
    {
        assert_eq!(refused_by(&db, statement.into()).await, "reference_images keeps what it has", "{statement}");
    }
}
