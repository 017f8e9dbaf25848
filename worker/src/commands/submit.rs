//! `cspine-worker submit`: stores files and publishes their arrival, as a modality's bridge would.

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::Args;
use cspine_domain::{Notes, OrderPriority, Sha256, Uid};
use cspine_imaging::{Header, MediaType, decode, sniff};
use cspine_service::Objects;
use cspine_service::config::{LimitArgs, ObjectArgs};
use cspine_wire::{Backoff, Event, ImageArrived, ImageObject, Message, Publisher, WireError};
use serde_json::json;
use time::OffsetDateTime;

use super::print_json;
use crate::config::BrokerArgs;

/// `cspine-worker submit`
#[derive(Debug, Clone, Args)]
pub struct SubmitArgs {
    #[command(flatten)]
    /// RabbitMQ
    pub broker: BrokerArgs,
    #[command(flatten)]
    /// The object store
    pub objects: ObjectArgs,
    #[command(flatten)]
    /// Limits on images
    pub limits: LimitArgs,
    /// DICOM, PNG, JPEG or TIFF files; UIDs are the header's, else made from the content
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// What the order asked for: stat, urgent or routine
    #[arg(long, default_value = "routine")]
    pub priority: OrderPriority,
    /// How often each event is sent: twice shows that once is enough
    #[arg(long, default_value_t = 1)]
    pub times: u32,
    /// The study of all the files [default: the header's, else one a file]
    #[arg(long)]
    pub study: Option<Uid>,
    /// The order's number
    #[arg(long)]
    pub accession: Option<String>,
    /// A keyed hash of the patient's identity
    #[arg(long)]
    pub patient_key: Option<String>,
    /// Where it was taken
    #[arg(long)]
    pub site: Option<String>,
    /// DICOM modality to declare [default: the header's, else none]
    #[arg(long)]
    pub modality: Option<String>,
    /// DICOM body part to declare
    #[arg(long)]
    pub body_part: Option<String>,
    /// DICOM view position to declare
    #[arg(long)]
    pub view: Option<String>,
    /// The events' source, a URI reference
    #[arg(long, default_value = "/cspine/submit")]
    pub source: String,
}

/// Stores and announces each file. An event is printed once its publish was confirmed.
///
/// # Errors
/// A file cannot be read or stored, or its event was not confirmed.
pub async fn submit(args: &SubmitArgs) -> anyhow::Result<()> {
    let objects = args.objects.open()?;
    // Queues are the workers' to declare: a sender's user at the broker may only publish.
    let broker = args.broker.broker(&[], cspine_wire::Topology::default().delivery_limit)?;
    let publisher = Publisher::of_a_sender(broker);
    for file in &args.files {
        let event = store(args, &objects, file).await.with_context(|| file.display().to_string())?;
        let message = Message {
            exchange: publisher.broker().topology.events(),
            routing_key: event.data.routing_key().into(),
            body: event.to_json(),
            attempt: 0,
        };
        for _ in 0..args.times {
            publish(&publisher, &message).await.with_context(|| file.display().to_string())?;
        }
        print_json(&json!({
            "file": file,
            "event_id": event.id,
            "study_instance_uid": event.data.study_instance_uid,
            "sop_instance_uid": event.data.sop_instance_uid,
            "content_sha256": event.data.image.sha256,
            "key": event.data.image.key,
        }))?;
    }
    Ok(())
}

/// Says so when the broker takes nothing in: a person waits in front of this.
async fn in_sight(publisher: &Publisher, message: &Message) -> Result<(), WireError> {
    let publishing = publisher.publish(message);
    tokio::pin!(publishing);
    tokio::select! {
        outcome = &mut publishing => return outcome,
        () = tokio::time::sleep(publisher.broker().timeout) => {}
    }
    tracing::warn!(
        "RabbitMQ confirms nothing yet: an alarm of its memory or disk blocks publishing; waiting for its end"
    );
    publishing.await
}

