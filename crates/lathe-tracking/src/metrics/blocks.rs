//! The stored form of points: blocks of fixed-size records in arrival order.
//!
//! One row per point costs more than the point: a metric's points are therefore packed into rows of up to
//! [`POINTS_PER_BLOCK`]. Every block but a metric's last is full, so point `n` (counted from 0 in arrival order) is in block
//! `n / POINTS_PER_BLOCK`, and appending needs only the count of points so far.
//!
//! Format 1: per point 24 bytes, little-endian: step (i64), timestamp in ms (i64), value (f64). The length of a block is a
//! multiple of 24. Another format would be another table.

use std::cmp::Ordering;

use lathe_core::{Error, Result};

use crate::MetricPoint;

/// Points in a full block. 40 records are 960 bytes: such a row stays inside its page on SQLite (rows of a clustered table
/// spill above about 1,000 bytes) and out of TOAST on PostgreSQL.
pub const POINTS_PER_BLOCK: i64 = 40;

/// Bytes of a point.
pub const POINT_BYTES: usize = 24;

/// The block of the point with this number.
pub(crate) fn block_of(point_number: i64) -> i64 {
    point_number / POINTS_PER_BLOCK
}

/// Appends a point's record.
pub(crate) fn encode(point: &MetricPoint, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&point.step.to_le_bytes());
    bytes.extend_from_slice(&point.timestamp_ms.to_le_bytes());
    bytes.extend_from_slice(&point.value.to_le_bytes());
}

/// Cuts points that follow `count` earlier ones into blocks: each block's number and the bytes to append to it.
pub(crate) fn split(count: i64, points: &[MetricPoint]) -> Vec<(i64, Vec<u8>)> {
    let mut blocks: Vec<(i64, Vec<u8>)> = Vec::new();
    for (number, point) in (count..).zip(points) {
        let block = block_of(number);
        match blocks.last_mut() {
            Some((last, bytes)) if *last == block => encode(point, bytes),
            _ => {
                let mut bytes = Vec::with_capacity(POINT_BYTES);
                encode(point, &mut bytes);
                blocks.push((block, bytes));
            }
        }
    }
    blocks
}

/// Reads the points of a block, in arrival order, onto the end of `points`.
///
/// # Errors
/// `Internal` when the length is not a multiple of a point's: the row is damaged.
pub(crate) fn decode(bytes: &[u8], points: &mut Vec<MetricPoint>) -> Result<()> {
    let (records, rest) = bytes.as_chunks::<POINT_BYTES>();
    if !rest.is_empty() {
        return Err(Error::internal("a block of metric points has a torn record"));
    }
    points.reserve(records.len());
    for record in records {
        let (words, _) = record.as_chunks::<8>();
        if let [step, timestamp_ms, value] = words {
            points.push(MetricPoint {
                step: i64::from_le_bytes(*step),
                timestamp_ms: i64::from_le_bytes(*timestamp_ms),
                value: f64::from_le_bytes(*value),
            });
        }
    }
    Ok(())
}

/// Puts points into the order of a history (timestamp, step, value; NaN after every number) and drops exact duplicates.
pub(crate) fn to_history(points: &mut Vec<MetricPoint>) {
    // Points mostly arrive in order: the sort then is one pass.
    points.sort_by(|a, b| {
        (a.timestamp_ms, a.step).cmp(&(b.timestamp_ms, b.step)).then_with(|| compare_values(a.value, b.value))
    });
    points.dedup_by(|a, b| is_same(a, b));
}

/// Puts points into the order of their steps (step, timestamp, value; NaN after every number) and drops exact duplicates.
pub(crate) fn to_steps(points: &mut Vec<MetricPoint>) {
    points.sort_by(|a, b| {
        (a.step, a.timestamp_ms).cmp(&(b.step, b.timestamp_ms)).then_with(|| compare_values(a.value, b.value))
    });
    points.dedup_by(|a, b| is_same(a, b));
}

