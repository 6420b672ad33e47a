//! `lathe audit log|verify`: the ledger, read and recomputed.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lathe_core::Result;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::client::Client;
use super::names;
use super::output::{Cell, Output, Record, Table};
use super::text::clean;

/// The ledger of all changes
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

const LOG_EXAMPLES: &str = "Examples:
  lathe audit log --action alias. --since 7d         every alias that was set or removed in a week
  lathe audit log --subject digits/3                 what happened to a model version
  lathe audit log --actor alice --all -o jsonl > alice.jsonl";

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// List what happened, newest first
    #[command(after_help = LOG_EXAMPLES)]
    Log(LogArgs),
    /// Recompute every hash of the ledger; exits 1 when an event is not as it was sealed
    Verify,
}

#[derive(Debug, Args)]
struct LogArgs {
    /// Only this action (`run.created`), or all of a noun (`run.`)
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only what this user or service did
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Only what happened to this thing, as `lathe lineage` takes it
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// Not before: `2026-01-31`, `2026-01-31 14:00`, or a length of time before now: `90m`, `12h`, `7d`
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<i64>,
    /// Before, in the same forms
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<i64>,
    /// At most this many
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
    /// All of them, however many
    #[arg(short, long, conflicts_with = "limit")]
    all: bool,
}

/// Milliseconds since 1970 of what a person calls a time.
fn parse_time(text: &str) -> std::result::Result<i64, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.as_millisecond());
    }
    if let Ok(at) = text.parse::<DateTime>() {
        return at
            .to_zoned(TimeZone::system())
            .map(|at| at.timestamp().as_millisecond())
            .map_err(|error| error.to_string());
    }
    let ago = parse_ago(text)
        .ok_or("use a date (2026-01-31), a date and time (2026-01-31 14:00) or a length (90m, 12h, 7d)")?;
    Timestamp::now().checked_sub(ago).map(Timestamp::as_millisecond).map_err(|error| error.to_string())
}

/// `90m`, `12h`, `7d`: a day is 24 hours.
fn parse_ago(text: &str) -> Option<SignedDuration> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    count.parse::<u32>().ok().map(|count| SignedDuration::from_secs(i64::from(count) * seconds))
}

