//! Samples become durable: their rows a Parquet file, their sketches and counts a segment, in one transaction.
//!
//! A lot of samples counts once its file and rows are committed. What a crash loses was never acknowledged to anybody; what it
//! leaves (a file that no row names) is garbage.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use lathe_core::{Error, Project, Result};
use lathe_db::FutureExt as _;
use serde_json::json;
use tokio::sync::{mpsc, watch};

use crate::columnar::{rows_of, write_samples};
use crate::profile::Bins;
use crate::room::size_of;
use crate::settings::{Settings, check_deployment, check_text};
use crate::store::predictions::{self, Prediction};
use crate::store::segments::{self, SegmentKey};
use crate::traffic::Traffic;
use crate::windows::start_of;
use crate::{Monitoring, Outcome, Profile, Sample, Values, references, settings, store};

/// A lot is written when it has so many samples, or
const LOT_SAMPLES: usize = 2_000;
/// when so much time has passed since its first one.
const LINGER: Duration = Duration::from_secs(1);
/// or so many bytes of rows.
const LOT_BYTES: i64 = 32 * 1024 * 1024;
const POLL: Duration = Duration::from_millis(50);
/// So many segments of one version and window are merged into one.
const MAX_SEGMENTS: i64 = 16;
/// How often a lot is tried before it is given up.
const TRIES: u32 = 5;

/// Fails for what no door should hand over.
fn check(sample: &Sample) -> Result<()> {
    check_deployment(&sample.deployment)?;
    check_text("a model's name", &sample.model)?;
    check_text("a request's id", &sample.request_id)?;
    for text in sample.client_request_id.iter() {
        check_text("a request's id", text)?;
    }
    if sample.version < 1 || sample.latency_us < 0 || !(0..=253_402_300_799_999).contains(&sample.at_ms) {
        return Err(Error::invalid(format!(
            "sample `{}`: version must be 1 or more, latency not negative, and the time in milliseconds since 1970",
            sample.request_id
        )));
    }
    let (inputs, outputs) = (sample.inputs.rows(), sample.outputs.rows());
    if inputs != outputs && inputs != 0 && outputs != 0 {
        return Err(Error::invalid(format!(
            "sample `{}` has {inputs} rows of inputs and {outputs} of outputs",
            sample.request_id
        )));
    }
    Ok(())
}

/// Takes samples from the queue and stores them until the server stops, and what is left then.
pub async fn run(monitoring: Monitoring, mut stopping: watch::Receiver<bool>) {
    let Some(mut queue) = monitoring.take_receiver() else { return };
    loop {
        let is_stopping = tokio::select! {
            () = fill_in_time(&mut queue) => false,
            _ = stopping.wait_for(|is_stopping| *is_stopping) => true,
        };
        let (mut lot, mut bytes) = (Vec::new(), 0);
        while let Ok(sample) = queue.try_recv() {
            bytes += size_of(&sample);
            lot.push(sample);
            if lot.len() >= LOT_SAMPLES || bytes >= LOT_BYTES {
                store_lot(&monitoring, std::mem::take(&mut lot)).await;
                monitoring.note_done(std::mem::take(&mut bytes));
            }
        }
        store_lot(&monitoring, lot).await;
        monitoring.note_done(bytes);
        if is_stopping {
            return;
        }
    }
}

/// Waits until the queue has held something for long enough, or holds enough of it.
async fn fill_in_time(queue: &mut mpsc::Receiver<Sample>) {
    while queue.is_empty() {
        tokio::time::sleep(POLL).await;
    }
    let since = tokio::time::Instant::now();
    while queue.len() < LOT_SAMPLES && since.elapsed() < LINGER {
        tokio::time::sleep(POLL).await;
    }
}