/// The latest of points: the largest (step, timestamp, value), where NaN is the smallest value.
pub(crate) fn latest(points: &[MetricPoint]) -> Option<MetricPoint> {
    points.iter().copied().reduce(|best, point| {
        let order = (point.step, point.timestamp_ms).cmp(&(best.step, best.timestamp_ms));
        let is_newer = order.is_gt() || (order.is_eq() && (best.value.is_nan() || point.value > best.value));
        if is_newer { point } else { best }
    })
}

fn compare_values(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn is_same(a: &MetricPoint, b: &MetricPoint) -> bool {
    a.step == b.step && a.timestamp_ms == b.timestamp_ms && compare_values(a.value, b.value).is_eq()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_point() -> impl Strategy<Value = MetricPoint> {
        let value = prop_oneof![
            Just(f64::NAN),
            Just(f64::INFINITY),
            Just(f64::NEG_INFINITY),
            Just(0.0),
            (-3..3).prop_map(f64::from),
            any::<f64>(),
        ];
        (-3_i64..3, 0_i64..4, value).prop_map(|(step, timestamp_ms, value)| MetricPoint { step, timestamp_ms, value })
    }

    fn bits(points: &[MetricPoint]) -> Vec<(i64, i64, u64)> {
        points.iter().map(|p| (p.step, p.timestamp_ms, p.value.to_bits())).collect()
    }

    proptest! {
        #[test]
        fn blocks_give_back_what_was_appended_wherever_requests_were_cut(
            points in prop::collection::vec(any_point(), 0..200),
            cuts in prop::collection::vec(1_usize..60, 1..20),
        ) {
            let mut stored: std::collections::BTreeMap<i64, Vec<u8>> = std::collections::BTreeMap::new();
            let (mut rest, mut count, mut cut) = (points.as_slice(), 0_i64, 0);
            while !rest.is_empty() {
                let length = cuts[cut % cuts.len()].min(rest.len());
                let (request, after) = rest.split_at(length);
                for (block, bytes) in split(count, request) {
                    stored.entry(block).or_default().extend(bytes);
                }
                (rest, count, cut) = (after, count + length as i64, cut + 1);
            }
            let mut read = Vec::new();
            for (number, (block, bytes)) in stored.iter().enumerate() {
                prop_assert_eq!(*block, number as i64);
                prop_assert!(bytes.len() <= POINTS_PER_BLOCK as usize * POINT_BYTES);
                if number + 1 < stored.len() {
                    prop_assert_eq!(bytes.len(), POINTS_PER_BLOCK as usize * POINT_BYTES);
                }
                decode(bytes, &mut read).unwrap();
            }
            prop_assert_eq!(bits(&read), bits(&points));
        }

        #[test]
        fn history_is_ordered_and_holds_each_point_once(mut points in prop::collection::vec(any_point(), 0..60)) {
            let before = points.clone();
            to_history(&mut points);
            for pair in points.windows(2) {
                let (a, b) = (&pair[0], &pair[1]);
                prop_assert!(!is_same(a, b));
                prop_assert!((a.timestamp_ms, a.step) <= (b.timestamp_ms, b.step));
                if (a.timestamp_ms, a.step) == (b.timestamp_ms, b.step) {
                    prop_assert!(a.value < b.value || b.value.is_nan());
                }
            }
            for point in &before {
                prop_assert!(points.iter().any(|kept| is_same(kept, point)));
            }
        }

        #[test]
        fn the_latest_point_does_not_depend_on_arrival(points in prop::collection::vec(any_point(), 1..30), turn in 0_usize..30) {
            let mut turned = points.clone();
            turned.rotate_left(turn % points.len());
            let (a, b) = (latest(&points).unwrap(), latest(&turned).unwrap());
            prop_assert!(is_same(&a, &b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn a_torn_block_is_an_error() {
        assert!(decode(&[0; 25], &mut Vec::new()).is_err());
    }
}
