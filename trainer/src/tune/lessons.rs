//! The images of a fine-tuning: what each is for, and which of them may not be used.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cspine_domain::{Class, Orientation, Sha256};
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
    /// What it shows.
    pub class: Class,
    /// Whose it is.
    pub patient: String,
    /// Where it was taken.
    pub site: Option<String>,
    /// How the stored image stood when it was answered: upright. None: as its file says.
    #[serde(default)]
    pub orientation: Option<Orientation>,
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
    /// Under several labels too, and used all the same, for it measures.
    pub contradicted: Vec<Sha256>,
    /// The same picture as one that is used: it would be known by heart where it measures or validates, and weigh twice
    /// where it is learnt from.
    pub repeated: Vec<Sha256>,
    /// Not decodable, or nothing that the network has a business with; with what was said of it.
    pub unusable: Vec<(Sha256, String)>,
}

impl Lessons {
    /// Reads them out of a folder, where each has its digest for a name, and decodes on rayon's current pool; `tell` hears
    /// of each.
    ///
    /// # Errors
    /// An image of the frozen set that cannot be used: without it figures of two runs would not be of one set. A file that
    /// cannot be read, or is another than its name says.
    pub fn load(
        lessons: Vec<Lesson>,
        folder: &Path,
        preprocessing: &Preprocessing,
        limits: &Limits,
        tell: impl Fn() -> Result<()> + Sync,
    ) -> Result<Self> {
        let decoded = lessons.into_par_iter().with_max_len(1).map(|lesson| {
            let one = decode(&lesson, folder, preprocessing, limits)?;
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

fn decode(lesson: &Lesson, folder: &Path, preprocessing: &Preprocessing, limits: &Limits) -> Result<Decoded> {
    let example = example(lesson, folder);
    let bytes = read(&example, limits)?;
    anyhow::ensure!(
        Sha256::of(&bytes) == lesson.content,
        "{} is not the image it is named after",
        example.path.display()
    );
    let film = match radiograph(&example, &bytes, limits) {
        Ok(film) => film,
        Err(error) if lesson.role == Role::Frozen => {
            return Err(error).context("an image of the frozen set cannot be used");
        }
        Err(LoadError::NotAssessable { reason, .. }) => return Ok(Err(reason.to_string())),
        Err(error) => return Ok(Err(error.to_string())),
    };
    // What the worker had to turn is not to be learnt as it lies.
    let film = match lesson.orientation {
        Some(orientation) => film.standing(orientation),
        None => film,
    };
    Ok(Ok((preprocessing.grey(&film), Fingerprint::of_film(lesson.content, &film))))
}

/// Which may stay where one picture comes several times.
fn apart(usable: &[(Lesson, Vec<f32>)], looks: &[Fingerprint], left_out: &mut LeftOut) -> Vec<bool> {
    let examples = usable.iter().map(|(lesson, _)| example(lesson, Path::new(""))).collect();
    let dataset = Dataset { root: PathBuf::new(), examples, ignored: Vec::new() };
    let lesson = |i: usize| &usable[i].0;
    let mut kept = vec![true; usable.len()];
    for group in &Duplicates::among(&dataset, looks).groups {
        let conflicting = !agree(group, lesson);
        let staying = staying(group, lesson);
        for &i in group {
            kept[i] = staying.contains(&i);
            match (kept[i], conflicting) {
                (true, true) => left_out.contradicted.push(lesson(i).content),
                (true, false) => {}
                (false, true) => left_out.conflicting.push(lesson(i).content),
                (false, false) => left_out.repeated.push(lesson(i).content),
            }
        }
    }
    kept
}

/// Of the copies of one picture: those of the frozen set, which is the same for every run; else one, what measures before
/// what validates and that before what is learnt, known before new; and none whose label is in doubt, unless all that
/// measure agree.
fn staying<'a>(copies: &[usize], lesson: impl Fn(usize) -> &'a Lesson + Copy) -> Vec<usize> {
    let of = |roles: &[Role]| copies.iter().copied().filter(|&i| roles.contains(&lesson(i).role)).collect::<Vec<_>>();
    let (frozen, measuring) = (of(&[Role::Frozen]), of(&[Role::Frozen, Role::Holdout]));
    if !frozen.is_empty() {
        return frozen;
    }
    let deciding: &[usize] = if measuring.is_empty() { copies } else { &measuring };
    if !agree(deciding, lesson) {
        return Vec::new();
    }
    let first = deciding.iter().copied().min_by_key(|&i| (side(lesson(i).role), Reverse(lesson(i).role)));
    first.into_iter().collect()
}

/// Whether all have one label.
fn agree<'a>(copies: &[usize], lesson: impl Fn(usize) -> &'a Lesson) -> bool {
    copies.iter().all(|&i| lesson(i).class == lesson(copies[0]).class)
}

/// Measuring, validating, learning.
fn side(role: Role) -> u8 {
    match role {
        Role::Frozen | Role::Holdout => 0,
        Role::NewValidation | Role::ReplayValidation => 1,
        Role::New | Role::Replay => 2,
    }
}

fn example(lesson: &Lesson, folder: &Path) -> Example {
    Example {
        path: folder.join(lesson.content.to_string()),
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

#[cfg(test)]
mod tests {
    use super::*;

    const FRACTURE: Class = Class::Fracture;
    const NORMAL: Class = Class::Normal;

    /// Which copies of one picture stay beside another picture, and how many are in conflict, contradicted and repeated.
    fn sorted(copies: &[(Role, Class)]) -> (Vec<bool>, [usize; 3]) {
        let lesson = |content: &[u8], role, class| Lesson {
            content: Sha256::of(content),
            class,
            patient: "one".into(),
            site: None,
            orientation: None,
            role,
        };
        let copies = copies.iter().map(|&(role, class)| lesson(b"a picture", role, class));
        let usable: Vec<_> =
            copies.chain([lesson(b"another", Role::New, NORMAL)]).map(|lesson| (lesson, Vec::new())).collect();
        let looks: Vec<_> =
            usable.iter().map(|(lesson, _)| Fingerprint { sha256: lesson.content, look: None }).collect();
        let mut left_out = LeftOut::default();
        let mut kept = apart(&usable, &looks, &mut left_out);
        assert_eq!(kept.pop(), Some(true));
        (kept, [left_out.conflicting.len(), left_out.contradicted.len(), left_out.repeated.len()])
    }

    #[test]
    fn of_copies_under_one_label_one_stays_where_it_weighs_most_and_of_the_frozen_set_all() {
        use Role::{Frozen, Holdout, New, NewValidation, Replay, ReplayValidation};
        let cases: [(&[Role], &[bool]); 6] = [
            (&[New, New, New], &[true, false, false]),
            (&[New, Replay], &[false, true]),
            (&[New, NewValidation], &[false, true]),
            (&[NewValidation, ReplayValidation, Replay], &[false, true, false]),
            (&[Replay, Holdout, NewValidation, Holdout], &[false, true, false, false]),
            (&[Frozen, Holdout, Frozen, New], &[true, false, true, false]),
        ];
        for (roles, kept) in cases {
            let copies: Vec<_> = roles.iter().map(|&role| (role, FRACTURE)).collect();
            let gone = kept.iter().filter(|kept| !**kept).count();
            assert_eq!(sorted(&copies), (kept.to_vec(), [0, 0, gone]), "{roles:?}");
        }
    }

    #[test]
    fn a_picture_under_two_labels_teaches_nothing_and_measures_only_what_it_measured() {
        use Role::{Frozen, Holdout, New, NewValidation, Replay};
        type Case<'a> = (&'a [(Role, Class)], &'a [bool], [usize; 3]);
        let cases: [Case<'_>; 7] = [
            (&[(New, FRACTURE), (New, NORMAL)], &[false, false], [2, 0, 0]),
            (&[(Replay, FRACTURE), (New, NORMAL), (New, FRACTURE)], &[false; 3], [3, 0, 0]),
            (&[(NewValidation, FRACTURE), (New, NORMAL)], &[false, false], [2, 0, 0]),
            (&[(Holdout, FRACTURE), (New, NORMAL)], &[true, false], [1, 1, 0]),
            (&[(Holdout, FRACTURE), (Holdout, NORMAL)], &[false, false], [2, 0, 0]),
            (&[(Frozen, FRACTURE), (Holdout, NORMAL), (New, NORMAL)], &[true, false, false], [2, 1, 0]),
            (&[(Frozen, FRACTURE), (Frozen, NORMAL)], &[true, true], [0, 2, 0]),
        ];
        for (copies, kept, told) in cases {
            assert_eq!(sorted(copies), (kept.to_vec(), told), "{copies:?}");
        }
    }
}
