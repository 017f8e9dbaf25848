//! A report as one HTML file: plots are SVG, pictures are inside it, nothing is fetched from anywhere.

pub mod bars;
pub mod plot;
mod provenance;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use serde::Serialize;

use crate::evaluate::write;

pub use provenance::{Made, Provenance, VERSION, executable};

/// A page that grows from top to bottom. Every text given to it is text: what looks like HTML is shown, not obeyed.
#[derive(Debug, Clone)]
pub struct Page {
    title: String,
    body: String,
}

/// A photograph-like picture with what is to be said of it.
#[derive(Debug, Clone)]
pub struct Picture {
    /// A JPEG file's bytes.
    pub jpeg: Vec<u8>,
    /// Stands below, and in its place where pictures are not shown.
    pub caption: String,
}

/// Writes a report twice into a folder: NAME.html, and NAME.json with its provenance.
///
/// # Errors
/// A file that cannot be written.
pub fn publish(folder: &Path, name: &str, html: &str, report: &impl Serialize, provenance: &Provenance) -> Result<()> {
    write(folder, &format!("{name}.html"), html)?;
    let json = serde_json::json!({ "report": report, "provenance": provenance });
    write(folder, &format!("{name}.json"), &(serde_json::to_string_pretty(&json)? + "\n"))
}

/// A picture as a JPEG file's bytes; quality from 1 to 100.
pub fn jpeg(picture: &RgbImage, quality: u8) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(picture).context("encoding a JPEG")?;
    Ok(bytes)
}

impl Page {
    /// An empty page.
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), body: format!("<h1>{}</h1>\n", escape(title)) }
    }

    /// A section's heading.
    pub fn heading(&mut self, text: &str) {
        self.element("h2", text);
    }

    /// A heading within a section.
    pub fn subheading(&mut self, text: &str) {
        self.element("h3", text);
    }

    /// A paragraph.
    pub fn paragraph(&mut self, text: &str) {
        self.element("p", text);
    }

    /// A paragraph that nobody is to miss.
    pub fn warning(&mut self, text: &str) {
        let _ = writeln!(self.body, "<p class=\"warning\">{}</p>", escape(text));
    }

    /// A table; its first column is of words, the others of figures.
    pub fn table(&mut self, caption: &str, header: &[&str], rows: &[Vec<String>]) {
        let row = |tag: &str, cells: &mut dyn Iterator<Item = &str>| {
            let cells: String = cells.map(|cell| format!("<{tag}>{}</{tag}>", escape(cell))).collect();
            format!("<tr>{cells}</tr>")
        };
        let head = row("th", &mut header.iter().copied());
        let _ = write!(self.body, "<div class=\"wide\"><table><caption>{}</caption>", escape(caption));
        let _ = writeln!(self.body, "<thead>{head}</thead><tbody>");
        for cells in rows {
            let _ = writeln!(self.body, "{}", row("td", &mut cells.iter().map(String::as_str)));
        }
        self.body.push_str("</tbody></table></div>\n");
    }

    /// A plot by [`plot`], with what is to be seen in it.
    pub fn figure(&mut self, svg: &str, caption: &str) {
        let _ = writeln!(self.body, "<figure>{svg}<figcaption>{}</figcaption></figure>", escape(caption));
    }

    /// Plots side by side, each with its caption.
    pub fn figures(&mut self, figures: &[(String, String)]) {
        self.body.push_str("<div class=\"row\">\n");
        for (svg, caption) in figures {
            self.figure(svg, caption);
        }
        self.body.push_str("</div>\n");
    }

    /// Pictures side by side.
    pub fn pictures(&mut self, caption: &str, pictures: &[Picture]) {
        let _ = writeln!(self.body, "<p class=\"caption\">{}</p><div class=\"pictures\">", escape(caption));
        for picture in pictures {
            let (data, text) = (STANDARD.encode(&picture.jpeg), escape(&picture.caption));
            let _ = writeln!(
                self.body,
                "<figure><img alt=\"{text}\" src=\"data:image/jpeg;base64,{data}\"><figcaption>{text}</figcaption></figure>"
            );
        }
        self.body.push_str("</div>\n");
    }

    /// Lines for a shell, as they are.
    pub fn commands(&mut self, lines: &[String]) {
        let _ = writeln!(self.body, "<pre>{}</pre>", escape(&lines.join("\n")));
    }

    /// How these figures came about, so that they can come about again.
    pub fn provenance(&mut self, provenance: &Provenance) {
        self.heading("How this came about");
        self.commands(&provenance.commands);
        let row = |name: &str, value: &str| vec![name.to_owned(), value.to_owned()];
        let mut rows = vec![row("version", &provenance.version), row("machine", &provenance.machine)];
        rows.extend(provenance.seeds.iter().map(|seed| row("seed", seed)));
        rows.extend(provenance.digests.iter().map(|(name, digest)| row(&format!("SHA-256, {name}"), digest)));
        self.table("Versions, seeds and digests", &["", ""], &rows);
        self.warning(provenance.caution());
    }

    /// The file.
    pub fn html(self) -> String {
        let Self { title, body } = self;
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
             <style>{}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
            escape(&title),
            include_str!("page.css")
        )
    }

    fn element(&mut self, tag: &str, text: &str) {
        let _ = writeln!(self.body, "<{tag}>{}</{tag}>", escape(text));
    }
}

/// Text as HTML and SVG want it, in elements and in attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{Page, Picture};
    use crate::dataset::Subjects;

    #[test]
    fn a_text_that_looks_like_html_is_shown_and_not_obeyed() {
        let mut page = Page::new("a < b & \"c\"");
        page.paragraph("<script>alert(1)</script>");
        page.table("<i>", &["<b>"], &[vec!["<td>".to_owned()]]);
        page.pictures("\"", &[Picture { jpeg: vec![1, 2, 3], caption: "\"><img".to_owned() }]);
        let html = page.html();
        assert!(html.contains("<title>a &lt; b &amp; &quot;c&quot;</title>"));
        for tag in ["<script", "<i>", "<b>", "\"><img\""] {
            assert!(!html.contains(tag), "{tag} in {html}");
        }
        assert!(html.contains("data:image/jpeg;base64,AQID\""));
    }

    #[test]
    fn a_page_refers_to_nothing_outside_of_itself() {
        let mut page = Page::new("t");
        page.heading("h");
        page.provenance(&super::Provenance::new(true));
        let html = page.html();
        let parts: Vec<&str> =
            ["http:", "https:", "url(", "@import", "src=\"/"].into_iter().filter(|s| html.contains(s)).collect();
        assert!(parts.is_empty(), "{parts:?}");
        assert!(html.contains("Phantoms are not patients"));
    }

    #[test]
    fn images_of_unknown_origin_are_not_called_patients_or_phantoms() {
        let caution = |subjects: Subjects| super::Provenance::new(subjects).caution();
        assert!(caution(Subjects::Untold).contains("does not tell whether they are of patients or synthetic"));
        assert!(!caution(Subjects::Patients).contains("synthetic"));
    }
}
