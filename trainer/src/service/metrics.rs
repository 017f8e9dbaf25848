//! What `/metrics` says, in Prometheus' text form.

use std::sync::atomic::AtomicU64;

use cspine_store::RunState;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::drift::{Drift, Finding, State, Statistic};

/// The trainer's counters and gauges.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    leads: Gauge,
    runs: Family<Ended, Counter>,
    progress: Gauge<f64, AtomicU64>,
    new_labels: Gauge,
    shadow_images: Gauge,
    shadow_agreement: Gauge<f64, AtomicU64>,
    drift: Family<Of, Gauge<f64, AtomicU64>>,
    drift_p: Family<Of, Gauge<f64, AtomicU64>>,
    drift_reference: Gauge,
    drift_images: Gauge,
    drifted: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    statistic: &'static str,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let metrics = Self {
            registry: Registry::default(),
            leads: Gauge::default(),
            runs: Family::default(),
            progress: Gauge::default(),
            new_labels: Gauge::default(),
            shadow_images: Gauge::default(),
            shadow_agreement: Gauge::default(),
            drift: Family::default(),
            drift_p: Family::default(),
            drift_reference: Gauge::default(),
            drift_images: Gauge::default(),
            drifted: Gauge::default(),
        };
        let mut registry = Registry::with_prefix("cspine_trainer");
        registry.register("leads", "1 while this trainer holds the lease", metrics.leads.clone());
        registry.register("runs", "Training runs ended, by state", metrics.runs.clone());
        registry.register("run_progress", "How far the run is, 0 to 1", metrics.progress.clone());
        registry.register("new_labels", "Usable labels that no run has seen", metrics.new_labels.clone());
        registry.register("shadow_images", "Images that the shadow has scored", metrics.shadow_images.clone());
        registry.register(
            "shadow_agreement",
            "Share of images that shadow and champion flag alike, where both answered",
            metrics.shadow_agreement.clone(),
        );
        registry.register("drift", "The latest images' statistics of drift", metrics.drift.clone());
        registry.register("drift_p", "Their p-values, adjusted for their number", metrics.drift_p.clone());
        registry.register(
            "drift_reference_images",
            "Images of the champion's reference period so far",
            metrics.drift_reference.clone(),
        );
        registry.register("drift_images", "The latest images that are held against them", metrics.drift_images.clone());
        registry.register(
            "drifted",
            "1 if the latest images have drifted from the champion's first, 0 also while nothing is known",
            metrics.drifted.clone(),
        );
        Self { registry, ..metrics }
    }

    /// This trainer has the lease, or not: then another knows of drift.
    pub fn leads(&self, yes: bool) {
        self.leads.set(yes.into());
        self.forget_drift();
    }

    /// A run came to an end.
    pub fn run_ended(&self, state: RunState) {
        self.runs.get_or_create(&Ended { state: state.as_str() }).inc();
        self.progress.set(0.0);
    }

    /// How far the run is.
    pub fn progress(&self, share: f32) {
        self.progress.set(share.into());
    }

    /// Labels that wait for a run.
    pub fn new_labels(&self, count: u64) {
        self.new_labels.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// What is known of the shadow.
    pub fn shadow(&self, images: i64, agreement: f64) {
        self.shadow_images.set(images);
        self.shadow_agreement.set(agreement);
    }

    /// What is known of drift, and no more what was known before.
    pub fn drift(&self, drift: &Drift) {
        self.forget_drift();
        for Statistic { name, finding } in &drift.statistics {
            if let Finding::Measured { value, p_corrected, .. } = finding {
                let of = Of { statistic: name.as_str() };
                self.drift.get_or_create(&of).set(*value);
                self.drift_p.get_or_create(&of).set(*p_corrected);
            }
        }
        self.drift_reference.set(i64::try_from(drift.reference).unwrap_or(i64::MAX));
        self.drift_images.set(i64::try_from(drift.images).unwrap_or(i64::MAX));
        self.drifted.set((drift.state == State::Drifted).into());
    }

    /// Nothing is known of drift.
    pub fn forget_drift(&self) {
        self.drift.clear();
        self.drift_p.clear();
        for gauge in [&self.drift_reference, &self.drift_images, &self.drifted] {
            gauge.set(0);
        }
    }

    /// All of them as text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a String takes any text");
        text
    }
}