#[derive(Debug, Deserialize)]
struct Page {
    events: Vec<Event>,
    next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Event {
    id: String,
    position: Option<i64>,
    at_ms: i64,
    actor: Actor,
    action: String,
    subject: String,
    request_id: String,
    detail: Value,
    hash: String,
}

#[derive(Debug, Deserialize)]
struct Actor {
    kind: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Verification {
    verified: bool,
    events: i64,
    batches: i64,
    unsealed: i64,
    head: String,
    first_broken: Option<Break>,
}

#[derive(Debug, Deserialize)]
struct Break {
    position: i64,
    event_id: Option<String>,
    reason: String,
}

/// Runs `lathe audit …`.
///
/// # Errors
/// As [`Client::answer`].
pub async fn run(AuditArgs { command }: AuditArgs, client: &Client, output: &Output) -> Result<ExitCode> {
    match command {
        AuditCommand::Log(arguments) => log(arguments, client, output).await.map(|()| ExitCode::SUCCESS),
        AuditCommand::Verify => verify(client, output).await,
    }
}

const PAGE: usize = 1000;

async fn log(arguments: LogArgs, client: &Client, output: &Output) -> Result<()> {
    let LogArgs { action, actor, subject, since, until, limit, all } = arguments;
    let subject = match subject {
        Some(subject) => Some(names::find_name(client, &subject).await?.to_string()),
        None => None,
    };
    let limit = if all { usize::MAX } else { limit };
    let mut query: Vec<(&str, String)> = Vec::new();
    query.extend(action.map(|action| ("action", action)));
    query.extend(actor.map(|actor| ("actor", actor)));
    query.extend(subject.map(|subject| ("subject", subject)));
    query.extend(since.map(|at_ms| ("from_ms", at_ms.to_string())));
    query.extend(until.map(|at_ms| ("to_ms", at_ms.to_string())));

    let mut events: Vec<Event> = Vec::new();
    let mut token: Option<String> = None;
    while events.len() < limit {
        let size = PAGE.min(limit - events.len()).to_string();
        let mut request = client.native(Method::GET, &["audit"]).query(&query).query(&[("max_results", size)]);
        if let Some(token) = &token {
            request = request.query(&[("page_token", token)]);
        }
        let page: Page = client.answer(request).await?;
        events.extend(page.events);
        token = page.next_page_token;
        if token.is_none() {
            break;
        }
    }
    let shown = events.len();
    output.print_list(&table(events), "events")?;
    if token.is_some() {
        output.note(&format!("the newest {shown} events; --all prints the older ones too"));
    }
    Ok(())
}

fn table(events: Vec<Event>) -> Table {
    let mut table = Table::new([
        ("position", "POSITION"),
        ("at_ms", "AT"),
        ("actor_kind", "KIND"),
        ("actor", "ACTOR"),
        ("action", "ACTION"),
        ("subject", "SUBJECT"),
        ("detail", "DETAIL"),
        ("request_id", "REQUEST"),
        ("id", "EVENT"),
        ("hash", "HASH"),
    ]);
    for event in events {
        table.push(vec![
            event.position.map_or(Cell::Missing, Cell::Integer),
            Cell::Time(event.at_ms),
            Cell::Text(event.actor.kind),
            Cell::Text(event.actor.name),
            Cell::Text(event.action),
            Cell::Text(event.subject),
            Cell::Json(event.detail),
            Cell::Text(event.request_id),
            Cell::Text(event.id),
            Cell::Text(event.hash),
        ]);
    }
    // A line of a terminal holds the first six.
    table.for_programs(["detail", "request_id", "id", "hash"])
}

async fn verify(client: &Client, output: &Output) -> Result<ExitCode> {
    let waiting = output.spinner("recomputing every hash of the ledger");
    let found: Verification = client.get(&["audit", "verify"]).await?;
    waiting.finish_and_clear();
    let broken = found.first_broken.as_ref();
    let record = Record::default()
        .with("verified", "verified", Cell::Flag(found.verified))
        .with("events", "events", Cell::Integer(found.events))
        .with("batches", "batches", Cell::Integer(found.batches))
        .with("unsealed", "not sealed yet", Cell::Integer(found.unsealed))
        .with("head", "head", Cell::Text(found.head))
        .with("broken_position", "first broken", broken.map_or(Cell::Missing, |broken| Cell::Integer(broken.position)))
        .with("broken_event", "event", Cell::text(broken.and_then(|broken| broken.event_id.clone())))
        .with("broken_reason", "reason", Cell::text(broken.map(|broken| broken.reason.clone())));
    output.print_record(&record)?;
    if found.verified {
        output.note("note the head somewhere else: together with it, nothing before it can be rewritten unseen");
        return Ok(ExitCode::SUCCESS);
    }
    let at = broken.map_or_else(String::new, |broken| format!(" at position {}: {}", broken.position, broken.reason));
    eprintln!("{}", clean(&format!("error: the ledger is not as it was sealed{at}")));
    eprintln!("hint: keep the database as it is, and compare it with a backup: docs/how-to/backup.md");
    Ok(ExitCode::FAILURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_or_lengths_before_now() {
        assert_eq!(parse_time("2026-01-31T14:00:00Z"), Ok(1_769_868_000_000));
        let day = parse_time("2026-01-31").unwrap();
        assert_eq!(parse_time("2026-01-31 01:30").unwrap() - day, 90 * 60 * 1000);
        let hour = Timestamp::now().as_millisecond() - parse_time("1h").unwrap();
        assert!((3_600_000..3_610_000).contains(&hour), "{hour}");
        for wrong in ["", "x", "7w", "-1h", "é"] {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
    }
}
