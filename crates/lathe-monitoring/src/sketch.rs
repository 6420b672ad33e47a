//! What is kept of a column: mergeable sketches in constant memory.
//!
//! Quantiles are a KLL sketch (Karnin, Lang, Liberty 2016), distinct values HyperLogLog, frequent texts a Misra-Gries summary
//! (arXiv 1705.07001); all three are Apache DataSketches and are stored in its format. Mean and variance merge by Chan's formula.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use datasketches::common::SearchCriteria;
use datasketches::frequencies::{ErrorType, FrequentItemsSketch};
use datasketches::hll::{HllSketch, HllType, HllUnion};
use datasketches::kll::{KllFloat, KllSketch};
use lathe_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// Rank error of a quantile: about 1 %; below some 250 values it is exact.
const KLL_K: u16 = 256;
/// Standard error of a count of distinct values: 1.6 %.
const HLL_LG_K: u8 = 12;
/// Texts are counted exactly while there are fewer than 768 different ones.
const FREQUENT_MAP_SIZE: usize = 1024;
/// Longer texts count as their beginning: a sketch's size is bounded.
const MAX_TEXT_BYTES: usize = 200;
/// Into how many points of equal weight a distribution is turned for tests.
const MAX_POINTS: u64 = 1000;

pub(crate) fn broken(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("a sketch: {error}"))
}

/// A quantile sketch of numbers that are not NaN.
#[derive(Debug, Clone)]
pub(crate) struct Quantiles(KllSketch<KllFloat<f64>>);

impl Quantiles {
    pub(crate) fn new() -> Result<Self> {
        KllSketch::new(KLL_K).map(Self).map_err(broken)
    }

    pub(crate) fn add(&mut self, value: f64) -> Result<()> {
        self.0.update(KllFloat::<f64>::new(value).map_err(broken)?);
        Ok(())
    }

    pub(crate) fn merge(&mut self, other: &Self) -> Result<()> {
        self.0.merge(&other.0).map_err(broken)
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.n()
    }

    /// The value below or at which this share of all values lies; `None` of nothing.
    pub(crate) fn quantile(&self, share: f64) -> Result<Option<f64>> {
        Ok(self.0.quantile(share, SearchCriteria::Inclusive).map_err(broken)?.map(|value| *value))
    }

    /// Up to 1,000 values in order that stand for all with equal weight; all of them when there are few.
    pub(crate) fn points(&self) -> Result<Vec<f64>> {
        let count = self.count().min(MAX_POINTS);
        if count == 0 {
            return Ok(Vec::new());
        }
        let ranks: Vec<f64> = (0..count).map(|index| (index as f64 + 0.5) / count as f64).collect();
        let values = self.0.sorted_view().quantiles(&ranks, SearchCriteria::Inclusive).map_err(broken)?;
        Ok(values.into_iter().flatten().map(|value| *value).collect())
    }

    /// How many values lie in each bin between edges, about.
    pub(crate) fn counts(&self, edges: &[f64]) -> Result<Vec<f64>> {
        let view = self.0.sorted_view();
        let total = self.count() as f64;
        let mut below = 0.0;
        let mut counts = Vec::with_capacity(edges.len() + 1);
        for edge in edges {
            let edge = KllFloat::<f64>::new(*edge).map_err(broken)?;
            let rank = view.rank(&edge, SearchCriteria::Inclusive).unwrap_or(0.0) * total;
            counts.push((rank - below).max(0.0));
            below = rank;
        }
        counts.push((total - below).max(0.0));
        Ok(counts)
    }

    pub(crate) fn encode(&self) -> String {
        STANDARD.encode(self.0.serialize())
    }

    pub(crate) fn decode(text: &str) -> Result<Self> {
        let bytes = STANDARD.decode(text).map_err(broken)?;
        KllSketch::deserialize(&bytes).map(Self).map_err(broken)
    }
}

/// A sketch of how many different values there are.
#[derive(Debug, Clone)]
struct Distinct(HllSketch);

