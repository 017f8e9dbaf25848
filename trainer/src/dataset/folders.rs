//! Folder names to classes.

use std::fs;

use anyhow::{Context, Result, bail};
use cspine_domain::Class;

use super::{Dataset, Example, Part, manifest};

/// Folders below a data set's own; deeper ones are taken for a loop of links.
const DEPTH_MAX: usize = 8;

/// What a folder's name says.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Class(Class),
    /// A part of a data set that was split already.
    Part(Part),
    Ignored,
    Unknown,
}

/// Takes in a folder of class folders, of parts, or with a manifest; `at` is its name from the root.
pub(super) fn collect(dataset: &mut Dataset, at: &str) -> Result<()> {
    let entries = list(dataset, at)?;
    if entries.iter().any(|(name, folder)| name == manifest::FILE && !folder) {
        return manifest::collect(dataset, at, manifest::FILE);
    }
    for (name, folder) in entries {
        let path = join(at, &name);
        match (folder, meaning(&name)) {
            (false, _) if image_ending(&name) => {
                bail!("image {path} lies in no class folder and no manifest.csv lists it")
            }
            (false, _) | (true, Meaning::Ignored) => dataset.ignored.push(path),
            (true, Meaning::Class(class)) => collect_class(dataset, &path, class)?,
            (true, Meaning::Part(_)) if path.split('/').count() < DEPTH_MAX => collect(dataset, &path)?,
            (true, _) => bail!(
                "folder {path} is not understood: rename it to dislocation, fracture or normal, to train, val or test \
                 if it holds such folders, or to masks if it is to be left out"
            ),
        }
    }
    Ok(())
}

/// Takes in a class folder with all below it.
fn collect_class(dataset: &mut Dataset, at: &str, class: Class) -> Result<()> {
    if at.split('/').count() > DEPTH_MAX {
        bail!("folder {at} lies too deep: at most {DEPTH_MAX} folders");
    }
    for (name, folder) in list(dataset, at)? {
        let path = join(at, &name);
        match (folder, meaning(&name)) {
            (true, Meaning::Ignored) => dataset.ignored.push(path),
            (true, Meaning::Class(other)) if other != class => {
                bail!("folder {path} says {other} and lies in a folder of the class {class}")
            }
            (true, _) => collect_class(dataset, &path, class)?,
            (false, _) if !ignored_name(&name) && (image_ending(&name) || dicom_name(&name)) => {
                let path_on_disk = dataset.path_of(&path);
                dataset.examples.push(Example {
                    path: path_on_disk,
                    part: part(&path),
                    name: path,
                    class,
                    patient_key: None,
                    kind: None,
                    ambiguous: false,
                    site: None,
                    set: None,
                    mask: None,
                });
            }
            (false, _) => dataset.ignored.push(path),
        }
    }
    Ok(())
}

/// Names in a folder, sorted, and whether each is a folder; links are followed.
fn list(dataset: &Dataset, at: &str) -> Result<Vec<(String, bool)>> {
    let folder = if at.is_empty() { dataset.root.clone() } else { dataset.path_of(at) };
    let context = || format!("cannot list {}", folder.display());
    let mut names = vec![];
    for entry in fs::read_dir(&folder).with_context(context)? {
        let entry = entry.with_context(context)?;
        let Ok(name) = entry.file_name().into_string() else {
            bail!("{} is no UTF-8 name: rename it", entry.path().display());
        };
        // A link to nowhere is taken for a file; reading it will say so.
        names.push((name, entry.path().is_dir()));
    }
    names.sort();
    Ok(names)
}

/// The part that an image's folders say; the innermost counts.
pub(super) fn part(name: &str) -> Option<Part> {
    name.split('/').rev().skip(1).find_map(|folder| match meaning(folder) {
        Meaning::Part(part) => Some(part),
        _ => None,
    })
}

pub(super) fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}/{name}") }
}

