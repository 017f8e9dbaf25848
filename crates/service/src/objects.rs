//! The object store: images and models by key, on a file system or in a bucket.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use cspine_domain::ObjectKey;
use futures_util::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Error, GetResult, ObjectStore, ObjectStoreExt as _, PutPayload};
use url::Url;

/// An object store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// The folder of a `file://` store: with it gone, every object seems missing.
    root: Option<PathBuf>,
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
    /// The store itself is away: not the object's matter.
    #[error("{0}")]
    Away(String),
}

impl Objects {
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
            return Ok(Self { store: Arc::new(PrefixStore::new(files, path)), root: Some(root) });
        }
        anyhow::ensure!(url.scheme() == "s3", "the object store's URL begins with file:// or s3://");
        #[cfg(feature = "s3")]
        // Refused only when somebody has chosen one before: then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let environment = std::env::vars().filter(|(name, _)| name.starts_with("AWS_"));
        let lower_case = environment.map(|(name, value)| (name.to_ascii_lowercase(), value));
        let (bucket, prefix) =
            object_store::parse_url_opts(&url, lower_case).context("s3:// needs a build with the feature s3")?;
        Ok(Self { store: Arc::new(PrefixStore::new(bucket, prefix)), root: None })
    }

    /// Reads an object of at most `max_bytes` whole; `expected` bytes where they are known. Its hash is not checked here.
    ///
    /// # Errors
    /// [`ObjectError`]: missing, short, too large, or the store is away.
    pub async fn get(&self, key: &ObjectKey, max_bytes: u64, expected: Option<u64>) -> Result<Vec<u8>, ObjectError> {
        let found = match self.store.get(&path(key)?).await {
            Ok(found) => found,
            Err(error) => return Err(self.judge(&error).await),
        };
        let size = found.meta.size;
        if size > max_bytes {
            return Err(ObjectError::TooLarge(size));
        }
        if let Some(expected) = expected.filter(|expected| size < *expected) {
            return Err(ObjectError::Short { expected, found: size });
        }
        self.read(found).await
    }

    async fn read(&self, found: GetResult) -> Result<Vec<u8>, ObjectError> {
        let mut bytes = Vec::with_capacity(usize::try_from(found.meta.size).unwrap_or(0));
        let mut parts = found.into_stream();
        loop {
            match parts.try_next().await {
                Ok(Some(part)) => bytes.extend_from_slice(&part),
                Ok(None) => return Ok(bytes),
                Err(error) => return Err(self.judge(&error).await),
            }
        }
    }

    /// An object that cannot be read is the object's matter only while the store itself answers; else one bad key could
    /// hold everything up, or an unmounted store send everything down the retry ladder.
    async fn judge(&self, error: &Error) -> ObjectError {
        match self.probe().await {
            Ok(()) => ObjectError::Missing,
            Err(why) => ObjectError::Away(format!("{why} ({})", kind(error))),
        }
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// Why not.
    pub async fn probe(&self) -> Result<(), String> {
        if let Some(root) = &self.root {
            let found = tokio::fs::metadata(root).await.map_err(|error| error.to_string())?;
            return if found.is_dir() { Ok(()) } else { Err("not a folder".into()) };
        }
        match self.store.head(&Path::from("cspine-probe")).await {
            Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(kind(&error).into()),
        }
    }

    /// Writes an object so that it is durable once this returns: on files by write, fsync, rename and fsync of the folder.
    ///
    /// # Errors
    /// [`ObjectError::Away`]: what a store does not take is never the object's matter.
    pub async fn put(&self, key: &ObjectKey, bytes: Vec<u8>) -> Result<(), ObjectError> {
        let written = self.store.put(&path(key)?, PutPayload::from(bytes)).await;
        written.map_err(|error| ObjectError::Away(format!("not written ({})", kind(&error))))?;
        Ok(())
    }
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
}
