//! Where a model comes from: a file, or the registry and the object store.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use cspine_domain::{KeyError, ObjectKey, Sha256};
use cspine_nets::{Classifier, ModelError};
use cspine_service::{ObjectError, Objects};
use cspine_store::Served;

/// Why a model of the registry cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The registry's key is none.
    #[error("its key in the object store: {0}")]
    Key(#[from] KeyError),
    /// Its file cannot be read.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The object store does not come to an end with it.
    #[error("fetching it took longer than {0:?}")]
    Slow(Duration),
    /// Its file is another one.
    #[error("the SHA-256 of its file is {0}")]
    OtherFile(Sha256),
    /// Its file is no sound model, or does not say here what it said where it was made.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Reading it panicked: a bug of ours.
    #[error("panicked while reading it")]
    Panicked,
}

/// Reads a model's file whose answers are to be acted on.
///
/// # Errors
/// As [`read`]; or it has no scope gate, and that is not allowed.
pub fn read_to_serve(path: &Path, allow_ungated: bool) -> anyhow::Result<Classifier> {
    let classifier = read(path)?;
    if classifier.card().gate.is_none() {
        anyhow::ensure!(
            allow_ungated,
            "the model {} has no scope gate and would answer every image with a class, also one that is no neck: \
             `cspine-trainer gate` gives it one; --allow-ungated serves it nevertheless",
            path.display()
        );
        tracing::warn!(model = %classifier.sha256(), "the model has no scope gate: it answers every image with a class");
    }
    Ok(classifier)
}

/// Reads a model's file. Its golden inference, if it has one, is asked again.
///
/// # Errors
/// The file cannot be read, is no model of ours, or does not say here what it said where it was made.
pub fn read(path: &Path) -> anyhow::Result<Classifier> {
    let bytes = std::fs::read(path).with_context(|| format!("reading the model {}", path.display()))?;
    let name = || format!("the model {} (SHA-256 {})", path.display(), Sha256::of(&bytes));
    let classifier = Classifier::load(&bytes).with_context(name)?;
    match classifier.check_golden() {
        // Whoever names a file answers for it; the registry takes none without.
        Ok(()) | Err(ModelError::NoGolden) => Ok(classifier),
        Err(error) => Err(error).with_context(name),
    }
}

/// Fetches the file of a model of the registry; whether it is the one is for [`verify`] to say.
///
/// # Errors
/// [`LoadError`]: its key, the object store, or it took too long.
pub async fn fetch(
    objects: &Objects,
    served: &Served,
    max_bytes: u64,
    timeout: Duration,
) -> Result<Vec<u8>, LoadError> {
    let key: ObjectKey = served.object_key.parse()?;
    match objects.get_within(timeout, &key, max_bytes, None).await {
        Err(ObjectError::Slow(limit)) => Err(LoadError::Slow(limit)),
        fetched => Ok(fetched?),
    }
}

/// The model of a file, if it is the one and says what it should.
///
/// # Errors
/// [`LoadError`]: then it is not to be served.
pub async fn verify(bytes: Vec<u8>, sha256: Sha256) -> Result<Classifier, LoadError> {
    let loading = tokio::task::spawn_blocking(move || on_one_thread(|| verified(&bytes, sha256)));
    loading.await.unwrap_or(Err(LoadError::Panicked))
}

fn verified(bytes: &[u8], sha256: Sha256) -> Result<Classifier, LoadError> {
    let found = Sha256::of(bytes);
    if found != sha256 {
        return Err(LoadError::OtherFile(found));
    }
    let classifier = Classifier::load(bytes)?;
    classifier.check_golden()?;
    Ok(classifier)
}

/// So that loading leaves the other processors to the images.
fn on_one_thread<T: Send>(work: impl FnOnce() -> Result<T, LoadError> + Send) -> Result<T, LoadError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(|_| LoadError::Panicked)?;
    pool.install(work)
}
