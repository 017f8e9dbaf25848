//! Whose images they are: a phantom is no patient, and a report must say which of them it measured on.

use cspine_phantom::Kind;
use serde::Serialize;

use super::{Dataset, Example};

/// Of whom images are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subjects {
    /// Of phantoms, all of them.
    Phantoms,
    /// Of patients, or of patients too.
    Patients,
    /// The data set does not say.
    Untold,
}

impl From<bool> for Subjects {
    /// Of images of which it is known whether they are phantoms.
    fn from(phantoms: bool) -> Self {
        if phantoms { Subjects::Phantoms } else { Subjects::Patients }
    }
}

impl Dataset {
    /// Of whom the images are, as far as the data set says.
    pub fn subjects(&self) -> Subjects {
        let named = |example: &Example| example.patient_key.is_some();
        match &self.examples {
            examples if examples.iter().all(is_phantom) => Subjects::Phantoms,
            examples if examples.iter().any(named) => Subjects::Patients,
            _ => Subjects::Untold,
        }
    }

    /// Whether all are phantoms.
    pub fn is_of_phantoms(&self) -> bool {
        self.subjects() == Subjects::Phantoms
    }
}

/// Whether patient and kind are in the words of the phantoms' manifests: others may have a column `kind` too.
fn is_phantom(example: &Example) -> bool {
    let hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let key = example.patient_key.as_deref().and_then(|key| key.strip_prefix('P'));
    let kind = example.kind.as_deref();
    key.is_some_and(|digits| digits.len() == 12 && digits.bytes().all(hexadecimal))
        && kind.is_some_and(|word| Kind::ALL.iter().any(|kind| kind.as_str() == word))
}

#[cfg(test)]
mod tests {
    use cspine_domain::Class;
    use cspine_phantom::Case;

    use super::*;

    fn dataset(lines: &[(Option<&str>, Option<&str>)]) -> Dataset {
        let example = |(key, kind): &(Option<&str>, Option<&str>)| Example {
            path: "a.png".into(),
            name: "a.png".to_owned(),
            class: Class::Fracture,
            patient_key: key.map(str::to_owned),
            kind: kind.map(str::to_owned),
            ambiguous: false,
            part: None,
            site: None,
            set: None,
            mask: None,
        };
        Dataset { root: ".".into(), examples: lines.iter().map(example).collect(), ignored: vec![] }
    }

    #[test]
    fn phantoms_are_known_by_their_patients_and_kinds_and_not_by_the_column_alone() {
        let cases: Vec<Case> = (0..99).map(|i| Case::sample(7 << 24 | i, Class::ALL[i as usize % 3])).collect();
        let mut lines: Vec<_> = cases.iter().map(|c| (Some(c.patient_key.as_str()), Some(c.kind.as_str()))).collect();
        assert_eq!(dataset(&lines).subjects(), Subjects::Phantoms);
        // One radiograph among them, and the page must not say that no patient is.
        lines.push((Some("4711"), Some("wedge")));
        assert_eq!(dataset(&lines).subjects(), Subjects::Patients);
        for kind in [Some("wedge"), Some("type II"), None] {
            assert_eq!(dataset(&[(Some("4711"), kind)]).subjects(), Subjects::Patients);
            assert_eq!(dataset(&[(None, kind)]).subjects(), Subjects::Untold);
        }
    }
}
