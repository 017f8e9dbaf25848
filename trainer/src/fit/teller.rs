//! A fit as a terminal sees it: a bar over each epoch, and a line when it has ended.

use indicatif::ProgressBar;

use super::epochs::News;
use crate::progress::bar;

/// Tells of a fit of so many epochs.
pub(super) struct Teller {
    epochs: usize,
    bar: Option<ProgressBar>,
}

impl Teller {
    pub fn new(epochs: usize) -> Self {
        Self { epochs, bar: None }
    }

    pub fn tell(&mut self, news: &News<'_>) {
        match news {
            News::Resumed(epochs) => println!("going on after epoch {epochs}"),
            News::Batch { epoch, images, of, progress } => {
                let template = "epoch {prefix} {bar:30} {pos}/{len} images, {per_sec}, {eta} left; {msg}";
                let prefix = || format!("{epoch}/{}", self.epochs);
                let bar = self.bar.get_or_insert_with(|| bar(*of, template).with_prefix(prefix()));
                bar.set_message(format!("loss {:.4}, right {:.1} %", progress.loss(), 100.0 * progress.accuracy()));
                bar.inc(*images as u64);
            }
            News::Epoch { epoch, images, came } => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
                println!(
                    "epoch {epoch}/{}: loss {:.4}, right {:.2} %, {:.1} images/s; validation loss {:.4}, right {:.2} %",
                    self.epochs,
                    came.loss,
                    100.0 * came.accuracy,
                    *images as f64 / came.seconds,
                    came.validation_loss,
                    100.0 * came.validation_accuracy
                );
                if let Some(collapse) = &came.collapsed {
                    println!("  COLLAPSED on the validation set: {collapse}");
                }
            }
        }
    }
}
