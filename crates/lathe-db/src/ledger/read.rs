//! Reading sealed events: lists for people, and a cursor for followers.

use std::collections::HashMap;

use lathe_core::{Action, Actor, ActorKind, Ctx, Edge, Error, EventId, Name, Page, PageToken, Project, Result};

use crate::{Db, Query, Row, query};

/// An event as it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRecord {
    /// Its id.
    pub id: EventId,
    /// Its project.
    pub project: Project,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who.
    pub actor: Actor,
    /// What, `noun.verbed`.
    pub action: String,
    /// To which thing.
    pub subject: Name,
    /// In which request.
    pub request_id: String,
    /// What changed, as the JSON text that was hashed.
    pub detail: String,
    /// Which things came from which.
    pub edges: Vec<Edge>,
    /// Its place in the chain; `None` until sealed.
    pub position: Option<i64>,
    /// SHA-256 of all of the above but the position.
    pub hash: Vec<u8>,
}

/// Which events to list. Empty fields match everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventFilter {
    /// Exactly this action, or every action of a noun (`run.`).
    pub action: Option<String>,
    /// This actor's name.
    pub actor: Option<String>,
    /// This thing or a part of it (a model also means its versions).
    pub subject: Option<Name>,
    /// Not before, in milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// Before, in milliseconds since 1970.
    pub to_ms: Option<i64>,
}

const COLUMNS: &str = "id, project, at_ms, actor_kind, actor_name, action, subject, request_id, detail, hash, position";

pub(super) fn select() -> Query {
    let mut q = query("SELECT ");
    q.push(COLUMNS).push(" FROM events WHERE position IS NOT NULL");
    q
}

/// Events about the whole server stand in the project `default`. They name projects, people and tokens of people, who may have
/// nothing to do with that project: its own readers do not see them, the server's administrators do.
const NOT_OF_SERVER: &str = " AND action NOT IN ('project.created', 'user.created', 'user.deleted', 'user.password_changed') \
      AND NOT (action IN ('token.created', 'token.revoked') AND detail LIKE '%\"kind\":\"personal\"%')";

/// The events that the context may read.
fn select_visible(ctx: &Ctx) -> Query {
    let mut q = select();
    q.push(" AND project = ").push_bind(ctx.project.as_str());
    if ctx.project.as_str() == Project::DEFAULT && !ctx.grant.is_server_admin {
        q.push(NOT_OF_SERVER);
    }
    q
}

/// The project's events, newest first.
///
/// # Errors
/// `PermissionDenied`, or what the database answers.
pub async fn list(
    ctx: &Ctx,
    db: &Db,
    filter: &EventFilter,
    page_token: Option<&str>,
    limit: usize,
) -> Result<Page<EventRecord>> {
    ctx.authorize(Action::Read)?;
    let token = PageToken::read(page_token, &format!("events {} {filter:?}", ctx.project))?;
    let EventFilter { action, actor, subject, from_ms, to_ms } = filter;
    if [action, actor].into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(Error::invalid("a filter holds a NUL character"));
    }
    let mut q = select_visible(ctx);
    // The token holds the position to go on below, so that events sealed meanwhile shift nothing.
    if token.offset > 0 {
        q.push(" AND position < ").push_bind(token.offset_sql());
    }
    if let Some(action) = action {
        match action.strip_suffix('.') {
            Some(noun) => push_below(&mut q, "action", format!("{noun}."), format!("{noun}/")),
            None => {
                q.push(" AND action = ").push_bind(action.as_str());
            }
        }
    }
    if let Some(actor) = actor {
        q.push(" AND actor_name = ").push_bind(actor.as_str());
    }
    if let Some(subject) = subject {
        q.push(" AND (subject = ").push_bind(subject.as_str()).push(" OR (1 = 1");
        push_below(&mut q, "subject", format!("{subject}/"), format!("{subject}0"));
        q.push("))");
    }
    if let Some(from_ms) = from_ms {
        q.push(" AND at_ms >= ").push_bind(*from_ms);
    }
    if let Some(to_ms) = to_ms {
        q.push(" AND at_ms < ").push_bind(*to_ms);
    }
    q.push(" ORDER BY position DESC LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1);
    let mut items = with_edges(db, db.fetch_all(q).await?).await?;
    let has_more = items.len() > limit;
    items.truncate(limit);
    let next = items
        .last()
        .filter(|_| has_more)
        .and_then(|event| event.position)
        .map(|position| token.at(u64::try_from(position).unwrap_or_default()));
    Ok(Page { items, next })
}

