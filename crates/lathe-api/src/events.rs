//! `/activity`, `/audit`, `/audit/verify` and `/events/stream`: readers of the ledger.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::sse::{self, KeepAlive, Sse};
use futures::Stream;
use http::HeaderMap;
use lathe_core::{Ctx, Error, Name};
use lathe_db::ledger::{self, EventFilter, EventRecord, sealer};
use lathe_http::{Admission, Caller, Failure};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::extract::Query;
use crate::state::ApiState;

const DEFAULT_PAGE: usize = 50;
const MAX_PAGE: usize = 1000;
/// How many events one wake-up of a stream may send before it looks again.
const STREAM_BATCH: i64 = 200;
/// How often a stream looks at the database although this server sealed nothing: another server may have.
const STREAM_POLL: Duration = Duration::from_secs(2);

/// Who acted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Actor {
    /// `user`, `service` or `system`.
    pub kind: String,
    /// The user name, the service token's name, or a part of Lathe.
    pub name: String,
}

impl From<lathe_core::Actor> for Actor {
    fn from(lathe_core::Actor { kind, name }: lathe_core::Actor) -> Self {
        Self { kind: kind.as_str().to_owned(), name }
    }
}

/// `to` came from `from`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Edge {
    /// The cause.
    pub from: String,
    /// The result.
    pub to: String,
    /// How: `read`, `logged`, `registered`.
    pub kind: String,
}

impl From<lathe_core::Edge> for Edge {
    fn from(lathe_core::Edge { from, to, kind }: lathe_core::Edge) -> Self {
        Self { from: from.to_string(), to: to.to_string(), kind }
    }
}

/// One recorded change.
#[derive(Debug, Serialize, ToSchema)]
pub struct Event {
    /// Its id.
    pub id: String,
    /// Its place in the chain.
    pub position: Option<i64>,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who.
    pub actor: Actor,
    /// What, `noun.verbed`.
    pub action: String,
    /// To which thing: its canonical name.
    pub subject: String,
    /// Its project.
    pub project: String,
    /// In which request.
    pub request_id: String,
    /// What changed.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
    /// Which things came from which.
    pub edges: Vec<Edge>,
    /// SHA-256 of the event, hex.
    pub hash: String,
}

impl From<EventRecord> for Event {
    fn from(record: EventRecord) -> Self {
        let EventRecord { id, project, at_ms, actor, action, subject, request_id, detail, edges, position, hash } =
            record;
        Self {
            id: id.to_string(),
            position,
            at_ms,
            actor: actor.into(),
            action,
            subject: subject.to_string(),
            project: project.to_string(),
            request_id,
            detail: serde_json::from_str(&detail).unwrap_or(serde_json::Value::Null),
            edges: edges.into_iter().map(Edge::from).collect(),
            hash: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// A page of events, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventPage {
    /// The events.
    pub events: Vec<Event>,
    /// Where the next page starts; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_page_token: Option<String>,
}

/// Which events to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// This action (`run.created`), or every action of a noun (`run.`).
    action: Option<String>,
    /// This actor's name.
    actor: Option<String>,
    /// This thing or a part of it, by canonical name.
    subject: Option<String>,
    /// Not before, in milliseconds since 1970.
    from_ms: Option<i64>,
    /// Before, in milliseconds since 1970.
    to_ms: Option<i64>,
    /// At most this many (1 to 1000; 50 if absent).
    max_results: Option<usize>,
    /// The token of the previous page.
    page_token: Option<String>,
}

async fn page(ctx: &Ctx, api: &ApiState, query: EventQuery) -> Result<Json<EventPage>, Failure> {
    let EventQuery { action, actor, subject, from_ms, to_ms, max_results, page_token } = query;
    let subject = subject.map(|text| Name::parse(&text)).transpose()?;
    let filter = EventFilter { action, actor, subject, from_ms, to_ms };
    let limit = page_size(max_results, DEFAULT_PAGE, MAX_PAGE)?;
    // Whoever made a change finds it here at once; a further page shows what was before.
    if page_token.is_none() {
        sealer::await_sealed(&api.db).await?;
    }
    let page = ledger::list(ctx, &api.db, &filter, page_token.as_deref(), limit).await?;
    Ok(Json(EventPage {
        events: page.items.into_iter().map(Event::from).collect(),
        next_page_token: page.next.map(|token| token.encode()),
    }))
}

/// Checks an asked page size.
pub(crate) fn page_size(asked: Option<usize>, default: usize, max: usize) -> lathe_core::Result<usize> {
    match asked {
        None => Ok(default),
        Some(size) if (1..=max).contains(&size) => Ok(size),
        Some(size) => Err(Error::invalid(format!("max_results is {size}; it must be from 1 to {max}"))),
    }
}

/// What happened in the project, newest first.
#[utoipa::path(get, path = "/api/v1/activity", tag = "ledger", params(EventQuery), responses((status = 200, body = EventPage)))]
pub(crate) async fn list_activity(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Query(query): Query<EventQuery>,
) -> Result<Json<EventPage>, Failure> {
    page(&ctx, &api, query).await
}

/// The audit log: the same events with filters, for reviewers.
#[utoipa::path(get, path = "/api/v1/audit", tag = "ledger", params(EventQuery), responses((status = 200, body = EventPage)))]
pub(crate) async fn list_audit(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Query(query): Query<EventQuery>,
) -> Result<Json<EventPage>, Failure> {
    page(&ctx, &api, query).await
}

/// Where the chain breaks.
#[derive(Debug, Serialize, ToSchema)]
pub struct Break {
    /// The position of the first event that is not as sealed.
    pub position: i64,
    /// Its id, when an event stands there at all.
    pub event_id: Option<String>,
    /// What is wrong.
    pub reason: String,
}

/// What a verification of the chain found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Verification {
    /// Whether every sealed event is as it was sealed.
    pub verified: bool,
    /// How many sealed events were checked.
    pub events: u64,
    /// How many batches were checked.
    pub batches: u64,
    /// How many events wait to be sealed.
    pub unsealed: u64,
    /// The head of the chain, hex: kept elsewhere, it proves that nothing before it was rewritten.
    pub head: String,
    /// The first break.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub first_broken: Option<Break>,
}

