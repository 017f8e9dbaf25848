//! The object store: images by key, on a file system or in a bucket.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use cspine_imaging::{DecodeError, Limit};
use cspine_wire::{ImageObject, ObjectKey};
use futures_util::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Error, GetResult, ObjectStore, ObjectStoreExt as _, PutPayload};
use url::Url;

use crate::failure::Failure;

/// An object store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// The folder of a `file://` store: with it gone, every object seems missing.
    root: Option<PathBuf>,
    max_bytes: u64,
}

impl Objects {
    /// Opens `file:///folder` or `s3://bucket/prefix` (credentials and endpoint from `AWS_…`). It does not have to be
    /// reachable yet. Objects over `max_bytes` are not read.
    ///
    /// # Errors
    /// The URL is none, or of another scheme.
    pub fn open(url: &str, max_bytes: u64) -> anyhow::Result<Self> {
        let url = Url::parse(url).context("the object store's URL")?;
        if url.scheme() == "file" {
            let root = url.to_file_path().ok().context("a file:// URL needs an absolute path")?;
            let path = Path::from_absolute_path(&root).context("the object store's folder")?;
            let files = LocalFileSystem::new().with_fsync(true);
            return Ok(Self { store: Arc::new(PrefixStore::new(files, path)), root: Some(root), max_bytes });
        }
        anyhow::ensure!(url.scheme() == "s3", "the object store's URL begins with file:// or s3://");
        #[cfg(feature = "s3")]
        // Refused only when somebody has chosen one before: then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let environment = std::env::vars().filter(|(name, _)| name.starts_with("AWS_"));
        let lower_case = environment.map(|(name, value)| (name.to_ascii_lowercase(), value));
        let (bucket, prefix) =
            object_store::parse_url_opts(&url, lower_case).context("s3:// needs a build with the feature s3")?;
        Ok(Self { store: Arc::new(PrefixStore::new(bucket, prefix)), root: None, max_bytes })
    }

    /// Reads an object whole. Its hash is not checked here.
    ///
    /// # Errors
    /// [`Failure`]: missing, short, over the limit, or the store is away.
    pub async fn get(&self, object: &ImageObject) -> Result<Vec<u8>, Failure> {
        let path = path(&object.key)?;
        match self.store.get(&path).await {
            Ok(found) => self.read(found, object.size_bytes).await,
            Err(error) => Err(self.judge(&error).await),
        }
    }

    async fn read(&self, found: GetResult, expected: Option<u64>) -> Result<Vec<u8>, Failure> {
        let size = found.meta.size;
        if size > self.max_bytes {
            return Err(DecodeError::OverLimit(Limit::Bytes).into());
        }
        if let Some(expected) = expected.filter(|expected| size < *expected) {
            return Err(Failure::ObjectShort { expected, found: size });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
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
    async fn judge(&self, error: &Error) -> Failure {
        match self.probe().await {
            Ok(()) => Failure::ObjectMissing,
            Err(why) => Failure::Objects(format!("{why} ({})", kind(error))),
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
    /// It is not.
    pub async fn put(&self, key: &ObjectKey, bytes: Vec<u8>) -> anyhow::Result<()> {
        let path = Path::parse(key.as_str())?;
        self.store.put(&path, PutPayload::from(bytes)).await.context("writing to the object store")?;
        Ok(())
    }
}

fn path(key: &ObjectKey) -> Result<Path, Failure> {
    // Keys are checked when their event is read; what this store still cannot name is not there.
    Path::parse(key.as_str()).map_err(|_| Failure::ObjectMissing)
}

/// Without the path, which a site may have made from a name.
fn kind(error: &Error) -> &'static str {
    match error {
        Error::NotFound { .. } => "not found",
        Error::PermissionDenied { .. } => "permission denied",
        Error::Unauthenticated { .. } => "not authenticated",
        _ => "cannot be read",
    }
}

#[cfg(test)]
mod tests {
    use cspine_domain::Sha256;
    use cspine_wire::ImageObject;

    use super::{Failure, Objects};

    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("cspine-objects-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
        fn open(&self) -> Objects {
            Objects::open(&format!("file://{}", self.0.display()), 8).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn object(key: &str, size_bytes: Option<u64>) -> ImageObject {
        let (key, sha256) = (key.parse().unwrap(), Sha256::of(b""));
        ImageObject { key, media_type: "image/png".into(), sha256, size_bytes }
    }

    #[tokio::test]
    async fn what_was_put_is_got_and_what_is_wrong_is_named() {
        let folder = Folder::new("named");
        let objects = folder.open();
        objects.put(&"a/b.png".parse().unwrap(), b"12345".to_vec()).await.unwrap();
        assert_eq!(objects.get(&object("a/b.png", Some(5))).await.unwrap(), b"12345");
        let short = objects.get(&object("a/b.png", Some(6))).await;
        assert!(matches!(short, Err(Failure::ObjectShort { expected: 6, found: 5 })));
        let missing = objects.get(&object("a/c.png", None)).await;
        assert!(matches!(missing, Err(Failure::ObjectMissing)));
        objects.put(&"long.png".parse().unwrap(), vec![0; 9]).await.unwrap();
        assert!(matches!(objects.get(&object("long.png", None)).await, Err(Failure::Decode(_))));
    }

    #[tokio::test]
    async fn a_key_that_is_a_folder_or_too_long_is_the_objects_matter_not_the_stores() {
        let folder = Folder::new("odd");
        let objects = folder.open();
        objects.put(&"a/b.png".parse().unwrap(), b"12345".to_vec()).await.unwrap();
        for key in ["a", &"x".repeat(1000)] {
            assert!(matches!(objects.get(&object(key, None)).await, Err(Failure::ObjectMissing)), "{key:.10}");
        }
    }

    #[tokio::test]
    async fn a_store_that_is_gone_is_nobodys_fault() {
        let folder = Folder::new("gone");
        let objects = folder.open();
        std::fs::remove_dir_all(&folder.0).unwrap();
        assert!(matches!(objects.get(&object("a.png", None)).await, Err(Failure::Objects(_))));
    }
}
