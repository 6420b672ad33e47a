//! The room's SQL. Nothing outside this module names a table.

pub(crate) mod artifacts;
pub(crate) mod experiments;
pub(crate) mod inputs;
pub(crate) mod logged_models;
pub(crate) mod metrics;
pub(crate) mod runs;
pub(crate) mod search;

use lathe_core::{Project, Result, RunId};
use lathe_db::{Db, Tx, query};

/// How many rows one `VALUES` list holds: long lists cost more to parse and bind than they save.
pub(crate) const ROWS_PER_STATEMENT: usize = 32;

/// How many ids one `IN` list holds.
pub(crate) const IDS_PER_STATEMENT: usize = 500;

/// The integer key of a run's rows: the first 48 bits of its id (the time, in ids that Lathe makes) and its last 15.
///
/// A function of the id, so that a lookup by id is a lookup by primary key. Two runs of the same millisecond meet with a
/// chance of 1 in 32,768: the second insert then fails, and `create_run` draws another id.
pub(crate) fn run_key(run_id: &RunId) -> i64 {
    let text = run_id.as_str();
    let part = |range: std::ops::Range<usize>| {
        text.get(range).and_then(|hex| i64::from_str_radix(hex, 16).ok()).unwrap_or_default()
    };
    (part(0..12) << 15) | (part(28..32) & 0x7fff)
}

/// The ids, the last one repeated up to a power of two: lists of every length then share a few statements.
pub(crate) fn padded<T: Copy>(ids: &[T]) -> impl Iterator<Item = T> {
    let missing = ids.len().next_power_of_two() - ids.len();
    ids.iter().copied().chain(ids.last().copied().into_iter().cycle().take(missing))
}

/// Takes the next `count` values of a counter; answers the first of them. The first value ever is 1.
pub(crate) async fn take_numbers(tx: &mut Tx, project: &str, name: &'static str, count: i64) -> Result<i64> {
    let row = tx
        .fetch_one(
            query(
                "INSERT INTO tracking_counters (project, name, last_value) VALUES ($1, $2, $3) \
                 ON CONFLICT (project, name) DO UPDATE SET last_value = tracking_counters.last_value + excluded.last_value \
                 RETURNING last_value",
            )
            .bind(project)
            .bind(name)
            .bind(count),
        )
        .await?;
    let last: i64 = row.get(0)?;
    Ok(last - count + 1)
}

/// How many experiments and runs of a project are in use.
pub(crate) async fn count_active(db: &Db, project: &Project) -> Result<(i64, i64)> {
    let row = db
        .fetch_one(
            query(
                "SELECT (SELECT COUNT(*) FROM experiments WHERE project = $1 AND lifecycle_stage = 'active'), \
                        (SELECT COUNT(*) FROM runs WHERE project = $1 AND lifecycle_stage = 'active')",
            )
            .bind(project.as_str()),
        )
        .await?;
    Ok((row.get(0)?, row.get(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_repeats_the_last_id() {
        assert_eq!(padded(&[1, 2, 3]).collect::<Vec<_>>(), [1, 2, 3, 3]);
        assert_eq!(padded(&[1, 2]).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(padded::<i64>(&[]).count(), 0);
    }

    #[test]
    fn run_keys_are_positive_and_follow_the_id() {
        let id = RunId::parse("ffffffffffff7000800000000000ffff").unwrap();
        assert_eq!(run_key(&id), i64::MAX);
        let id = RunId::parse("00000000000170008000000000000002").unwrap();
        assert_eq!(run_key(&id), (1 << 15) | 2);
    }
}