/// Stores what the inference path handed over; what cannot be stored after some tries is counted as dropped.
async fn store_lot(monitoring: &Monitoring, samples: Vec<Sample>) {
    let (samples, bad): (Vec<Sample>, Vec<Sample>) = samples.into_iter().partition(|sample| check(sample).is_ok());
    monitoring.note_dropped(bad.len());
    let count = samples.len();
    let lots = match lots(monitoring, samples).await {
        Ok(lots) => lots,
        Err(error) => {
            monitoring.note_dropped(count);
            tracing::warn!(error = %error.log_line(), "samples were dropped: the settings cannot be read");
            return;
        }
    };
    let mut again = Vec::new();
    for (key, (settings, samples)) in lots {
        for tries in 1..=TRIES {
            let now_ms = lathe_core::Clock::System.now_ms();
            match record_lot(monitoring, &key, &settings, samples.clone(), now_ms).await {
                Ok(()) => break,
                // They belong into other windows by now.
                Err(error) if error.code() == lathe_core::Code::Conflict => {
                    again.extend(samples);
                    break;
                }
                // What is wrong with the samples themselves is wrong the next time, too.
                Err(error) if tries == TRIES || error.code() == lathe_core::Code::InvalidArgument => {
                    monitoring.note_dropped(samples.len());
                    tracing::warn!(error = %error.log_line(), deployment = key.deployment, "samples were dropped");
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(200) * tries).await,
            }
        }
    }
    if !again.is_empty() {
        Box::pin(store_lot(monitoring, again)).await;
    }
}

type Lots = BTreeMap<SegmentKey, (Settings, Vec<Sample>)>;

/// Sorts samples by window and version.
async fn lots(monitoring: &Monitoring, samples: Vec<Sample>) -> Result<Lots> {
    let mut known: BTreeMap<(Project, String), Settings> = BTreeMap::new();
    let mut lots = Lots::new();
    for mut sample in samples {
        let of = (sample.project.clone(), sample.deployment.clone());
        let settings = match known.get(&of) {
            Some(settings) => settings.clone(),
            None => {
                let settings = settings::of(monitoring, &of.0, &of.1).await?;
                known.insert(of, settings.clone());
                settings
            }
        };
        if let Some(at_ms) = sample.replayed_at_ms.filter(|at_ms| settings.allows_replay && *at_ms <= sample.at_ms) {
            sample.at_ms = at_ms;
        }
        let key = SegmentKey {
            project: sample.project.clone(),
            deployment: sample.deployment.clone(),
            window_start_ms: start_of(sample.at_ms, settings.window_ms),
            version: sample.version,
            variant: sample.variant.as_str().to_owned(),
        };
        lots.entry(key).or_insert_with(|| (settings, Vec::new())).1.push(sample);
    }
    Ok(lots)
}

