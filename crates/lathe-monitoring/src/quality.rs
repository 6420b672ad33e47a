//! Labels that come late, for what was answered. How good it was by them: `judging`.

use std::collections::{BTreeMap, BTreeSet};

use lathe_core::{Action, Ctx, Error, Event, Kind, Name, Result};
use lathe_db::FutureExt as _;
use serde_json::{Value, json};

use crate::settings::{check_deployment, of};
use crate::store::predictions::{self as rows, Label, PredictionOrigin};
use crate::{Monitoring, store};

pub use crate::judging::{QualityRow, list_quality};

/// How many labels one request may bring.
const MAX_LABELS: usize = 10_000;
/// So many requests may share an id: one that is sent again, or is answered by several versions.
const MAX_REQUESTS_OF_ID: usize = 16;
/// How many unknown ids an answer names.
const MAX_NAMED: usize = 100;

/// What a row of a request should have been answered.
#[derive(Debug, Clone, PartialEq)]
pub struct NewLabel {
    /// The request's id, the server's or the client's own.
    pub id: RequestRef,
    /// Which row of the request, from 0.
    pub row: i64,
    /// A number, a text or a boolean.
    pub label: Value,
}

/// How a request is named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestRef {
    /// By the id that the answer had.
    Server(String),
    /// By the id that the client gave.
    Client(String),
}

impl RequestRef {
    fn as_str(&self) -> &str {
        match self {
            RequestRef::Server(id) | RequestRef::Client(id) => id,
        }
    }
}

/// What became of labels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelsAdded {
    /// Labels that are new or changed.
    pub added: u64,
    /// Labels that were there already.
    pub unchanged: u64,
    /// Ids (up to 100) of requests whose rows are not known.
    pub unknown: Vec<String>,
    /// How many labels were for such requests.
    pub unknown_labels: u64,
}

/// Adds labels. Sending them again changes nothing; another label for the same row replaces it.
///
/// # Errors
/// `InvalidArgument` for a label that is no number, text or boolean, or for a row that the request does not have.
pub async fn add_labels(
    ctx: &Ctx,
    monitoring: &Monitoring,
    deployment: &str,
    labels: Vec<NewLabel>,
) -> Result<LabelsAdded> {
    ctx.authorize(Action::Write)?;
    check_deployment(deployment)?;
    if labels.len() > MAX_LABELS {
        return Err(Error::invalid(format!("{} labels at once; send up to {MAX_LABELS}", labels.len())));
    }
    let ids: BTreeSet<String> = labels.iter().map(|label| label.id.as_str().to_owned()).collect();
    if ids.iter().any(|id| id.contains('\0')) {
        return Err(Error::invalid("a request's id holds a NUL character"));
    }
    let found = rows::find(&monitoring.db, &ctx.project, deployment, &ids.into_iter().collect::<Vec<_>>()).await?;
    let mut known: BTreeMap<RequestRef, Vec<&rows::Labelled>> = BTreeMap::new();
    for request in &found {
        known.entry(RequestRef::Server(request.request_id.clone())).or_default().push(request);
        if let Some(id) = &request.client_request_id {
            known.entry(RequestRef::Client(id.clone())).or_default().push(request);
        }
    }
    let (mut unknown, mut unknown_labels, mut windows) = (BTreeSet::new(), 0, BTreeSet::new());
    let mut stored: BTreeMap<(String, i64), Label> = BTreeMap::new();
    for NewLabel { id, row, label } in labels {
        check_label(&id, &label)?;
        let Some(requests) = known.get(&id) else {
            unknown_labels += 1;
            unknown.insert(id.as_str().to_owned());
            continue;
        };
        if requests.len() > MAX_REQUESTS_OF_ID {
            return Err(Error::invalid(format!(
                "{} requests have the id `{}`: give each request an id of its own",
                requests.len(),
                id.as_str()
            )));
        }
        for request in requests {
            if row < 0 || row >= request.rows {
                return Err(Error::invalid(format!(
                    "request `{}` has {} rows, counted from 0; there is no row {row}",
                    id.as_str(),
                    request.rows
                )));
            }
            windows.insert(request.window_start_ms);
            let label = Label { request_id: request.request_id.clone(), row, label: label.to_string() };
            stored.insert((request.request_id.clone(), row), label);
        }
    }
    let length_ms = of(monitoring, &ctx.project, deployment).await?.window_ms;
    let stored: Vec<Label> = stored.into_values().collect();
    let total = stored.len() as u64;
    let added = write(ctx, monitoring, deployment, stored, windows, length_ms).await?;
    let unknown = unknown.into_iter().take(MAX_NAMED).collect();
    Ok(LabelsAdded { added, unchanged: total - added, unknown, unknown_labels })
}

async fn write(
    ctx: &Ctx,
    monitoring: &Monitoring,
    deployment: &str,
    stored: Vec<Label>,
    windows: BTreeSet<i64>,
    length_ms: i64,
) -> Result<u64> {
    if stored.is_empty() {
        return Ok(0);
    }
    let (ctx, deployment) = (ctx.clone(), deployment.to_owned());
    monitoring
        .db
        .write(move |tx| {
            async move {
                let added = rows::upsert_labels(tx, &ctx.project, &deployment, &stored, ctx.now_ms()).await?;
                if added == 0 {
                    return Ok(0);
                }
                for start_ms in windows {
                    store::windows::touch(tx, &ctx.project, &deployment, start_ms, length_ms, ctx.now_ms()).await?;
                }
                let subject = Name::new(&ctx.project, Kind::Deployment, &deployment);
                tx.record(&ctx, Event::new("monitoring.labels_added", subject, json!({ "labels": added }))).await?;
                Ok(added)
            }
            .boxed()
        })
        .await
}

fn check_label(id: &RequestRef, label: &Value) -> Result<()> {
    let is_plain = match label {
        Value::String(text) => text.len() <= 500 && !text.contains('\0'),
        Value::Number(_) | Value::Bool(_) => true,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    };
    if is_plain {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the label of `{}` must be a number, a boolean or a text of up to 500 bytes without NUL",
        id.as_str()
    )))
}

/// Where a prediction came from: deployment and model version of each answer with this id.
///
/// # Errors
/// What the database answers.
pub async fn list_prediction_origins(
    ctx: &Ctx,
    monitoring: &Monitoring,
    request_id: &str,
) -> Result<Vec<PredictionOrigin>> {
    ctx.authorize(Action::Read)?;
    rows::origins(&monitoring.db, &ctx.project, request_id).await
}