/// Recomputes every hash of the ledger and names the first event that is not as it was sealed.
#[utoipa::path(get, path = "/api/v1/audit/verify", tag = "ledger", responses((status = 200, body = Verification)))]
pub(crate) async fn verify_audit(State(api): State<ApiState>) -> Result<Json<Verification>, Failure> {
    let ledger::Verification { events, batches, unsealed, head, first_broken } = ledger::verify(&api.db).await?;
    let first_broken =
        first_broken.map(|ledger::Break { position, event_id, reason }| Break { position, event_id, reason });
    Ok(Json(Verification { verified: first_broken.is_none(), events, batches, unsealed, head, first_broken }))
}

/// The end of the chain.
#[derive(Debug, Serialize, ToSchema)]
pub struct LedgerHead {
    /// How many events are sealed.
    pub events: i64,
    /// How many events wait to be sealed.
    pub unsealed: u64,
    /// The head of the chain, hex.
    pub head: String,
}

/// The end of the ledger's chain as it stands; nothing is recomputed.
#[utoipa::path(get, path = "/api/v1/audit/head", tag = "ledger", responses((status = 200, body = LedgerHead)))]
pub(crate) async fn get_ledger_head(State(api): State<ApiState>) -> Result<Json<LedgerHead>, Failure> {
    let ledger::Head { position, unsealed, head } = ledger::head(&api.db).await?;
    Ok(Json(LedgerHead { events: position, unsealed, head }))
}

/// Where a stream starts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StreamQuery {
    /// Send events after this position; absent: only what happens from now on.
    after: Option<i64>,
}

/// The project's events as they are sealed, as server-sent events; `Last-Event-ID` resumes.
#[utoipa::path(get, path = "/api/v1/events/stream", tag = "ledger", params(StreamQuery),
    responses((status = 200, description = "server-sent events named `event`, each an Event", content_type = "text/event-stream", body = String)))]
pub(crate) async fn stream_events(
    State(api): State<ApiState>,
    admission: Admission,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Failure> {
    let resumed = headers.get("last-event-id").and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let after = match resumed.or(query.after) {
        Some(position) => position,
        None => ledger::sealed_position(&api.db).await?,
    };
    let follower =
        Follower { sealed: ledger::subscribe(&api.db), api, admission, after, waiting: Vec::new().into_iter() };
    let stream = futures::stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok(event), follower))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

struct Follower {
    api: ApiState,
    admission: Admission,
    sealed: tokio::sync::watch::Receiver<i64>,
    after: i64,
    waiting: std::vec::IntoIter<EventRecord>,
}

impl Follower {
    /// The next event; `None` ends the stream (the server stops, the caller may not read any more, or the database does not answer: clients
    /// reconnect).
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(record) = self.waiting.next() {
                let id = record.position.unwrap_or_default().to_string();
                return sse::Event::default().event("event").id(id).json_data(Event::from(record)).ok();
            }
            self.sealed.mark_unchanged();
            let ctx = self.admission.renew().await.ok()?;
            let records = ledger::follow(&ctx, &self.api.db, self.after, STREAM_BATCH).await.ok()?;
            match records.last().and_then(|record| record.position) {
                Some(position) => self.after = position,
                None => self.api.changed_or_stopped(&mut self.sealed, STREAM_POLL).await?,
            }
            self.waiting = records.into_iter();
        }
    }
}
