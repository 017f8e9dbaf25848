//! Who does something and why, for the record.

/// Who calls, unless they say.
pub fn caller() -> String {
    std::env::var("USER").ok().filter(|user| !user.is_empty()).unwrap_or_else(|| "operator".into())
}

/// A flag's text as the database takes it: 1 to 512 characters.
///
/// # Errors
/// What is wrong with it.
pub fn short_text(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it is empty".to_owned()),
        text if text.chars().count() > 512 => Err("at most 512 characters".to_owned()),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::short_text;

    #[test]
    fn a_short_text_says_something_and_is_short() {
        assert_eq!(short_text(" the night's images "), Ok("the night's images".to_owned()));
        assert!(short_text(" ").is_err());
        assert!(short_text(&"ü".repeat(512)).is_ok());
        assert!(short_text(&"u".repeat(513)).is_err());
    }
}
