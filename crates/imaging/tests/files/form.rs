//! A file in an odd form, the same in its plain form, and what must become of it.

use std::path::Path;

use cspine_domain::{Note, Notes, Reason};
use cspine_imaging::{Limits, MediaType, decode, sniff};

use crate::writer::fixture;

pub struct Form {
    pub name: String,
    pub bytes: Vec<u8>,
    plain: Vec<u8>,
    answer: Answer,
}

enum Answer {
    /// As the plain form, with these notes.
    Read(Notes),
    Refused(Reason),
}

/// A form that is read as a fixture is.
pub fn read(plain: &str, name: &str, bytes: Vec<u8>, notes: &[Note]) -> Form {
    read_as(fixture(plain), name, bytes, notes)
}

/// A form that is read as another file is.
pub fn read_as(plain: Vec<u8>, name: &str, bytes: Vec<u8>, notes: &[Note]) -> Form {
    Form { name: name.to_owned(), bytes, plain, answer: Answer::Read(notes.iter().copied().collect()) }
}

/// A form of a fixture that is refused by name.
pub fn refused(plain: &str, name: &str, bytes: Vec<u8>, reason: Reason) -> Form {
    Form { name: name.to_owned(), bytes, plain: fixture(plain), answer: Answer::Refused(reason) }
}

/// Holds the decoder to all forms. With `CSPINE_FORMS` they are written there too, each beside its plain form, for other
/// readers to judge (`fixtures/judge.py`).
pub fn check(forms: &[Form]) {
    let faults: Vec<String> = forms.iter().filter_map(|form| form.fault().err()).collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), forms.len(), faults.join("\n"));
}

impl Form {
    fn fault(&self) -> Result<(), String> {
        if let Ok(folder) = std::env::var("CSPINE_FORMS") {
            let write =
                |end: &str, bytes| std::fs::write(Path::new(&folder).join(format!("{}.{end}", self.name)), bytes);
            write("dcm", &self.bytes).and_then(|()| write("plain", &self.plain)).unwrap();
        }
        let name = &self.name;
        if sniff(&self.bytes) != Some(MediaType::Dicom) {
            return Err(format!("{name}: not known for DICOM"));
        }
        let plain = decode(&self.plain, None, &Limits::default()).unwrap();
        match (decode(&self.bytes, None, &Limits::default()), &self.answer) {
            (Ok(read), Answer::Read(notes)) => {
                if read.luminance != plain.luminance || (read.width, read.height) != (plain.width, plain.height) {
                    return Err(format!("{name}: other pixels, notes {:?}", read.notes));
                }
                if read.notes != *notes || read.header != plain.header || read.padding != plain.padding {
                    return Err(format!("{name}: {:?}, not {notes:?}, or another header", read.notes));
                }
                Ok(())
            }
            (Err(error), Answer::Refused(reason)) if error.reason() == *reason => Ok(()),
            (Ok(read), Answer::Refused(_)) => Err(format!("{name}: read with {:?}", read.notes)),
            (Err(error), _) => Err(format!("{name}: {error}")),
        }
    }
}
