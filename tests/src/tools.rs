//! What a build has put where.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's root.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in the repository")
}

/// A file under `target/` that outlives a build.
pub fn cached(name: &str) -> PathBuf {
    profile_folder().parent().expect("the target folder").join(name)
}

/// A binary of this workspace, of the same profile as the running test.
pub fn binary(name: &str) -> PathBuf {
    let path = profile_folder().join(name);
    assert!(path.exists(), "{} is not built: run deploy/test, or cargo build --bins first", path.display());
    path
}

fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("the running test");
    test.ancestors().nth(2).expect("target/PROFILE/deps/TEST").to_owned()
}

/// The model under test: `CSPINE_MODEL`, else the starter. No test depends on how good it is.
pub fn model() -> PathBuf {
    let model = std::env::var_os("CSPINE_MODEL").map(PathBuf::from);
    let model = model.unwrap_or_else(|| repository().join("deploy/models/starter.safetensors"));
    assert!(model.exists(), "no model at {}: set CSPINE_MODEL", model.display());
    model
}

/// Runs a command to its end and returns what it printed; panics with both outputs when it fails.
pub fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{printed}\n{errors}", output.status);
    printed
}

/// A folder that goes when it is dropped.
pub struct Folder(PathBuf);

impl Folder {
    /// An empty folder of this name under the target folder.
    pub fn create(name: &str) -> Self {
        let path = cached("system-tests").join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder of the test's own");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // after a failure it stays: the workers' logs are in it
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
