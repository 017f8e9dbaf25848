//! What the server did for each statement: its own account (auto_explain), sent to the client as a notice.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// A statement as it was executed.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its text.
    pub query: String,
    /// How long it took.
    pub duration_ms: f64,
    /// Its root node.
    pub root: Value,
}

/// What one node of a plan read of a table.
#[derive(Debug)]
pub struct Read {
    pub table: String,
    pub node: String,
    /// Rows that it looked at, in all its loops.
    pub rows: u64,
}

impl Plan {
    /// Pages that were looked at.
    pub fn buffers(&self) -> u64 {
        number(&self.root["Shared Hit Blocks"]) + number(&self.root["Shared Read Blocks"])
    }

    /// Every read of a table.
    pub fn reads(&self) -> Vec<Read> {
        let mut reads = Vec::new();
        let mut nodes = vec![&self.root];
        while let Some(node) = nodes.pop() {
            nodes.extend(node["Plans"].as_array().into_iter().flatten());
            let (Some(table), Some(kind)) = (node["Relation Name"].as_str(), node["Node Type"].as_str()) else {
                continue;
            };
            let kept_and_dropped = ["Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck"]
                .map(|name| number(&node[name]));
            reads.push(Read {
                table: table.to_owned(),
                node: kind.to_owned(),
                rows: kept_and_dropped.iter().sum::<u64>() * number(&node["Actual Loops"]),
            });
        }
        reads
    }
}

fn number(value: &Value) -> u64 {
    value.as_f64().unwrap_or_default().round() as u64
}

/// The plans of all that this thread asks of databases that [explain](EXPLAIN) themselves.
#[derive(Debug, Clone, Default)]
pub struct Plans(Arc<Mutex<Vec<Plan>>>);

impl Plans {
    /// Listens until the guard is dropped.
    pub fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        let plans = Self::default();
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(plans.clone()));
        (plans, guard)
    }

    /// What was heard since the last time.
    pub fn take(&self) -> Vec<Plan> {
        std::mem::take(&mut *self.0.lock().expect("nobody panicked with it"))
    }
}

impl<S: Subscriber> Layer<S> for Plans {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::postgres::notice" {
            event.record(&mut Message(self));
        }
    }
}

struct Message<'a>(&'a Plans);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.record_str(field, &format!("{value:?}"));
        }
    }

    fn record_str(&mut self, _: &Field, message: &str) {
        // duration: 0.123 ms  plan:
        // { "Query Text": …, "Plan": … }
        let Some((duration, plan)) = message.split_once(" ms  plan:\n") else { return };
        let plan: Value = serde_json::from_str(plan).expect("auto_explain's JSON");
        self.0.0.lock().expect("nobody panicked with it").push(Plan {
            query: plan["Query Text"].as_str().expect("a text").to_owned(),
            duration_ms: duration.trim_start_matches("duration: ").parse().expect("a number"),
            root: plan["Plan"].clone(),
        });
    }
}

/// Settings of a database whose sessions explain every statement. Only a superuser may set them.
pub const EXPLAIN: [(&str, &str); 7] = [
    ("session_preload_libraries", "auto_explain"),
    ("auto_explain.log_min_duration", "0"),
    ("auto_explain.log_analyze", "on"),
    ("auto_explain.log_buffers", "on"),
    ("auto_explain.log_timing", "off"),
    ("auto_explain.log_format", "json"),
    ("client_min_messages", "log"),
];