/// Stores the samples of one window and version; requests that are there already count once.
async fn record_lot(
    monitoring: &Monitoring,
    key: &SegmentKey,
    settings: &Settings,
    mut samples: Vec<Sample>,
    now_ms: i64,
) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    samples.retain(|sample| seen.insert(sample.request_id.clone()));
    let ids: Vec<String> = seen.into_iter().collect();
    let known = predictions::known(&monitoring.db, key, &ids).await?;
    samples.retain(|sample| !known.contains(&sample.request_id));
    if samples.is_empty() {
        return Ok(());
    }
    let bins = references::bins_of(monitoring, &key.project, &key.deployment, key.version).await?;
    let (settings, length_ms) = (settings.clone(), settings.window_ms);
    let prepared = tokio::task::spawn_blocking(move || prepare(&settings, samples, &bins)).await;
    let Prepared { file, rows, span, predictions, traffic, profile } =
        prepared.map_err(|error| Error::internal("sketching samples ended early").with_source(error))??;
    let object = match file {
        Some(bytes) => Some(monitoring.objects.put(stream::iter([Ok(Bytes::from(bytes))])).await?),
        None => None,
    };
    let key = key.clone();
    monitoring
        .db
        .write(move |tx| {
            async move {
                store::windows::hold_length(tx, &key.project, &key.deployment).await?;
                if settings::of_in(tx, &key.project, &key.deployment).await?.window_ms != length_ms {
                    return Err(Error::conflict("the length of the windows was changed just now"));
                }
                store::windows::touch(tx, &key.project, &key.deployment, key.window_start_ms, length_ms, now_ms)
                    .await?;
                if let Some(object) = object {
                    let file_id = predictions::insert_file(tx, &key, &object, span, rows).await?;
                    let inserted = predictions::insert(tx, &key, &file_id, &predictions).await?;
                    if inserted != predictions.len() as u64 {
                        // Counted already by whoever was first; the next try leaves them out.
                        return Err(Error::new(
                            lathe_core::Code::Unavailable,
                            "some of these requests were just stored by another request; try again",
                        ));
                    }
                }
                segments::insert(tx, &key, traffic, profile).await?;
                if segments::count(tx, &key).await? > MAX_SEGMENTS {
                    merge_segments(tx, &key).await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
}

async fn merge_segments(tx: &mut lathe_db::Tx, key: &SegmentKey) -> Result<()> {
    let (mut traffic, mut profile) = (Traffic::new()?, Profile::default());
    for segment in segments::take(tx, key).await? {
        traffic.merge(&Traffic::decode(&segment.traffic)?)?;
        profile.merge(&Profile::decode(&segment.profile)?)?;
    }
    segments::insert(tx, key, traffic.encode()?, profile.encode()?).await
}

struct Prepared {
    file: Option<Vec<u8>>,
    rows: i64,
    span: (i64, i64),
    predictions: Vec<Prediction>,
    traffic: String,
    profile: String,
}

fn prepare(settings: &Settings, samples: Vec<Sample>, bins: &Bins) -> Result<Prepared> {
    let (mut traffic, mut profile) = (Traffic::new()?, Profile::default());
    for sample in &samples {
        traffic.add(sample)?;
    }
    let is_kept = |sample: &Sample| {
        sample.outcome == Outcome::Ok && rows_of(sample) > 0 && is_sampled(&sample.request_id, settings.sample_share)
    };
    let kept: Vec<Sample> = samples.into_iter().filter(is_kept).collect();
    let (mut predictions, mut rows) = (Vec::with_capacity(kept.len()), 0);
    for sample in &kept {
        profile.add_over(&sample.inputs, &sample.outputs, bins)?;
        let own_rows = i64::try_from(rows_of(sample)).unwrap_or(i64::MAX);
        predictions.push(Prediction {
            request_id: sample.request_id.clone(),
            client_request_id: sample.client_request_id.clone(),
            model: sample.model.clone(),
            at_ms: sample.at_ms,
            first_row: rows,
            rows: own_rows,
            answers: answers(settings, sample),
        });
        rows += own_rows;
    }
    let times = || kept.iter().map(|sample| sample.at_ms);
    Ok(Prepared {
        file: if kept.is_empty() { None } else { Some(write_samples(&kept)?) },
        rows,
        span: (times().min().unwrap_or_default(), times().max().unwrap_or_default()),
        predictions,
        traffic: traffic.encode()?,
        profile: profile.encode()?,
    })
}

/// The same for a request wherever it is asked: by FNV-1a of its id.
pub(crate) fn is_sampled(request_id: &str, share: f64) -> bool {
    let hash = request_id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    // The upper bits of FNV mix best after a shift.
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    ((mixed >> 11) as f64 / (1_u64 << 53) as f64) < share
}

/// Of each row the prediction and the score, as JSON. A column of scores alone is no prediction.
fn answers(settings: &Settings, sample: &Sample) -> String {
    let named = |chosen: &Option<String>, usual: &[&str]| match chosen {
        Some(name) => sample.outputs.column(name),
        None => usual.iter().find_map(|name| sample.outputs.column(name)),
    };
    let score = named(&settings.score_column, &["score", "probability"]);
    let is_score = |column: &&crate::Column| score.is_some_and(|score| score.name == column.name);
    let prediction = named(&settings.prediction_column, &["prediction", "predictions", "label", "class"]);
    let has_choice = settings.prediction_column.is_some() || score.is_some();
    let prediction = prediction.or_else(|| sample.outputs.columns().first().filter(|_| !has_choice));
    let prediction = prediction.filter(|column| !is_score(column));
    let value = |column: Option<&crate::Column>, row: usize| match column.map(|column| &column.values) {
        Some(Values::Numbers(values)) => values.get(row).map_or(json!(null), |value| json!(value)),
        Some(Values::Texts(values)) => values.get(row).map_or(json!(null), |value| json!(value)),
        Some(Values::Booleans(values)) => values.get(row).map_or(json!(null), |value| json!(value)),
        None => json!(null),
    };
    let rows = (0..sample.outputs.rows()).map(|row| json!([value(prediction, row), value(score, row)]));
    serde_json::Value::Array(rows.collect()).to_string()
}
