//! The object store: images and models by key, on a file system or in a bucket.
//!
//! Every operation has a time limit, for a store may hang as well as fail: a file server that went silent, a bucket that
//! accepts and never answers. What hangs on a file system cannot be ended, so there is a bound on how many may.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use cspine_domain::ObjectKey;
use futures_util::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Error, GetResult, ObjectStore, ObjectStoreExt as _, PutPayload};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::bucket;

/// An object store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// The folder of a `file://` store: with it gone, every object seems missing.
    root: Option<PathBuf>,
    /// How long reading or writing one object may take.
    limit: Duration,
    /// Operations at once, those that hang among them: each holds a thread of the runtime's until its file system answers.
    operations: Arc<Semaphore>,
    /// One of them asks whether the store answers, so that this can be asked while all others hang.
    probe: Arc<Semaphore>,
}

/// Why an object could not be read, or written. No text has its key, which a site may have made from a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// It is not there, or cannot be read while the store itself can.
    #[error("no object under this key")]
    Missing,
    /// It is there in part.
    #[error("the object has {found} bytes of {expected}")]
    Short {
        /// What it should have.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// It is longer than may be read.
    #[error("the object has {0} bytes, which is too many")]
    TooLarge(u64),
    /// Reading it did not end in time, while the store itself answers.
    #[error("the object was not read within {0:?}, though the store answers")]
    Slow(Duration),
    /// The store itself is away: not the object's matter.
    #[error("{0}")]
    Away(String),
}

/// Why an operation has no outcome of its own.
enum Unfinished {
    /// It did not end in time.
    Hangs,
    /// What the store said; whose matter that is, is still to be judged.
    Store(Error),
    /// It is the object's matter.
    Object(ObjectError),
}

impl From<Error> for Unfinished {
    fn from(error: Error) -> Self {
        Unfinished::Store(error)
    }
}

impl Objects {
    /// How long an operation may take, unless [`with_limit`](Self::with_limit) says otherwise.
    pub const LIMIT: Duration = Duration::from_secs(30);
    /// How long the store may take to say that it is there.
    const PROBE_MAX: Duration = Duration::from_secs(10);
    /// Far fewer than the threads that the runtime has for blocking work (512), so that others always find one.
    const OPERATIONS_MAX: usize = 128;

    /// Opens `file:///folder` or `s3://bucket/prefix` (credentials and endpoint from `AWS_…`). It does not have to be
    /// reachable yet.
    ///
    /// # Errors
    /// The URL is none, or of another scheme.
    pub fn open(url: &str) -> anyhow::Result<Self> {
        let url = Url::parse(url).context("the object store's URL")?;
        if url.scheme() == "file" {
            let root = url.to_file_path().ok().context("a file:// URL needs an absolute path")?;
            let path = Path::from_absolute_path(&root).context("the object store's folder")?;
            let files = LocalFileSystem::new().with_fsync(true);
            return Ok(Self::of(Arc::new(PrefixStore::new(files, path)), Some(root)));
        }
        anyhow::ensure!(url.scheme() == "s3", "the object store's URL begins with file:// or s3://");
        Ok(Self::of(Arc::new(bucket::open(&url)?), None))
    }

    fn of(store: Arc<dyn ObjectStore>, root: Option<PathBuf>) -> Self {
        let operations = Arc::new(Semaphore::new(Self::OPERATIONS_MAX));
        Self { store, root, limit: Self::LIMIT, operations, probe: Arc::new(Semaphore::new(1)) }
    }

    /// The same store with another limit on the time of reading or writing an object.
    #[must_use]
    pub fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Reads an object of at most `max_bytes` whole; `expected` bytes where they are known. Its hash is not checked here.
    ///
    /// # Errors
    /// [`ObjectError`]: missing, short, too large, slow, or the store is away.
    pub async fn get(&self, key: &ObjectKey, max_bytes: u64, expected: Option<u64>) -> Result<Vec<u8>, ObjectError> {
        self.get_within(self.limit, key, max_bytes, expected).await
    }