/// `column >= low AND column < high`: everything that starts with a prefix, by index.
fn push_below(q: &mut Query, column: &'static str, low: String, high: String) {
    q.push(" AND ").push(column).push(" >= ").push_bind(low);
    q.push(" AND ").push(column).push(" < ").push_bind(high);
}

/// The project's events after a position, oldest first: for readers that follow the ledger.
///
/// # Errors
/// `PermissionDenied`, or what the database answers.
pub async fn follow(ctx: &Ctx, db: &Db, after: i64, limit: i64) -> Result<Vec<EventRecord>> {
    ctx.authorize(Action::Read)?;
    let mut q = select_visible(ctx);
    q.push(" AND position > ").push_bind(after).push(" ORDER BY position LIMIT ").push_bind(limit);
    let rows = db.fetch_all(q).await?;
    with_edges(db, rows).await
}

/// Every project's events of these actions after a position, oldest first: for the server's own readers.
///
/// # Errors
/// What the database answers.
pub async fn follow_all(db: &Db, actions: &[&str], after: i64, limit: i64) -> Result<Vec<EventRecord>> {
    let mut q = select();
    q.push(" AND position > ").push_bind(after);
    q.push(" AND action IN ").push_list(actions.iter().copied());
    q.push(" ORDER BY position LIMIT ").push_bind(limit);
    let rows = db.fetch_all(q).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    with_edges(db, rows).await
}

/// The last sealed position.
///
/// # Errors
/// What the database answers.
pub async fn sealed_position(db: &Db) -> Result<i64> {
    // The newest batch by its key: a maximum over the column would read every seal with all its leaves.
    let newest = db.fetch_optional(query("SELECT last_position FROM seals ORDER BY batch DESC LIMIT 1")).await?;
    newest.map_or(Ok(0), |row| row.get(0))
}

/// A watch that changes when this server has sealed (or seen sealed) further events.
pub fn subscribe(db: &Db) -> tokio::sync::watch::Receiver<i64> {
    db.sealed().subscribe()
}

pub(super) async fn with_edges(db: &Db, rows: Vec<Row>) -> Result<Vec<EventRecord>> {
    let mut events = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
    let mut q = query("SELECT event_id, from_name, to_name, kind FROM edges WHERE event_id IN ");
    q.push_list(events.iter().map(|event| event.id.as_str())).push(" ORDER BY event_id, ordinal");
    let mut edges: HashMap<String, Vec<Edge>> = HashMap::new();
    for row in db.fetch_all(q).await? {
        let edge = Edge { from: name(row.get(1)?)?, to: name(row.get(2)?)?, kind: row.get(3)? };
        edges.entry(row.get(0)?).or_default().push(edge);
    }
    for event in &mut events {
        event.edges = edges.remove(event.id.as_str()).unwrap_or_default();
    }
    Ok(events)
}

fn from_row(row: &Row) -> Result<EventRecord> {
    let kind: String = row.get(3)?;
    let kind = match kind.as_str() {
        "user" => ActorKind::User,
        "service" => ActorKind::Service,
        "run" => ActorKind::Run,
        _ => ActorKind::System,
    };
    Ok(EventRecord {
        id: EventId::from_trusted(row.get(0)?),
        project: Project::from_trusted(row.get(1)?),
        at_ms: row.get(2)?,
        actor: Actor { kind, name: row.get(4)? },
        action: row.get(5)?,
        subject: name(row.get(6)?)?,
        request_id: row.get(7)?,
        detail: row.get(8)?,
        hash: row.get(9)?,
        position: row.get(10)?,
        edges: Vec::new(),
    })
}

fn name(text: String) -> Result<Name> {
    Name::parse(&text).map_err(|_| Error::internal(format!("the ledger holds {text:?}, which is no name")))
}
