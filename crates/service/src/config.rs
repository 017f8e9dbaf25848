//! Flags and environment variables that services share.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use cspine_imaging::Limits;
use cspine_store::{Store, StoreOptions};

use crate::Objects;

/// Where the database is.
#[derive(Debug, Clone, Args)]
pub struct DatabaseArgs {
    /// Postgres, as postgres://user:password@host:port/database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// Connections to Postgres that this process may hold
    #[arg(long, env = "CSPINE_DATABASE_CONNECTIONS", default_value_t = 8)]
    pub database_connections: u32,
    /// How long a statement may take before Postgres gives it up
    #[arg(long, env = "CSPINE_STATEMENT_TIMEOUT", default_value = "15s", value_parser = duration)]
    pub statement_timeout: Duration,
}

/// Where the images and the models are.
#[derive(Debug, Clone, Args)]
pub struct ObjectArgs {
    /// The object store: file:///folder or s3://bucket/prefix (with AWS_… variables)
    #[arg(long, env = "CSPINE_STORE_URL")]
    pub store_url: String,
    /// How long reading or writing one object may take; then the store is asked whether it is there
    #[arg(long, env = "CSPINE_FETCH_TIMEOUT", default_value = "30s", value_parser = duration)]
    pub fetch_timeout: Duration,
}

/// What an image may ask for.
#[derive(Debug, Clone, Args)]
pub struct LimitArgs {
    /// Bytes of a file
    #[arg(long, env = "CSPINE_MAX_BYTES", default_value_t = Limits::default().max_bytes)]
    pub max_bytes: u64,
    /// Pixels in a row
    #[arg(long, env = "CSPINE_MAX_WIDTH", default_value_t = Limits::default().max_width)]
    pub max_width: u32,
    /// Rows
    #[arg(long, env = "CSPINE_MAX_HEIGHT", default_value_t = Limits::default().max_height)]
    pub max_height: u32,
    /// Pixels of all frames together
    #[arg(long, env = "CSPINE_MAX_PIXELS", default_value_t = Limits::default().max_pixels)]
    pub max_pixels: u64,
    /// Bytes that decoding may hold at once
    #[arg(long, env = "CSPINE_MAX_MEMORY", default_value_t = Limits::default().max_memory)]
    pub max_memory: u64,
}

impl DatabaseArgs {
    /// The store; connects when first needed.
    ///
    /// # Errors
    /// The URL is none.
    pub fn store(&self) -> anyhow::Result<Store> {
        let options = StoreOptions {
            max_connections: self.database_connections,
            statement_timeout: self.statement_timeout,
            ..StoreOptions::default()
        };
        Store::connect_lazy(&self.database_url, &options).context("--database-url")
    }
}

impl ObjectArgs {
    /// The object store.
    ///
    /// # Errors
    /// The URL is none of ours.
    pub fn open(&self) -> anyhow::Result<Objects> {
        Ok(Objects::open(&self.store_url).context("--store-url")?.with_limit(self.fetch_timeout))
    }
}

impl LimitArgs {
    /// As the decoder takes them.
    pub fn limits(&self) -> Limits {
        Limits {
            max_bytes: self.max_bytes,
            max_width: self.max_width,
            max_height: self.max_height,
            max_pixels: self.max_pixels,
            max_memory: self.max_memory,
        }
    }
}

/// A flag's duration: `200ms`, `5s`, `15m`, `1h`, `400d`.
///
/// # Errors
/// What it should look like.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a whole number with ms, s, m, h or d, such as 500ms or 15m".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    Ok(Duration::from_millis(number.saturating_mul(unit)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::duration;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("400d"), Ok(Duration::from_secs(400 * 24 * 3600)));
        for bad in ["", "5", "s", "-5s", "5 s", "1.5s", "5w"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
