//! Times of schedules, where clocks change.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::super::{Catchup, Position, Schedule, next_after};

fn schedule(cron: &str, tz: &str) -> Schedule {
    Schedule::new(cron, tz, Catchup::None, Position::default()).unwrap()
}

/// The next times after a moment, as the zone's clock shows them, with the offset in hours.
fn next(cron: &str, tz: &str, after: &str, count: usize) -> Vec<String> {
    let zone = TimeZone::get(tz).unwrap();
    let after: DateTime = after.parse().unwrap();
    let mut at = zone.to_timestamp(after).unwrap().as_millisecond();
    let schedule = schedule(cron, tz);
    (0..count)
        .map(|_| {
            at = next_after(&schedule, at).unwrap();
            let zoned = jiff::Timestamp::from_millisecond(at).unwrap().to_zoned(zone.clone());
            zoned.strftime("%m-%d %H:%M %:z").to_string()
        })
        .collect()
}

#[test]
fn the_next_time_is_strictly_later() {
    assert_eq!(next("0 3 * * 1", "UTC", "2026-11-23T03:00:00", 2), ["11-30 03:00 +00:00", "12-07 03:00 +00:00"]);
    assert_eq!(next("*/20 * * * *", "UTC", "2026-01-01T00:00:01", 2), ["01-01 00:20 +00:00", "01-01 00:40 +00:00"]);
}

#[test]
fn a_time_that_the_clocks_jump_over_happens_after_the_jump() {
    // 29 March 2026: 02:00 becomes 03:00.
    let times = next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00", 2);
    assert_eq!(times, ["03-29 03:00 +02:00", "03-30 02:30 +02:00"]);
}

#[test]
fn a_time_that_the_clocks_repeat_happens_once() {
    // 25 October 2026: 03:00 becomes 02:00.
    let times = next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00", 2);
    assert_eq!(times, ["10-25 02:30 +02:00", "10-26 02:30 +01:00"]);
}

#[test]
fn a_time_that_never_comes_is_none() {
    assert_eq!(next_after(&schedule("0 0 30 2 *", "UTC"), 0), None);
    assert_eq!(next_after(&schedule("0 0 * * *", "UTC"), i64::MAX), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn times_grow_and_none_is_skipped(
        after_ms in 1_600_000_000_000_i64..2_000_000_000_000,
        minute in 0_u8..60,
        hour in 0_u8..24,
        tz in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
    ) {
        let schedule = schedule(&format!("{minute} {hour} * * *"), tz);
        let day = 24 * 60 * 60 * 1000;
        let first = next_after(&schedule, after_ms).unwrap();
        prop_assert!(first > after_ms && first <= after_ms + day + 2 * 3_600_000);
        let second = next_after(&schedule, first).unwrap();
        prop_assert!(second - first >= day - 2 * 3_600_000 && second - first <= day + 2 * 3_600_000);
        // Looking from anywhere before gives the same time.
        prop_assert_eq!(next_after(&schedule, after_ms.midpoint(first - 1)), Some(first));
    }
}
