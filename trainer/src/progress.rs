//! Progress on a terminal's standard error; elsewhere nothing.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `length` steps, drawn by indicatif's template.
pub fn bar(length: usize, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("templates are fixed texts");
    ProgressBar::new(length as u64).with_style(style)
}