    /// Reads an object under a time limit of its own, such as a model, which is larger than an image.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_within(
        &self,
        limit: Duration,
        key: &ObjectKey,
        max_bytes: u64,
        expected: Option<u64>,
    ) -> Result<Vec<u8>, ObjectError> {
        let (store, path) = (self.store.clone(), path(key)?);
        let file = self.root.as_ref().map(|root| root.join(path.as_ref()));
        let reading = async move {
            if let Some(file) = file {
                refuse_special(&file).await?;
            }
            read(store.get(&path).await?, max_bytes, expected).await
        };
        match self.bounded(&self.operations, limit, reading).await {
            Ok(bytes) => Ok(bytes),
            Err(Unfinished::Object(error)) => Err(error),
            Err(Unfinished::Store(error)) => Err(self.judge(ObjectError::Missing, kind(&error)).await),
            Err(Unfinished::Hangs) => Err(self.judge(ObjectError::Slow(limit), "no answer in time").await),
        }
    }

    /// An object that cannot be read is the object's matter only while the store itself answers; else one bad key could
    /// hold everything up, or an unmounted store send everything down the retry ladder.
    async fn judge(&self, objects_matter: ObjectError, said: &str) -> ObjectError {
        match self.probe().await {
            Ok(()) => objects_matter,
            Err(why) => ObjectError::Away(format!("{why} ({said})")),
        }
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// Why not.
    pub async fn probe(&self) -> Result<(), String> {
        let (store, root) = (self.store.clone(), self.root.clone());
        let asking = async move { Ok(ask(&*store, root).await) };
        let answer = self.bounded(&self.probe, Self::PROBE_MAX, asking).await;
        answer.unwrap_or_else(|_| Err(format!("no answer within {:?}", Self::PROBE_MAX)))
    }

    /// Writes an object so that it is durable once this returns: on files by write, fsync, rename and fsync of the folder.
    ///
    /// # Errors
    /// [`ObjectError::Away`]: what a store does not take is never the object's matter.
    pub async fn put(&self, key: &ObjectKey, bytes: Vec<u8>) -> Result<(), ObjectError> {
        let (store, path) = (self.store.clone(), path(key)?);
        let writing = async move {
            store.put(&path, PutPayload::from(bytes)).await?;
            Ok(())
        };
        self.bounded(&self.operations, self.limit, writing).await.map_err(|unfinished| match unfinished {
            Unfinished::Object(error) => error,
            Unfinished::Store(error) => ObjectError::Away(format!("not written ({})", kind(&error))),
            Unfinished::Hangs => ObjectError::Away(format!("not written within {:?}", self.limit)),
        })
    }

    /// Runs an operation as a task of its own, and waits no longer than `limit`: for a place among `places`, and for its
    /// end. On a file system an operation that is given up keeps its place until it has ended, for its thread does too.
    async fn bounded<T: Send + 'static>(
        &self,
        places: &Arc<Semaphore>,
        limit: Duration,
        operation: impl Future<Output = Result<T, Unfinished>> + Send + 'static,
    ) -> Result<T, Unfinished> {
        let deadline = Instant::now() + limit;
        let Ok(place) = timeout_at(deadline, places.clone().acquire_owned()).await else {
            return Err(Unfinished::Hangs);
        };
        let mut task = tokio::spawn(async move {
            let done = operation.await;
            drop(place);
            done
        });
        match timeout_at(deadline, &mut task).await {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
            Err(_) => {
                if self.root.is_none() {
                    task.abort();
                }
                Err(Unfinished::Hangs)
            }
        }
    }
}

/// Opening a pipe or a device in the place of an object could hang, or never come to an end.
async fn refuse_special(file: &std::path::Path) -> Result<(), Unfinished> {
    match tokio::fs::metadata(file).await {
        Ok(found) if !found.is_file() && !found.is_dir() => Err(Unfinished::Object(ObjectError::Missing)),
        // What else is wrong with it the store says itself.
        _ => Ok(()),
    }
}

