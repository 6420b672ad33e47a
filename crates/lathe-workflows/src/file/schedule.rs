//! Times at which a pipeline starts: a cron line in a time zone.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::diagnostic::Position;

/// Times at which a pipeline starts.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The five fields, as written.
    pub cron: String,
    /// The time zone's IANA name.
    pub tz: String,
    /// What happens with times that passed while the server was down.
    pub catchup: Catchup,
    /// Where it stands in the file.
    pub at: Position,
    pattern: Cron,
    zone: TimeZone,
}

/// What happens with times that passed while the server was down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Catchup {
    /// They are gone.
    None,
    /// One run for the latest of them.
    Latest,
    /// One run for each.
    All,
}

/// Which part of a schedule is not valid, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScheduleError {
    /// The cron line.
    Cron(String),
    /// The time zone.
    Zone(String),
}

impl Schedule {
    /// Makes a schedule.
    ///
    /// # Errors
    /// When the line is not five fields of cron, or the zone is not known.
    pub fn new(cron: &str, tz: &str, catchup: Catchup, at: Position) -> Result<Self, ScheduleError> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let pattern = parser.parse(cron).map_err(|error| ScheduleError::Cron(why_no_cron(&error.to_string())))?;
        let zone = TimeZone::get(tz).map_err(|_| ScheduleError::Zone(tz.to_owned()))?;
        Ok(Self { cron: cron.to_owned(), tz: tz.to_owned(), catchup, at, pattern, zone })
    }
}

/// What the library says, as a part of a sentence of ours.
fn why_no_cron(said: &str) -> String {
    let said = said.rsplit_once(": ").map_or(said, |(_, why)| why).trim_end_matches('.');
    let mut characters = said.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

/// The first time of a schedule after an instant, both in milliseconds since 1970; none when there is none, such as 30 February.
///
/// A time that the clocks jump over happens right after the jump; one that they repeat happens once, at its first.
pub fn next_after(schedule: &Schedule, after_ms: i64) -> Option<i64> {
    let after = Timestamp::from_millisecond(after_ms).ok()?.to_zoned(schedule.zone.clone());
    let next = schedule.pattern.find_next_occurrence(&after, false).ok()?;
    Some(next.timestamp().as_millisecond())
}
