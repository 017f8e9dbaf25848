//! A bucket of an S3-compatible server.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Error, ObjectStore, RetryConfig};
use url::Url;

/// Whoever reads objects waits and tries again by itself; what is tried here hides a hiccup, not a store that is away.
const RETRIES: usize = 2;
const RETRIED_FOR: Duration = Duration::from_secs(10);

/// Opens `s3://bucket/prefix`. Credentials, region and endpoint are those of the environment's `AWS_…`.
///
/// # Errors
/// The URL or the environment is wrong.
pub(crate) fn open(url: &Url) -> anyhow::Result<PrefixStore<AmazonS3>> {
    // Refused only when somebody has chosen one before: then that one serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: RETRIED_FOR, ..RetryConfig::default() };
    let bucket = AmazonS3Builder::from_env().with_url(url.as_str()).with_retry(retry).build().context("the bucket")?;
    let prefix = Path::from_url_path(url.path()).context("the bucket's prefix")?;
    Ok(PrefixStore::new(bucket, prefix))
}

/// Asks whether the bucket answers. By a listing: to one that asks for an object a missing bucket looks like a missing
/// object.
///
/// # Errors
/// What it says.
pub(crate) async fn ask(store: &dyn ObjectStore) -> Result<(), Error> {
    store.list(Some(&Path::from("cspine-probe"))).try_next().await.map(drop)
}
