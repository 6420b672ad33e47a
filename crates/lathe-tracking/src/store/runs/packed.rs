//! Many small rows as one text: how the params, tags and metrics of a run travel from the database.

use lathe_core::{Error, Result};

use crate::Metric;
use crate::metrics::sortable;

/// Packs the keys and values of rows `x`: each text after its length in characters and a colon.
pub(super) const TEXTS: &str = "string_agg(length(x.key) || ':' || x.key || length(x.value) || ':' || x.value, '')";

/// Packs rows `x` of `latest_metrics`: `id,value,step,timestamp`, joined by `;`; the value is its integer, nothing for NaN.
pub(super) const METRICS: &str = "string_agg(x.key_id || ',' || COALESCE(CAST(x.sortable_value AS TEXT), '') || ',' || x.step \
                                  || ',' || x.timestamp_ms, ';')";

/// Unpacks [`TEXTS`], ordered by key.
pub(super) fn read_texts(packed: &str) -> Result<Vec<(String, String)>> {
    let mut rest = packed;
    let mut pairs = Vec::new();
    while !rest.is_empty() {
        let key = take_text(&mut rest)?.to_owned();
        let value = take_text(&mut rest)?.to_owned();
        pairs.push((key, value));
    }
    pairs.sort_unstable();
    Ok(pairs)
}

fn take_text<'a>(rest: &mut &'a str) -> Result<&'a str> {
    let parts = rest.split_once(':').and_then(|(length, after)| {
        let length: usize = length.parse().ok()?;
        // Characters are bytes as long as all are ASCII.
        let end = match after.as_bytes().get(..length) {
            Some(bytes) if bytes.is_ascii() => length,
            _ => after.char_indices().nth(length).map_or(after.len(), |(at, _)| at),
        };
        after.split_at_checked(end)
    });
    let (text, after) = parts.ok_or_else(damaged)?;
    *rest = after;
    Ok(text)
}

/// Unpacks [`METRICS`]; names are not filled in.
pub(super) fn read_metrics(packed: &str) -> Result<Vec<(i64, Metric)>> {
    packed.split_terminator(';').map(|record| read_metric(record).ok_or_else(damaged)).collect()
}

fn read_metric(record: &str) -> Option<(i64, Metric)> {
    let mut fields = record.split(',');
    let key_id = fields.next()?.parse().ok()?;
    let value = fields.next()?;
    let value = if value.is_empty() { f64::NAN } else { sortable::to_f64(value.parse().ok()?) };
    let step = fields.next()?.parse().ok()?;
    let timestamp_ms = fields.next()?.parse().ok()?;
    Some((key_id, Metric { key: String::new(), value, timestamp_ms, step }))
}

fn damaged() -> Error {
    Error::internal("packed rows of a run cannot be read")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_texts_survive_packing(pairs in prop::collection::btree_map("\\PC{0,12}", "[\\PC:0-9\n]{0,20}", 0..8)) {
            let packed: String = pairs
                .iter()
                .map(|(key, value)| format!("{}:{key}{}:{value}", key.chars().count(), value.chars().count()))
                .collect();
            prop_assert_eq!(read_texts(&packed).unwrap(), pairs.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn metrics_are_unpacked() {
        let one = sortable::from_f64(1.5).unwrap();
        let read = read_metrics(&format!("7,{one},-3,1700;9,,0,1")).unwrap();
        assert_eq!(read[0], (7, Metric { key: String::new(), value: 1.5, timestamp_ms: 1_700, step: -3 }));
        assert!(read[1].1.value.is_nan());
        assert!(read_metrics("").unwrap().is_empty());
        assert!(read_metrics("7,x").is_err());
    }
}
