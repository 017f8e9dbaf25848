//! CSV tables: a header, and records, each with its line as an editor counts them.
//!
//! The csv crate's own count is one too small after CRLF and stands before the blank lines above a record
//! (BurntSushi/rust-csv, issues 208 and 395). So lines are counted here, up to each record's first byte.

use csv::{ErrorKind, Position, Reader, ReaderBuilder, StringRecord, Trim};

/// A table, read record by record: each with its line. Fields are trimmed, and every record has as many as the header.
pub struct Table<'a> {
    reader: Reader<&'a [u8]>,
    lines: Lines<'a>,
}

/// Why a table cannot be read on.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Unsound {
    /// From 1.
    pub line: u64,
    /// What is wrong there.
    pub what: String,
}

impl<'a> Table<'a> {
    /// Of a file's bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { reader: ReaderBuilder::new().trim(Trim::All).from_reader(bytes), lines: Lines { bytes, at: 0, line: 1 } }
    }

    /// The titles; none in a file without a line.
    ///
    /// # Errors
    /// A header that is no UTF-8.
    pub fn header(&mut self) -> Result<StringRecord, Unsound> {
        let header = self.reader.headers().cloned();
        header.map_err(|error| self.unsound(&error))
    }

    fn unsound(&mut self, error: &csv::Error) -> Unsound {
        let what = match error.kind() {
            ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("it has another number of fields than the header: {len}, not {expected_len}")
            }
            ErrorKind::Utf8 { .. } => "it is no UTF-8".to_owned(),
            _ => error.to_string(),
        };
        Unsound { line: self.lines.of(error.position()), what }
    }
}

impl Iterator for Table<'_> {
    type Item = Result<(u64, StringRecord), Unsound>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = StringRecord::new();
        match self.reader.read_record(&mut record) {
            Ok(true) => Some(Ok((self.lines.of(record.position()), record))),
            Ok(false) => None,
            Err(error) => Some(Err(self.unsound(&error))),
        }
    }
}

/// Lines counted so far, that a table of many is counted through once.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of a record, none of which comes before that of the call before.
    fn of(&mut self, position: Option<&Position>) -> u64 {
        let end_of_last =
            position.map_or(self.at, |position| position.byte() as usize).clamp(self.at, self.bytes.len());
        let blank = self.bytes[end_of_last..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let first = end_of_last + blank;
        self.line += (self.at..first).filter(|at| self.ends_a_line(*at)).count() as u64;
        self.at = first;
        self.line
    }

    /// LF, CRLF at its LF, and a CR alone.
    fn ends_a_line(&self, at: usize) -> bool {
        match self.bytes[at] {
            b'\n' => true,
            b'\r' => self.bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    /// Each record's first field with its line.
    fn lines(text: &str) -> Vec<(u64, String)> {
        let mut table = Table::new(text.as_bytes());
        assert_eq!(table.header().unwrap().len(), 2);
        table.map(|record| record.map(|(line, record)| (line, record[0].to_owned())).unwrap()).collect()
    }

    #[test]
    fn lines_are_those_of_an_editor_whatever_ends_them() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["\u{feff}a,b", "", "x,1", "y,2", "", "", "\"z", "z\",3", "w,4", ""].join(end);
            let found = lines(&text);
            let numbers: Vec<u64> = found.iter().map(|(line, _)| *line).collect();
            assert_eq!(numbers, [3, 4, 7, 9], "{end:?}: {found:?}");
        }
        assert_eq!(lines("a,b\r\nx,1\n\r\ny,2"), [(2, "x".to_owned()), (4, "y".to_owned())]);
    }

    #[test]
    fn a_fault_is_told_with_its_line() {
        let mut table = Table::new(b"a,b\r\n1,2\r\n\r\n1,2,3\r\n");
        assert_eq!(table.next().unwrap().unwrap().0, 2);
        assert_eq!(
            table.next().unwrap().unwrap_err().to_string(),
            "line 4: it has another number of fields than the header: 3, not 2"
        );
        let mut table = Table::new(b"a,b\r\n1,2\r\n1,\xff\r\n");
        assert_eq!(table.find_map(Result::err).unwrap().to_string(), "line 3: it is no UTF-8");
        assert!(Table::new(b"").header().unwrap().is_empty());
    }
}
