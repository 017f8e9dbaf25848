//! The network in service and how it is used.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use cspine_domain::Sha256;
use cspine_imaging::{Limits, ScopeWords};
use cspine_nets::{Classifier, SaliencyMethod};
use tokio::sync::watch;

use crate::alone::AloneLimits;
use crate::prepare::Rules;

/// How this worker uses a model, whichever serves.
#[derive(Debug, Clone)]
pub struct Usage {
    /// What an image may ask for.
    pub limits: Limits,
    /// Whether an image whose scope nothing confirms is left unscored.
    pub strict_scope: bool,
    /// A site's own words of scope.
    pub scope_words: ScopeWords,
    /// How decisions are explained.
    pub saliency: SaliencyMethod,
    /// The program that decodes alone: this one.
    pub program: PathBuf,
    /// Bounds on decoding alone.
    pub alone: AloneLimits,
}

/// A model and how it is used; shared by the lanes.
pub struct Network {
    /// The model.
    pub classifier: Classifier,
    /// How images are prepared for it.
    pub rules: Rules,
    /// How it is used.
    pub usage: Usage,
    /// Outputs in a row that were not finite.
    pub not_finite: AtomicU32,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("model", &self.sha256()).finish_non_exhaustive()
    }
}

impl Network {
    /// A model, ready for images.
    pub fn new(classifier: Classifier, usage: Usage) -> Self {
        let rules = Rules {
            preprocessing: classifier.card().preprocessing.clone(),
            limits: usage.limits,
            strict_scope: usage.strict_scope,
            scope_words: usage.scope_words.clone(),
        };
        Self { classifier, rules, usage, not_finite: AtomicU32::new(0) }
    }

    /// Its model's name.
    pub fn sha256(&self) -> Sha256 {
        self.classifier.sha256()
    }
}

/// The network that serves, which may be another one from one image to the next. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct InService(watch::Sender<Option<Arc<Network>>>);

impl Default for InService {
    /// None yet.
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl InService {
    /// The one there is. Whoever takes it keeps it for a whole image, so that none is answered by a mix.
    pub fn current(&self) -> Option<Arc<Network>> {
        self.0.borrow().clone()
    }

    /// The one there is, as soon as there is one.
    pub async fn wait(&self) -> Arc<Network> {
        let mut changes = self.0.subscribe();
        let network = changes.wait_for(Option::is_some).await.expect("self holds the sender");
        network.clone().expect("waited until there was one")
    }

    /// Whether this one still serves.
    pub fn is_current(&self, network: &Arc<Network>) -> bool {
        self.0.borrow().as_ref().is_some_and(|current| Arc::ptr_eq(current, network))
    }

    /// Puts another one in its place; images that are being worked on keep theirs.
    pub fn replace(&self, network: Arc<Network>) {
        self.0.send_replace(Some(network));
    }
}
