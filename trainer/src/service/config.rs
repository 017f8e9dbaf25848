//! Flags and environment variables of `cspine-trainer run`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use croner::Cron;
use cspine_service::config::{DatabaseArgs, LimitArgs, ObjectArgs, duration};

use super::due::{When, schedule};
use super::shadows::Terms;
use crate::promotion::Margins;
use crate::tune::TuneArgs;

/// Learn from confirmed labels: fine-tune the champion, hold the challenger against it, have it tried, never put a worse
/// one into service
#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    /// Postgres
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The object store
    #[command(flatten)]
    pub objects: ObjectArgs,
    /// Limits on images
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Where /healthz, /readyz and /metrics are served; port 0 takes a free one
    #[arg(long, env = "CSPINE_ADMIN_ADDR", default_value = "127.0.0.1:9181")]
    pub admin_addr: SocketAddr,
    /// Folder for checkpoints and for images out of the object store; a run goes on from what it finds there
    #[arg(long, env = "CSPINE_TRAINER_DIR", default_value = "trainer-work")]
    pub work_dir: PathBuf,
    /// Threads that learn [default: half of the processors, at least one]
    #[arg(long, env = "CSPINE_TRAINER_THREADS", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// How much the process steps back behind others, 0 to 19: workers on the same machine go first
    #[arg(long, env = "CSPINE_TRAINER_NICE", default_value_t = 19, value_parser = clap::value_parser!(i32).range(0..=19))]
    pub nice: i32,
    /// New labels that make a run due
    #[arg(long, env = "CSPINE_TRAIN_LABELS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    pub train_labels: u64,
    /// Of each class, at least
    #[arg(long, env = "CSPINE_TRAIN_LABELS_EACH", default_value_t = 20)]
    pub train_labels_each: u64,
    /// Cron expression of five fields, UTC, such as '0 3 * * *': then too a run is due, or within two hours after it if
    /// no trainer was there or one was busy, if there is anything new to learn from
    #[arg(long, env = "CSPINE_TRAIN_SCHEDULE", value_name = "CRON", value_parser = schedule)]
    pub schedule: Option<Cron>,
    /// How the champion is fine-tuned.
    #[command(flatten)]
    pub tune: TuneArgs,
    /// Points by which sensitivity and specificity of the flag may be lower, as shares
    #[arg(long, env = "CSPINE_MARGIN", default_value_t = Margins::default().sensitivity)]
    pub margin: f64,
    /// The same for the recall of one class
    #[arg(long, env = "CSPINE_MARGIN_CLASS", default_value_t = Margins::default().class_recall)]
    pub margin_class: f64,
    /// The same for sensitivity and specificity at one site
    #[arg(long, env = "CSPINE_MARGIN_SITE", default_value_t = Margins::default().site)]
    pub margin_site: f64,
    /// By how much mean confidence may surely be further from accuracy
    #[arg(long, env = "CSPINE_MARGIN_CALIBRATION", default_value_t = Margins::default().calibration)]
    pub margin_calibration: f64,
    /// Share of new labels, on images that nothing was learnt from, that the challenger must agree with: labels that cannot be
    /// learnt are wrong ones. If it does so only on the half that it is surer of, a person decides
    #[arg(long, env = "CSPINE_LABEL_AGREEMENT", default_value_t = Margins::default().agreement)]
    pub label_agreement: f64,
    /// Days back to which the newest period reaches
    #[arg(long, env = "CSPINE_HOLDOUT_DAYS", default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..))]
    pub holdout_days: u16,
    /// Injuries, and normals, that the frozen set and the newest period must have to decide without a person
    #[arg(long, env = "CSPINE_SUFFICIENT", default_value_t = Margins::default().sufficient)]
    pub sufficient: usize,
    /// Share of live images that workers also score with a challenger that passed
    #[arg(long, env = "CSPINE_SHADOW_SHARE", default_value_t = 0.25, value_parser = share)]
    pub shadow_share: f32,
    /// Images it must have scored before it may be promoted
    #[arg(long, env = "CSPINE_SHADOW_IMAGES", default_value_t = 200)]
    pub shadow_images: u32,
    /// Share of them, where both networks answered, on which it must flag as the champion does
    #[arg(long, env = "CSPINE_SHADOW_AGREEMENT", default_value_t = 0.9, value_parser = share)]
    pub shadow_agreement: f32,
    /// By how much, there, its share of flagged images may be another than the champion's; and the share of the champion's
    /// answers that it may leave without one
    #[arg(long, env = "CSPINE_SHADOW_FLAG_RATE", default_value_t = 0.1, value_parser = share)]
    pub shadow_flag_rate: f32,
    /// How long workers may take to score a live image; if so many as a trial needs came longer ago and are not scored, the
    /// trial ends as `not_scored`
    #[arg(long, env = "CSPINE_SHADOW_WAIT", default_value = "24h", value_parser = duration)]
    pub shadow_wait: Duration,
    /// Days that a challenger is tried before a run that is due may put a newer one in its place
    #[arg(long, env = "CSPINE_SHADOW_DAYS", default_value_t = 14)]
    pub shadow_days: u16,
    /// Who promotes a challenger that passed the gate and agreed as a shadow: a person, or the trainer itself
    #[arg(long, env = "CSPINE_PROMOTE", default_value = "manual")]
    pub promote: Promote,
    /// How often labels, shadows and the lease are looked at
    #[arg(long, env = "CSPINE_TRAINER_POLL", default_value = "10s", value_parser = duration)]
    pub poll: Duration,
    /// How long a trainer that says nothing more is waited for before another takes its place
    #[arg(long, env = "CSPINE_TRAINER_LEASE", default_value = "60s", value_parser = duration)]
    pub lease: Duration,
    /// Images of a champion's first days, one a study, that later ones are held against; until there are so many, drift is
    /// not measured
    #[arg(long, env = "CSPINE_DRIFT_REFERENCE", default_value_t = 400, value_parser = clap::value_parser!(u32).range(100..))]
    pub drift_reference: u32,
    /// Images, one a study, of a day and of as many days before it as are needed, that are held against them
    #[arg(long, env = "CSPINE_DRIFT_IMAGES", default_value_t = 200, value_parser = clap::value_parser!(u32).range(50..))]
    pub drift_images: u32,
}

/// Who promotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Promote {
    /// A person, by `cspine-trainer models promote`.
    Manual,
    /// The trainer, unless the gate left it to a person.
    Auto,
}

impl RunArgs {
    /// What makes a run due.
    pub fn when(&self) -> When {
        When { schedule: self.schedule.clone(), labels: self.train_labels, of_each_class: self.train_labels_each }
    }

    /// How much worse is still no worse.
    pub fn margins(&self) -> Margins {
        Margins {
            sensitivity: self.margin,
            specificity: self.margin,
            class_recall: self.margin_class,
            site: self.margin_site,
            calibration: self.margin_calibration,
            agreement: self.label_agreement,
            sufficient: self.sufficient,
            ..Margins::default()
        }
    }

    /// What a trial asks of a challenger.
    pub fn trial(&self) -> Terms {
        Terms {
            images: self.shadow_images.into(),
            agreement: self.shadow_agreement.into(),
            flag_rate: self.shadow_flag_rate.into(),
            wait: self.shadow_wait,
        }
    }

    /// Threads that learn.
    pub fn threads(&self) -> usize {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.threads.map_or((processors / 2).max(1), usize::from)
    }
}

fn share(text: &str) -> Result<f32, String> {
    text.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0).ok_or("a share over 0, at most 1".to_owned())
}
