//! The images of a fine-tuning: what each is for, and which of them may not be used.

use std::path::PathBuf;

use anyhow::{Context, Result};
use cspine_domain::{Class, Sha256};
use cspine_imaging::{Limits, Preprocessing};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, Duplicates, Example, Fingerprint, LoadError, radiograph, read};
use crate::fit::Images;

/// What an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Measures champion and challenger: of the frozen set.
    Frozen,
    /// Measures them too: labelled lately, of patients that nothing is ever learnt from.
    Holdout,
    /// Chooses epoch, temperature, operating point: newly labelled.
    NewValidation,
    /// The same, known before.
    ReplayValidation,
    /// To be learnt from: newly labelled.
    New,
    /// To be learnt from again.
    Replay,
}

/// An image with its label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lesson {
    /// Of its bytes: its name.
    pub content: Sha256,
    /// Where it lies.
    pub path: PathBuf,
    /// What it shows.
    pub class: Class,
    /// Whose it is.
    pub patient: String,
    /// Where it was taken.
    pub site: Option<String>,
    /// What it is for.
    pub role: Role,
}

/// Decoded images with what they are for.
pub struct Lessons {
    /// In the order of `lessons`.
    pub images: Images,
    /// Those that may be used.
    pub lessons: Vec<Lesson>,
    /// Those that may not.
    pub left_out: LeftOut,
}

/// Images that are not used, by why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// One picture under several labels: at least one of them is wrong.
    pub conflicting: Vec<Sha256>,
    /// The same picture as one that measures or validates: it would be known by heart.
    pub repeated: Vec<Sha256>,
    /// Not decodable, or nothing that the network has a business with; with what was said of it.
    pub unusable: Vec<(Sha256, String)>,
}

impl Lessons {
    /// Reads and decodes on rayon's current pool; `tell` hears of each.
    ///
    /// # Errors
    /// An image of the frozen set that cannot be used: without it figures of two runs would not be of one set. A file that
    /// cannot be read, or is another than its name says.
    pub fn load(
        lessons: Vec<Lesson>,
        preprocessing: &Preprocessing,
        limits: &Limits,
        tell: impl Fn() -> Result<()> + Sync,
    ) -> Result<Self> {
        let decoded = lessons.into_par_iter().with_max_len(1).map(|lesson| {
            let one = decode(&lesson, preprocessing, limits)?;
            tell()?;
            Ok((lesson, one))
        });
        let mut left_out = LeftOut::default();
        let (mut usable, mut looks) = (Vec::new(), Vec::new());
        for (lesson, decoded) in decoded.collect::<Result<Vec<_>>>()? {
            match decoded {
                Ok((grey, look)) => {
                    looks.push(look);
                    usable.push((lesson, grey));
                }
                Err(why) => left_out.unusable.push((lesson.content, why)),
            }
        }
        let kept = apart(&usable, &looks, &mut left_out);
        let mut decoded = Vec::new();
        let mut lessons = Vec::new();
        for ((lesson, grey), kept) in usable.into_iter().zip(kept) {
            if kept {
                decoded.push((grey, lesson.class, lesson.content));
                lessons.push(lesson);
            }
        }
        Ok(Self { images: Images::of(preprocessing, decoded), lessons, left_out })
    }

    /// The images for something, ascending.
    pub fn of(&self, role: Role) -> Vec<usize> {
        (0..self.lessons.len()).filter(|&i| self.lessons[i].role == role).collect()
    }

    /// What replay is stratified by.
    pub fn stratum(&self, i: usize) -> (Class, Option<&str>) {
        (self.lessons[i].class, self.lessons[i].site.as_deref())
    }
}

type Decoded = Result<(Vec<f32>, Fingerprint), String>;

fn decode(lesson: &Lesson, preprocessing: &Preprocessing, limits: &Limits) -> Result<Decoded> {
    let example = example(lesson);
    let bytes = read(&example, limits)?;
    anyhow::ensure!(
        Sha256::of(&bytes) == lesson.content,
        "{} is not the image it is named after",
        lesson.path.display()
    );
    let film = match radiograph(&example, &bytes, limits) {
        Ok(film) => film,
        Err(error) if lesson.role == Role::Frozen => {
            return Err(error).context("an image of the frozen set cannot be used");
        }
        Err(LoadError::NotAssessable { reason, .. }) => return Ok(Err(reason.to_string())),
        Err(error) => return Ok(Err(error.to_string())),
    };
    Ok(Ok((preprocessing.grey(&film), Fingerprint::of_film(lesson.content, &film))))
}

/// Which may stay: where one picture comes twice, what measures stays, what is learnt goes, and nothing is learnt of one
/// with two labels.
fn apart(usable: &[(Lesson, Vec<f32>)], looks: &[Fingerprint], left_out: &mut LeftOut) -> Vec<bool> {
    let examples = usable.iter().map(|(lesson, _)| example(lesson)).collect();
    let dataset = Dataset { root: PathBuf::new(), examples, ignored: Vec::new() };
    let duplicates = Duplicates::among(&dataset, looks);
    let mut kept = vec![true; usable.len()];
    let lesson = |i: usize| &usable[i].0;
    let learnt = |i: usize| !matches!(lesson(i).role, Role::Frozen | Role::Holdout);
    for group in &duplicates.groups {
        let conflicting = group.iter().any(|&i| lesson(i).class != lesson(group[0]).class);
        let first = group.iter().map(|&i| lesson(i).role).min().expect("a group has members");
        for &i in group.iter().filter(|&&i| learnt(i)) {
            if conflicting {
                left_out.conflicting.push(lesson(i).content);
                kept[i] = false;
            } else if side(lesson(i).role) != side(first) {
                left_out.repeated.push(lesson(i).content);
                kept[i] = false;
            }
        }
    }
    kept
}

/// Measuring, validating, learning.
fn side(role: Role) -> u8 {
    match role {
        Role::Frozen | Role::Holdout => 0,
        Role::NewValidation | Role::ReplayValidation => 1,
        Role::New | Role::Replay => 2,
    }
}

fn example(lesson: &Lesson) -> Example {
    Example {
        path: lesson.path.clone(),
        name: lesson.content.to_string(),
        class: lesson.class,
        patient_key: Some(lesson.patient.clone()),
        kind: None,
        ambiguous: false,
        part: None,
        site: lesson.site.clone(),
        set: None,
        mask: None,
    }
}
