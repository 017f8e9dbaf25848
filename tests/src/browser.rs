//! Pages in a real browser: Debian's chromium, headless.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::tools::{Folder, output_of};

/// What a browser makes of a page: `broken` and `outside` count pictures that do not show and texts that leave their
/// plot, `fetched` names what it took from elsewhere, `overflow` is by how many pixels the page is wider than the window.
pub fn look_at(page: &Path, width: u32) -> Value {
    let folder = Folder::create(&format!("browser-{width}"));
    let html = std::fs::read_to_string(page).expect("the page");
    let copy = folder.path().join("page.html");
    let body = html.rfind("</body>").expect("a body");
    std::fs::write(&copy, [&html[..body], MEASURE, &html[body..]].concat()).expect("a copy of the page");
    let window = format!("--window-size={width},900");
    let dom = chromium(folder.path(), &[&window, "--virtual-time-budget=5000", "--dump-dom"], &copy);
    let (_, measured) = dom.split_once("<pre id=\"measured\">").expect("the script ran");
    let (measured, _) = measured.split_once("</pre>").expect("to its end");
    serde_json::from_str(&measured.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")).expect("JSON")
}

/// The page on paper, as a PDF file's bytes.
pub fn print(page: &Path) -> Vec<u8> {
    let folder = Folder::create("browser-print");
    let pdf = folder.path().join("page.pdf");
    let to = format!("--print-to-pdf={}", pdf.display());
    chromium(folder.path(), &[&to, "--no-pdf-header-footer"], page);
    std::fs::read(pdf).expect("a PDF")
}

fn chromium(folder: &Path, flags: &[&str], page: &Path) -> String {
    let mut command = Command::new("chromium");
    // Without a network: what a page asks for elsewhere fails, and is told of.
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]);
    command.args(["--host-resolver-rules=MAP * ~NOTFOUND"]);
    command.arg(format!("--user-data-dir={}", folder.join("profile").display()));
    command.args(flags).arg(format!("file://{}", page.display()));
    output_of(&mut command)
}

const MEASURE: &str = r#"<script>
addEventListener("load", () => {
  const pictures = [...document.images];
  const plots = [...document.querySelectorAll("svg")];
  const leaves = (svg) => {
    const frame = svg.getBoundingClientRect();
    return [...svg.querySelectorAll("text")].filter((text) => {
      const box = text.getBoundingClientRect();
      return box.left < frame.left - 1 || box.right > frame.right + 1
        || box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
    }).map((text) => text.textContent);
  };
  const measured = document.createElement("pre");
  measured.id = "measured";
  measured.textContent = JSON.stringify({
    title: document.title,
    pictures: pictures.length,
    broken: pictures.filter((picture) => !(picture.complete && picture.naturalWidth > 0)).length,
    plots: plots.length,
    outside: plots.flatMap(leaves),
    fetched: performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => !name.startsWith("data:")),
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  });
  document.body.append(measured);
});
</script>"#;