/// Waits a little for the first worker of a new broker, which declares the exchange, and then its queues.
async fn publish(publisher: &Publisher, message: &Message) -> anyhow::Result<()> {
    let (began, mut backoff) = (Instant::now(), Backoff::default());
    loop {
        match in_sight(publisher, message).await {
            Err(WireError::Missing(_) | WireError::Unroutable) if began.elapsed() < publisher.broker().timeout => {
                backoff.wait().await;
            }
            Err(error @ (WireError::Missing(_) | WireError::Unroutable)) => {
                return Err(error).context("no worker has declared exchange and queues yet: start one first");
            }
            outcome => return Ok(outcome?),
        }
    }
}

/// The object is durable when this returns; only then may its event go out.
async fn store(args: &SubmitArgs, objects: &Objects, file: &Path) -> anyhow::Result<Event<ImageArrived>> {
    let found = tokio::fs::metadata(file).await?;
    anyhow::ensure!(found.is_file(), "not a file");
    let most = args.limits.max_bytes;
    anyhow::ensure!(found.len() <= most, "{} bytes; --max-bytes allows {most}", found.len());
    let bytes = tokio::fs::read(file).await?;
    let event = event(args, file, &bytes)?;
    objects.put(&event.data.image.key, bytes).await?;
    Ok(event)
}

fn event(args: &SubmitArgs, file: &Path, bytes: &[u8]) -> anyhow::Result<Event<ImageArrived>> {
    let sha256 = Sha256::of(bytes);
    let media_type = sniff(bytes).or_else(|| by_extension(file)).context("neither DICOM, PNG, JPEG nor TIFF")?;
    let header = (media_type == MediaType::Dicom).then(|| header(args, bytes)).flatten().unwrap_or_default();
    let sop = header.sop_instance_uid.unwrap_or_else(|| uid_of(&sha256, 0));
    let now = OffsetDateTime::now_utc();
    let date = now.date();
    let key = format!(
        "images/{:04}/{:02}/{:02}/{sop}.{}.{}",
        date.year(),
        u8::from(date.month()),
        date.day(),
        // Other bytes under the same UID must not overwrite the first.
        &sha256.to_string()[..16],
        media_type.extension()
    );
    let data = ImageArrived {
        study_instance_uid: args.study.clone().or(header.study_instance_uid).unwrap_or_else(|| uid_of(&sha256, 2)),
        series_instance_uid: header.series_instance_uid.unwrap_or_else(|| uid_of(&sha256, 1)),
        sop_instance_uid: sop,
        accession_number: args.accession.clone(),
        patient_key: args.patient_key.clone(),
        site: args.site.clone(),
        order_priority: args.priority,
        acquired_at: None,
        modality: args.modality.clone().or(header.modality),
        body_part: args.body_part.clone().or(header.body_part),
        view: args.view.clone().or(header.view_position),
        image: ImageObject {
            key: key.parse()?,
            media_type: media_type.as_str().into(),
            sha256,
            size_bytes: Some(bytes.len() as u64),
        },
        notes: Notes::new(),
    };
    let subject = Some(data.sop_instance_uid.to_string());
    Ok(Event { id: event_id(), source: args.source.clone(), subject, time: now, data })
}

/// A file whose header cannot be read is submitted all the same: it is the worker's to say what is wrong with it.
fn header(args: &SubmitArgs, bytes: &[u8]) -> Option<Header> {
    decode(bytes, Some(MediaType::Dicom), &args.limits.limits()).ok()?.header
}

fn by_extension(file: &Path) -> Option<MediaType> {
    match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "dcm" => Some(MediaType::Dicom),
        "png" => Some(MediaType::Png),
        "jpg" | "jpeg" => Some(MediaType::Jpeg),
        "tif" | "tiff" => Some(MediaType::Tiff),
        _ => None,
    }
}

/// A UID made from the content: the same file is the same image (2.25 and a 128-bit number, PS3.5 B.2).
fn uid_of(sha256: &Sha256, which: u8) -> Uid {
    let mut seed = sha256.0.to_vec();
    seed.push(which);
    let number = u128::from_be_bytes(Sha256::of(&seed).0[..16].try_into().expect("16 of 32 bytes"));
    Uid::parse(&format!("2.25.{number}")).expect("2.25 and a number is a UID")
}

/// Time first, so that ids sort, then what nobody else has.
fn event_id() -> String {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    let random = || RandomState::new().build_hasher().finish();
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:012x}-{:016x}{:04x}", since.as_millis(), random(), random() & 0xffff)
}
