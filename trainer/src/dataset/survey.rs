//! What is to be known of a data set before anything is learnt from it: said on the terminal and in reports.

use std::collections::BTreeSet;
use std::fmt;

use cspine_domain::Sha256;
use serde::Serialize;

use super::{Dataset, Duplicates, Subjects, TOLERANCE};

/// Names that a sentence has room for; all of them are in the report's JSON.
const NAMES_MAX: usize = 5;

/// Of whom its images are, which come twice, and which cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Survey {
    /// Images in the data set.
    pub images: usize,
    /// Of whom they are.
    pub subjects: Subjects,
    /// Patients that it names.
    pub patients: usize,
    /// Images without a patient.
    pub without_patient: usize,
    /// How many have the bytes of an earlier one.
    pub same_bytes: usize,
    /// How many more are near duplicates of an earlier one by their look.
    pub look_alikes: usize,
    /// Bits of 255 in which their hashes may differ.
    pub tolerance_bits: u32,
    /// The groups of near duplicates.
    pub groups: Vec<Vec<String>>,
    /// Those with labels in conflict, each image with its label.
    pub conflicting: Vec<Vec<(String, &'static str)>>,
    /// Whether it came in folders named train, val or test.
    pub parted: bool,
    /// Images in such a folder although their patient or their look is in an earlier one too.
    pub leaking: Vec<String>,
    /// Images that cannot be decoded or assessed, each with why.
    pub unusable: Vec<String>,
    /// Pictures of formats that are not read.
    pub unread: Vec<String>,
    /// Of each image's file, in the data set's order.
    #[serde(skip)]
    pub digests: Vec<Sha256>,
}

impl Survey {
    /// Of a data set as it was opened, and what comes twice in it.
    pub fn of(images: &Dataset, duplicates: &Duplicates) -> Survey {
        let name = |i: &usize| images.examples[*i].name.clone();
        let names = |indices: &[usize]| indices.iter().map(name).collect();
        let labelled = |i: &usize| (name(i), images.examples[*i].class.as_str());
        let patients: Vec<&str> = images.examples.iter().filter_map(|image| image.patient_key.as_deref()).collect();
        Survey {
            images: images.examples.len(),
            subjects: images.subjects(),
            without_patient: images.examples.len() - patients.len(),
            patients: patients.into_iter().collect::<BTreeSet<_>>().len(),
            same_bytes: duplicates.same_bytes,
            look_alikes: duplicates.look_alikes,
            tolerance_bits: TOLERANCE,
            groups: duplicates.groups.iter().map(|group| names(group)).collect(),
            conflicting: duplicates.conflicting.iter().map(|group| group.iter().map(labelled).collect()).collect(),
            parted: images.examples.iter().any(|image| image.part.is_some()),
            leaking: names(&duplicates.leaking(images)),
            unusable: duplicates.unusable.clone(),
            unread: images.unread(),
            digests: duplicates.digests.clone(),
        }
    }

    /// What a reader of figures has to know, a paragraph each.
    pub fn notes(&self) -> Vec<String> {
        [Some(self.kept_apart()), Some(self.repeated()), self.parts()].into_iter().flatten().collect()
    }

    /// What somebody should mend, a paragraph each.
    pub fn warnings(&self) -> Vec<String> {
        let labels = |group: &Vec<(String, &str)>| {
            group.iter().map(|(name, label)| format!("{name} as {label}")).collect::<Vec<_>>().join(" and ")
        };
        let conflicting: Vec<String> = self.conflicting.iter().map(labels).collect();
        let warning = |what: &str, names: &[String], then: &str| {
            (!names.is_empty()).then(|| format!("{what}: {} ({}). {then}.", names.len(), some(names)))
        };
        [
            warning("Pictures left out because their format is not read", &self.unread, "Convert them to PNG"),
            warning(
                "Images that cannot be used",
                &self.unusable,
                "Nothing is learnt from them, and in the test set they count as errors",
            ),
            warning("Pictures with several labels", &conflicting, "At least one label of each is wrong"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn kept_apart(&self) -> String {
        match (self.patients, self.without_patient) {
            (0, _) => {
                "The data set names no patients: images of one patient may be on several sides of the split, unless \
                       they look alike."
                    .to_owned()
            }
            (patients, 0) => format!("The data set names {patients} patients; each is on one side of the split only."),
            (patients, others) => format!(
                "The data set names {patients} patients, each of whom is on one side of the split only; of {others} \
                 images it does not say whose they are."
            ),
        }
    }

    fn repeated(&self) -> String {
        let repeated = self.same_bytes + self.look_alikes;
        if repeated == 0 {
            return format!("No near duplicates among {} images.", self.images);
        }
        format!(
            "{repeated} of {} images repeat another: {} byte for byte, {} turned, resized or encoded again; they stay \
             on its side of the split.",
            self.images, self.same_bytes, self.look_alikes
        )
    }

    fn parts(&self) -> Option<String> {
        let leaks = match self.leaking.len() {
            0 => "In them no image would have been on two sides.".to_owned(),
            n => format!("In them {n} would have been on two sides, by patient or look: {}.", some(&self.leaking)),
        };
        self.parted.then(|| format!("The folders train, val and test are not kept: all images are dealt anew. {leaks}"))
    }
}

impl fmt::Display for Survey {
    /// A line a paragraph.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let warnings = self.warnings().into_iter().map(|warning| format!("WARNING: {warning}"));
        f.write_str(&self.notes().into_iter().chain(warnings).collect::<Vec<_>>().join("\n"))
    }
}

/// The first of them, and how many there are more.
fn some(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMES_MAX);
    let first = names[..names.len() - more].join(", ");
    if more == 0 { first } else { format!("{first} and {more} more") }
}

#[cfg(test)]
mod tests {
    use super::some;

    #[test]
    fn a_long_list_is_cut_and_its_rest_counted() {
        let names: Vec<String> = (0..7).map(|i| i.to_string()).collect();
        assert_eq!(some(&names), "0, 1, 2, 3, 4 and 2 more");
        assert_eq!(some(&names[..5]), "0, 1, 2, 3, 4");
    }
}
