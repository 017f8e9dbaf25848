//! What is shipped: small binaries, and symbols by which an address in them is a line of the source.

use std::path::Path;
use std::process::Command;

use cspine_tests::tools::{Folder, binary, output_of, repository};

#[test]
fn what_is_shipped_has_no_debug_information_and_its_symbols_kept_apart_name_lines() {
    let folder = Folder::create("package");
    let built = binary("cspine-worker");
    let mut package = Command::new(repository().join("deploy/package"));
    println!("{}", output_of(package.arg(folder.path()).env("CSPINE_BUILT", built.parent().expect("a folder"))));
    let (bin, symbols) = (folder.path().join("bin"), folder.path().join("symbols"));
    for program in ["cspine-worker", "cspine-trainer"] {
        let shipped = bin.join(program);
        let sections = output_of(Command::new("readelf").args(["-SW"]).arg(&shipped));
        for debug in [".debug_info", ".debug_line"] {
            assert!(!sections.contains(debug), "{sections}");
        }
        assert!(sections.contains(".gnu_debuglink"), "{sections}");
        assert!(size(&shipped) < size(&binary(program)));
        assert!(output_of(Command::new(&shipped).arg("--version")).starts_with(program));

        // The address of a function of ours, as a log would have it.
        let names = output_of(Command::new("nm").arg("-C").arg(&shipped));
        let name = format!("{}::main", program.replace('-', "_"));
        let line = names.lines().find(|line| line.ends_with(&name)).expect("the name of main");
        let address = line.split(' ').next().expect("an address");
        let mut resolve = Command::new("addr2line");
        resolve.arg("-e").arg(symbols.join(format!("{program}.debug"))).arg(address);
        let place = output_of(&mut resolve);
        assert!(place.contains("src/main.rs:"), "{address} of {program} is {place}");
    }
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).expect("a file").len()
}
