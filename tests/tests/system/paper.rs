//! What the README says of reproducing the paper works as it stands there, and its pages show in a real browser.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use cspine_tests::browser;
use cspine_tests::tools::{Folder, binary, output_of, repository};

/// The first indented block under the heading on the paper: commands, a line each.
fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("README.md");
    let section = readme.split_once("\n## The paper, reproduced\n").expect("a heading on the paper").1;
    let lines = section.lines().skip_while(|line| !line.starts_with("    "));
    let block: Vec<&str> = lines.take_while(|line| line.starts_with("    ")).map(str::trim).collect();
    // A line that ends in a backslash goes on.
    block.join("\n").replace("\\\n", " ").lines().map(str::to_owned).collect()
}

#[test]
fn the_readmes_commands_reproduce_the_paper_and_a_browser_shows_their_pages() {
    let folder = Folder::create("paper");
    for part in ["deploy", "docs"] {
        symlink(repository().join(part), folder.path().join(part)).expect("a link into the repository");
    }
    let bin = binary("cspine-trainer").parent().expect("target/PROFILE").to_owned();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("a PATH"));
    let commands = commands();
    for word in ["phantoms", "reproduce", "compare", "explain"] {
        assert!(commands.iter().any(|c| c.starts_with(&format!("cspine-trainer {word} "))), "{word}: {commands:?}");
    }
    let mut printed = String::new();
    for command in &commands {
        let mut bash = Command::new("bash");
        bash.args(["-euc", command]).current_dir(folder.path()).env("PATH", &path);
        printed += &output_of(&mut bash);
    }
    // The paper's Table 2, decoded.
    assert!(printed.contains("92.16 %") && printed.contains("88.24 %"), "{printed}");
    // Its Table 1, above that of three networks.
    for row in
        ["the paper's GoogLeNet", "the paper's AlexNet", "GoogLeNet, pre-trained, clear", "AlexNet, fresh weights"]
    {
        assert!(printed.contains(row), "{row} is not in\n{printed}");
    }

    let reproduced = folder.path().join("reproduced");
    let json = std::fs::read_to_string(reproduced.join("reproduction.json")).expect("the report as JSON");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let survey = &json["report"]["survey"];
    assert_eq!((&survey["subjects"], &survey["patients"]), (&"phantoms".into(), &60.into()), "{survey}");
    assert_eq!((&survey["unusable"], &survey["unread"]), (&serde_json::json!([]), &serde_json::json!([])), "{survey}");
    // No two of its phantoms pass for one another.
    assert_eq!((&survey["same_bytes"], &survey["look_alikes"]), (&0.into(), &0.into()), "{survey}");
    for (page, plots) in [(reproduced.join("reproduction.html"), 12), (folder.path().join("explained/explain.html"), 2)]
    {
        shows_well(&page, plots);
    }
}

/// A page of at least some plots, on a desk, on a telephone and on paper.
fn shows_well(page: &Path, plots: u64) {
    for width in [1280, 500] {
        let seen = browser::look_at(page, width);
        let what = format!("{} at {width} pixels: {seen}", page.display());
        assert!(seen["plots"].as_u64().expect("a number") >= plots, "{what}");
        assert!(seen["pictures"].as_u64().expect("a number") >= 1, "{what}");
        assert_eq!((&seen["broken"], &seen["overflow"]), (&0.into(), &0.into()), "{what}");
        assert_eq!((&seen["outside"], &seen["fetched"]), (&serde_json::json!([]), &serde_json::json!([])), "{what}");
    }
    let pdf = browser::print(page);
    assert!(pdf.starts_with(b"%PDF") && pdf.len() > 20_000, "{} on paper: {} bytes", page.display(), pdf.len());
}