impl Distinct {
    fn new() -> Result<Self> {
        HllSketch::new(HLL_LG_K, HllType::Hll4).map(Self).map_err(broken)
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        let mut union = HllUnion::new(HLL_LG_K).map_err(broken)?;
        union.update(&self.0);
        union.update(&other.0);
        self.0 = union.to_sketch(HllType::Hll4);
        Ok(())
    }

    fn encode(&self) -> String {
        STANDARD.encode(self.0.serialize())
    }

    fn decode(text: &str) -> Result<Self> {
        let bytes = STANDARD.decode(text).map_err(broken)?;
        HllSketch::deserialize(&bytes).map(Self).map_err(broken)
    }
}

/// Exact counts over the bins of a reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Histogram {
    /// Upper edges, each part of its bin; the last bin has none.
    pub(crate) edges: Vec<f64>,
    pub(crate) counts: Vec<u64>,
}

impl Histogram {
    pub(crate) fn new(edges: Vec<f64>) -> Self {
        let counts = vec![0; edges.len() + 1];
        Self { edges, counts }
    }

    fn add(&mut self, value: f64) {
        let bin = self.edges.partition_point(|edge| *edge < value);
        if let Some(count) = self.counts.get_mut(bin) {
            *count += 1;
        }
    }
}

/// The sketches of a column of numbers. What is not finite counts as missing.
#[derive(Debug, Clone)]
pub(crate) struct Numbers {
    pub(crate) mean: f64,
    squares: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) quantiles: Quantiles,
    distinct: Distinct,
    histogram: Option<Histogram>,
}

impl Numbers {
    pub(crate) fn new(edges: Option<&[f64]>) -> Result<Self> {
        Ok(Self {
            mean: 0.0,
            squares: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            quantiles: Quantiles::new()?,
            distinct: Distinct::new()?,
            histogram: edges.map(|edges| Histogram::new(edges.to_vec())),
        })
    }

    pub(crate) fn add(&mut self, value: f64) -> Result<()> {
        self.quantiles.add(value)?;
        let delta = value - self.mean;
        self.mean += delta / self.quantiles.count() as f64;
        self.squares += delta * (value - self.mean);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        // Zero is one value, whatever its sign.
        self.distinct.0.update((value + 0.0).to_bits());
        if let Some(histogram) = &mut self.histogram {
            histogram.add(value);
        }
        Ok(())
    }

    pub(crate) fn merge(&mut self, other: &Self) -> Result<()> {
        let (own, others) = (self.quantiles.count() as f64, other.quantiles.count() as f64);
        // Without values on one side there are no edges to keep either.
        match (&mut self.histogram, &other.histogram) {
            (Some(histogram), Some(added)) if histogram.edges == added.edges => {
                for (count, more) in histogram.counts.iter_mut().zip(&added.counts) {
                    *count += more;
                }
            }
            (own_histogram, _) => *own_histogram = None,
        }
        if others > 0.0 {
            let delta = other.mean - self.mean;
            self.mean += delta * others / (own + others);
            self.squares += other.squares + delta * delta * own * others / (own + others);
        }
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.quantiles.merge(&other.quantiles)?;
        self.distinct.merge(&other.distinct)
    }

    pub(crate) fn count(&self) -> u64 {
        self.quantiles.count()
    }

    /// The standard deviation of the values as a population.
    pub(crate) fn std(&self) -> f64 {
        if self.count() == 0 { 0.0 } else { (self.squares / self.count() as f64).max(0.0).sqrt() }
    }

    pub(crate) fn distinct(&self) -> f64 {
        self.distinct.0.estimate()
    }

    /// How many values lie in each bin: exact when they were counted so.
    pub(crate) fn counts(&self, edges: &[f64]) -> Result<Vec<f64>> {
        match &self.histogram {
            Some(histogram) if histogram.edges == edges => {
                Ok(histogram.counts.iter().map(|count| *count as f64).collect())
            }
            _ => self.quantiles.counts(edges),
        }
    }