async fn read(found: GetResult, max_bytes: u64, expected: Option<u64>) -> Result<Vec<u8>, Unfinished> {
    let size = found.meta.size;
    if size > max_bytes {
        return Err(Unfinished::Object(ObjectError::TooLarge(size)));
    }
    if let Some(expected) = expected.filter(|expected| size < *expected) {
        return Err(Unfinished::Object(ObjectError::Short { expected, found: size }));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    let mut parts = found.into_stream();
    while let Some(part) = parts.try_next().await? {
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

async fn ask(store: &dyn ObjectStore, root: Option<PathBuf>) -> Result<(), String> {
    if let Some(root) = root {
        let found = tokio::fs::metadata(root).await.map_err(|error| error.to_string())?;
        return if found.is_dir() { Ok(()) } else { Err("not a folder".into()) };
    }
    bucket::ask(store).await.map_err(|error| kind(&error).into())
}

fn path(key: &ObjectKey) -> Result<Path, ObjectError> {
    // Keys are checked when they are read; what this store still cannot name is not there.
    Path::parse(key.as_str()).map_err(|_| ObjectError::Missing)
}

/// Without the path, which a site may have made from a name.
fn kind(error: &Error) -> &'static str {
    match error {
        Error::NotFound { .. } => "not found",
        Error::PermissionDenied { .. } => "permission denied",
        Error::Unauthenticated { .. } => "not authenticated",
        _ => "refused",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ObjectError, Objects};

    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("cspine-objects-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
        fn open(&self) -> Objects {
            Objects::open(&format!("file://{}", self.0.display())).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    async fn get(objects: &Objects, key: &str, expected: Option<u64>) -> Result<Vec<u8>, ObjectError> {
        objects.get(&key.parse().unwrap(), 8, expected).await
    }

    #[tokio::test]
    async fn what_was_put_is_got_and_what_is_wrong_is_named() {
        let folder = Folder::new("named");
        let objects = folder.open();
        objects.put(&"a/b.png".parse().unwrap(), b"12345".to_vec()).await.unwrap();
        assert_eq!(get(&objects, "a/b.png", Some(5)).await.unwrap(), b"12345");
        assert_eq!(get(&objects, "a/b.png", Some(6)).await, Err(ObjectError::Short { expected: 6, found: 5 }));
        assert_eq!(get(&objects, "a/c.png", None).await, Err(ObjectError::Missing));
        objects.put(&"long.png".parse().unwrap(), vec![0; 9]).await.unwrap();
        assert_eq!(get(&objects, "long.png", None).await, Err(ObjectError::TooLarge(9)));
    }

    #[tokio::test]
    async fn a_key_that_is_a_folder_or_too_long_is_the_objects_matter_not_the_stores() {
        let folder = Folder::new("odd");
        let objects = folder.open();
        objects.put(&"a/b.png".parse().unwrap(), b"12345".to_vec()).await.unwrap();
        for key in ["a", &"x".repeat(1000)] {
            assert_eq!(get(&objects, key, None).await, Err(ObjectError::Missing), "{key:.10}");
        }
    }

    #[tokio::test]
    async fn a_store_that_is_gone_is_nobodys_fault() {
        let folder = Folder::new("gone");
        let objects = folder.open();
        std::fs::remove_dir_all(&folder.0).unwrap();
        assert!(matches!(get(&objects, "a.png", None).await, Err(ObjectError::Away(_))));
    }

    #[tokio::test]
    async fn what_is_no_file_is_the_objects_matter_and_is_never_opened() {
        let folder = Folder::new("special");
        let objects = folder.open();
        let made = std::process::Command::new("mkfifo").arg(folder.0.join("pipe.png")).status().unwrap();
        assert!(made.success());
        let _listener = std::os::unix::net::UnixListener::bind(folder.0.join("socket.png")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", folder.0.join("zero.png")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.0.join("dangling.png")).unwrap();
        for key in ["pipe.png", "socket.png", "zero.png", "dangling.png"] {
            assert_eq!(get(&objects, key, None).await, Err(ObjectError::Missing), "{key}");
        }
    }

    #[tokio::test]
    async fn an_operation_that_hangs_is_given_up_keeps_its_place_and_there_is_a_bound_on_them() {
        let folder = Folder::new("hangs");
        let objects = folder.open().with_limit(Duration::from_millis(50));
        let (end, ended) = tokio::sync::watch::channel(false);
        for _ in 0..Objects::OPERATIONS_MAX {
            let mut ended = ended.clone();
            let hanging = async move {
                let _ = ended.wait_for(|ended| *ended).await;
                Ok(())
            };
            let outcome = objects.bounded(&objects.operations, Duration::from_millis(1), hanging).await;
            assert!(matches!(outcome, Err(super::Unfinished::Hangs)));
        }
        // The store's folder answers: so this is the objects' matter, and the next ones are not even begun.
        std::fs::write(folder.0.join("a.png"), b"1").unwrap();
        assert_eq!(get(&objects, "a.png", None).await, Err(ObjectError::Slow(Duration::from_millis(50))));
        let written = objects.put(&"b.png".parse().unwrap(), b"1".to_vec()).await;
        assert!(matches!(written, Err(ObjectError::Away(_))), "{written:?}");
        end.send_replace(true);
        let objects = objects.with_limit(Objects::LIMIT);
        assert_eq!(get(&objects, "a.png", None).await.unwrap(), b"1");
    }
}
