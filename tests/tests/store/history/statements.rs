//! Every SQL statement that stands in the source of the store.

use cspine_tests::tools::repository;

/// A statement and where it stands.
pub struct Statement {
    pub file: String,
    pub text: String,
}

/// All string literals of the crate that begin like a statement, but for those of its own tests.
pub fn in_the_source() -> Vec<Statement> {
    let folder = repository().join("crates/store/src");
    let mut statements = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the store's source") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).expect("its text");
            let file = path.file_name().expect("a name").to_string_lossy().into_owned();
            let found = literals(&source).filter(|text| is_statement(text));
            statements.extend(found.map(|text| Statement { file: file.clone(), text: text.to_owned() }));
        }
    }
    assert!(statements.len() > 60, "only {} statements were found in the source", statements.len());
    statements
}

fn is_statement(text: &str) -> bool {
    ["select ", "insert ", "update ", "delete ", "with "].iter().any(|verb| text.starts_with(verb))
}

/// The text between quotation marks, line by line outside of comments. None of the store's statements has a quotation
/// mark in it; a literal with a placeholder ends before it.
fn literals(source: &str) -> impl Iterator<Item = &str> {
    let mut rest = source;
    std::iter::from_fn(move || {
        loop {
            let quote = rest.find('"')?;
            let comment = rest.find("//").unwrap_or(usize::MAX);
            if comment < quote {
                rest = rest[comment..].split_once('\n')?.1;
                continue;
            }
            let literal = &rest[quote + 1..];
            let end = literal.find('"')?;
            rest = &literal[end + 1..];
            return Some(literal[..end].split(['{', '%']).next().unwrap_or_default());
        }
    })
}