    /// The edges of bins with a tenth of the values each. A value that makes up more than a tenth has a bin of its own.
    pub(crate) fn decile_edges(&self) -> Result<Vec<f64>> {
        let mut edges = Vec::new();
        for tenth in 1..10 {
            edges.extend(self.quantiles.quantile(f64::from(tenth) / 10.0)?);
        }
        if edges.first().is_some_and(|edge| *edge <= self.min) {
            edges.insert(0, self.min.next_down());
        }
        edges.dedup();
        Ok(edges)
    }
}

/// What Python and others write for a boolean, and which it is.
const WRITTEN_BOOLEANS: [(&str, &str); 4] =
    [("True", "true"), ("TRUE", "true"), ("False", "false"), ("FALSE", "false")];

/// The category of a text. What Python writes for a boolean is that boolean.
pub(crate) fn category_of(text: &str) -> &str {
    WRITTEN_BOOLEANS.iter().find(|(written, _)| *written == text).map_or(text, |(_, boolean)| boolean)
}

/// The sketches of a column of texts or booleans.
#[derive(Debug, Clone)]
pub(crate) struct Categories {
    count: u64,
    frequent: FrequentItemsSketch<String>,
    distinct: Distinct,
}

impl Categories {
    pub(crate) fn new() -> Result<Self> {
        let frequent = FrequentItemsSketch::new(FREQUENT_MAP_SIZE).map_err(broken)?;
        Ok(Self { count: 0, frequent, distinct: Distinct::new()? })
    }

    pub(crate) fn add(&mut self, value: &str) {
        let value = category_of(value);
        let mut end = value.len().min(MAX_TEXT_BYTES);
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        let value = value.get(..end).unwrap_or_default();
        self.count += 1;
        self.frequent.update_ref(value);
        self.distinct.0.update(value);
    }

    /// The same with the categories of today: what earlier versions stored has `True` and `true` apart. One that does not know all of
    /// its values cannot be counted anew and stays as it is.
    fn with_categories(self) -> Result<Self> {
        let is_of_today = WRITTEN_BOOLEANS.iter().all(|(written, _)| self.count_of(written) == 0);
        if is_of_today || !self.is_exact() {
            return Ok(self);
        }
        let mut anew = Self { count: self.count, ..Self::new()? };
        for (value, count) in self.top(usize::MAX) {
            let value = category_of(&value);
            anew.frequent.update_with_count_ref(value, count);
            anew.distinct.0.update(value);
        }
        Ok(anew)
    }

    pub(crate) fn merge(&mut self, other: &Self) -> Result<()> {
        self.count += other.count;
        self.frequent.merge(&other.frequent);
        self.distinct.merge(&other.distinct)
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn distinct(&self) -> f64 {
        self.distinct.0.estimate()
    }

    /// Whether every value was counted by itself.
    pub(crate) fn is_exact(&self) -> bool {
        self.frequent.maximum_error() == 0
    }

    /// The most frequent values with their counts, most frequent first, equal ones by name.
    pub(crate) fn top(&self, limit: usize) -> Vec<(String, u64)> {
        let rows = self.frequent.frequent_items(ErrorType::NoFalseNegatives);
        let mut top: Vec<(String, u64)> = rows.iter().map(|row| (row.item().clone(), row.estimate())).collect();
        top.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        top.truncate(limit);
        top
    }

    pub(crate) fn count_of(&self, value: &str) -> u64 {
        self.frequent.estimate(value)
    }
}

/// [`Numbers`] as they are stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredNumbers {
    mean: f64,
    squares: f64,
    min: Option<f64>,
    max: Option<f64>,
    quantiles: String,
    distinct: String,
    histogram: Option<Histogram>,
}

/// Sums of the largest numbers overflow, and JSON has no infinity.
fn finite(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(f64::MIN, f64::MAX) }
}