/// Words that may stand beside the class in a folder's name. Any other (`no fracture`, `abnormal`) makes it unknown.
const COMPANIONS: [&str; 18] = [
    "cervical",
    "spine",
    "cspine",
    "c",
    "vertebra",
    "vertebral",
    "neck",
    "facet",
    "lateral",
    "class",
    "cases",
    "case",
    "image",
    "images",
    "xray",
    "x",
    "ray",
    "radiographs",
];

fn meaning(name: &str) -> Meaning {
    if ignored_name(name) {
        return Meaning::Ignored;
    }
    let lower = name.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    match words[..] {
        ["train" | "training"] => return Meaning::Part(Part::Training),
        ["val" | "valid" | "validation"] => return Meaning::Part(Part::Validation),
        ["test" | "testing"] => return Meaning::Part(Part::Test),
        _ => {}
    }
    let mut said = [false; Class::COUNT];
    for word in words {
        match word {
            "dislocation" | "dislocations" | "dislocated" => said[Class::Dislocation.index()] = true,
            "fracture" | "fractures" | "fractured" => said[Class::Fracture.index()] = true,
            "normal" | "normals" => said[Class::Normal.index()] = true,
            _ if COMPANIONS.contains(&word) || word.bytes().all(|b| b.is_ascii_digit()) => {}
            _ => return Meaning::Unknown,
        }
    }
    match said {
        // Dislocation with fracture counts as dislocation.
        [true, _, false] => Meaning::Class(Class::Dislocation),
        [false, true, false] => Meaning::Class(Class::Fracture),
        [false, false, true] => Meaning::Class(Class::Normal),
        _ => Meaning::Unknown,
    }
}

fn ignored_name(name: &str) -> bool {
    name.starts_with('.') || name.eq_ignore_ascii_case("masks") || name.eq_ignore_ascii_case("__macosx")
}

fn image_ending(name: &str) -> bool {
    !ignored_name(name) && ends_in(name, &["png", "jpg", "jpeg", "jfif", "tif", "tiff", "dcm", "dicom"])
}

/// Whether a path that was left out is of a picture in a format that is not read.
pub(super) fn is_unread_picture(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    !ignored_name(name) && ends_in(name, &["webp", "bmp", "gif", "heic", "heif", "avif", "jp2"])
}

fn ends_in(name: &str, endings: &[&str]) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| endings.iter().any(|e| ending.eq_ignore_ascii_case(e)))
}

/// `IM0001`, or a UID.
fn dicom_name(name: &str) -> bool {
    name.rsplit_once('.').is_none_or(|(_, ending)| ending.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{Class, Meaning, Part, dicom_name, image_ending, is_unread_picture, meaning};

    #[test]
    fn a_folders_name_may_say_more_than_the_class() {
        for (name, class) in [
            ("Dislocation", Class::Dislocation),
            ("1_cervical FRACTURE", Class::Fracture),
            ("normal-images", Class::Normal),
            ("Fracture Dislocation", Class::Dislocation),
        ] {
            assert_eq!(meaning(name), Meaning::Class(class), "{name}");
        }
    }

    #[test]
    fn a_name_that_may_mean_the_opposite_is_not_understood() {
        for name in ["no fracture", "abnormal", "non-dislocated", "normal or fracture", "fracture?maybe", "images", ""]
        {
            assert_eq!(meaning(name), Meaning::Unknown, "{name}");
        }
        assert_eq!(meaning("masks"), Meaning::Ignored);
        assert_eq!(meaning("Train"), Meaning::Part(Part::Training));
    }

    #[test]
    fn images_are_known_by_their_names() {
        assert!(image_ending("a.b.PNG") && image_ending("x.dcm") && image_ending("x.jfif"));
        assert!(!image_ending("Thumbs.db") && !image_ending("._a.png") && !image_ending("png"));
        assert!(is_unread_picture("normal/a.WebP") && !is_unread_picture("normal/._a.webp"));
        assert!(!is_unread_picture("normal/Thumbs.db") && !is_unread_picture("gif"));
        assert!(dicom_name("IM0001") && dicom_name("1.2.840.10008") && !dicom_name("notes.txt"));
    }
}
