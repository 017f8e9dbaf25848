//! On which side a patient is, for ever; and who turned out to be whom.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::columns::{count, parsed, parsed_option};
use crate::words::words;
use crate::{Store, StoreError};

words! {
    /// What a patient's images are for.
    LearningSet, "set" {
        /// To learn from.
        Training = "training",
        /// To stop, calibrate and set the operating point by.
        Validation = "validation",
        /// To measure with; never learned from.
        Evaluation = "evaluation",
    }
}

impl LearningSet {
    /// How many there are.
    pub const COUNT: usize = 3;

    /// The index in order of declaration.
    pub fn index(self) -> usize {
        self as usize
    }
}

/// What is known of a pseudonym.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patient {
    /// Images under it, those that came with a champion among them.
    pub images: u64,
    /// The side that it was dealt.
    pub set: Option<LearningSet>,
}

impl Store {
    /// Deals a side to the patient of every labelled image who has none, for ever, and notes it for the image's study; how
    /// many of both. Until then a patient's side is the one that is going to be dealt.
    pub async fn assign_sets(&self) -> Result<u64, StoreError> {
        let mut tx = self.pool.begin().await?;
        // once for all labels there are: their number decides how long that takes
        tx.allow(Duration::from_secs(600)).await?;
        let dealt = sqlx::query(
            "with sided as materialized (select patient, study_as_patient, set from labelled_images)
             insert into patient_sets (patient, set)
             select patient, set from sided union select study_as_patient, set from sided
             on conflict (patient) do nothing",
        )
        .execute(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(dealt.rows_affected())
    }

    /// The side of a patient: the one that was dealt, or that is going to be.
    pub async fn set_of(&self, patient: &str) -> Result<LearningSet, StoreError> {
        let row =
            sqlx::query("select coalesce((select set from patient_sets where patient = $1), drawn_set($1)) as set");
        Ok(parsed(&row.bind(patient).fetch_one(&self.pool).await?, "set")?)
    }

    /// Puts on record that two pseudonyms are one person; false when it was there. Who has been dealt both sides is
    /// quarantined.
    pub async fn merge_patients(&self, from: &str, into: &str, by: &str) -> Result<bool, StoreError> {
        let merged = sqlx::query(
            "insert into patient_merges (from_patient, into_patient, merged_by) values ($1, $2, $3)
             on conflict do nothing",
        )
        .bind(from)
        .bind(into)
        .bind(by)
        .execute(&self.pool)
        .await?;
        Ok(merged.rows_affected() == 1)
    }

    /// What is known of a pseudonym by itself, whoever else it is.
    pub async fn patient(&self, name: &str) -> Result<Patient, StoreError> {
        let row = sqlx::query(
            "select (select count(*) from images join studies using (study_instance_uid) where patient_key = $1)
                  + (select count(*) from reference_images where patient = $1) as images,
                    (select set from patient_sets where patient = $1) as set",
        );
        let row = row.bind(name).fetch_one(&self.pool).await?;
        Ok(Patient { images: count(&row, "images")?, set: parsed_option(&row, "set")? })
    }

    /// Pseudonyms that were dealt another side than one that they were merged with.
    pub async fn patients_on_two_sides(&self) -> Result<BTreeSet<String>, StoreError> {
        let patients: Vec<String> = sqlx::query_scalar(
            "select p.patient
               from patient_sets p
              where p.patient in (select from_patient from patient_merges
                                  union all select into_patient from patient_merges)
                and exists (select from aliases(p.patient) as a (name)
                              join patient_sets s on s.patient = a.name
                             where s.set <> p.set)",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(patients.into_iter().collect())
    }
}