impl StoredNumbers {
    pub(crate) fn new(numbers: &Numbers) -> Self {
        let Numbers { mean, squares, min, max, quantiles, distinct, histogram } = numbers;
        let has_values = numbers.count() > 0;
        Self {
            mean: finite(*mean),
            squares: finite(*squares),
            min: has_values.then_some(*min),
            max: has_values.then_some(*max),
            quantiles: quantiles.encode(),
            distinct: distinct.encode(),
            histogram: histogram.clone(),
        }
    }

    pub(crate) fn read(self) -> Result<Numbers> {
        let Self { mean, squares, min, max, quantiles, distinct, histogram } = self;
        Ok(Numbers {
            mean,
            squares,
            min: min.unwrap_or(f64::INFINITY),
            max: max.unwrap_or(f64::NEG_INFINITY),
            quantiles: Quantiles::decode(&quantiles)?,
            distinct: Distinct::decode(&distinct)?,
            histogram,
        })
    }
}

/// [`Categories`] as they are stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredCategories {
    count: u64,
    frequent: String,
    distinct: String,
}

impl StoredCategories {
    pub(crate) fn new(categories: &Categories) -> Self {
        let Categories { count, frequent, distinct } = categories;
        Self { count: *count, frequent: STANDARD.encode(frequent.serialize()), distinct: distinct.encode() }
    }

    pub(crate) fn read(self) -> Result<Categories> {
        let frequent = STANDARD.decode(&self.frequent).map_err(broken)?;
        let frequent = FrequentItemsSketch::deserialize(&frequent).map_err(broken)?;
        Categories { count: self.count, frequent, distinct: Distinct::decode(&self.distinct)? }.with_categories()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::drift::compare;
    use crate::{Column, Profile, Table, Values};

    #[test]
    fn booleans_that_were_stored_as_python_writes_them_are_those_of_today() {
        let mut frequent = FrequentItemsSketch::<String>::new(FREQUENT_MAP_SIZE).unwrap();
        let mut distinct = Distinct::new().unwrap();
        for (value, count) in [("True", 30), ("true", 10), ("False", 60)] {
            frequent.update_with_count_ref(value, count);
            distinct.0.update(value);
        }
        let frequent = STANDARD.encode(frequent.serialize());
        let categories = StoredCategories { count: 100, frequent, distinct: distinct.encode() };
        let column = json!({ "part": "input", "name": "flag", "rows": 100, "numbers": null, "categories": categories });
        let stored = json!({ "format": 1, "rows": 100, "columns": [column] });
        let before = Profile::decode(&stored.to_string()).unwrap();

        let flags = (0..100).map(|at| Some(at < 40)).collect();
        let inputs = Table::new(vec![Column { name: "flag".to_owned(), values: Values::Booleans(flags) }]).unwrap();
        let mut now = Profile::default();
        now.add(&inputs, &Table::default()).unwrap();
        let comparison = compare(&before, &now).unwrap();
        let [flag] = comparison.columns.as_slice() else { panic!("one column") };
        assert_eq!(flag.is_drifted, Some(false));
        assert!(flag.problems.is_empty(), "{:?}", flag.problems);
        let reference = flag.reference.as_ref().unwrap();
        assert_eq!(reference.top, [("false".to_owned(), 60), ("true".to_owned(), 40)]);
        assert!((reference.distinct - 2.0).abs() < 0.1, "{}", reference.distinct);
    }

    #[test]
    fn texts_that_are_not_all_known_stay_as_they_were_stored() {
        let mut frequent = FrequentItemsSketch::<String>::new(FREQUENT_MAP_SIZE).unwrap();
        frequent.update_with_count_ref("True", 1_000);
        for number in 0..2_000 {
            frequent.update_ref(number.to_string().as_str());
        }
        let frequent = STANDARD.encode(frequent.serialize());
        let stored = StoredCategories { count: 3_000, frequent, distinct: Distinct::new().unwrap().encode() };
        let categories = stored.read().unwrap();
        assert!(!categories.is_exact());
        assert_eq!((categories.count_of("true"), categories.count()), (0, 3_000));
        assert!(categories.count_of("True") >= 1_000);
    }
}
