//! A window's profile against a reference's: tests of drift for each column, and data quality.
//!
//! All tests are reported; one decides. On up to 1,000 rows that is a significance test (Kolmogorov-Smirnov for numbers, chi-squared
//! for categories, p < 0.05); on more, where every difference is significant, a distance: the normed Wasserstein distance for
//! numbers and the Jensen-Shannon distance for categories, both from 0.1 (the choice and the thresholds of Evidently's
//! documentation, "Data drift algorithm").

use lathe_core::Result;

use crate::distance;
use crate::profile::{Column, ColumnKey, ColumnKind, Part, Profile, Sketch};
use crate::sketch::{Categories, Numbers};

/// How many rows a significance test decides on at the most.
const SMALL_ROWS: u64 = 1_000;

/// Categories beyond the most frequent ones of both sides are counted together.
const MAX_CATEGORIES: usize = 100;

/// How many new categories a report names.
const MAX_NAMED: usize = 10;

const P_THRESHOLD: f64 = 0.05;
const PSI_THRESHOLD: f64 = 0.2;
const DISTANCE_THRESHOLD: f64 = 0.1;

/// Which test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// Population stability index over tenths of the reference.
    Psi,
    /// Kolmogorov-Smirnov; its value is the p-value.
    KolmogorovSmirnov,
    /// Chi-squared; its value is the p-value.
    ChiSquared,
    /// Jensen-Shannon distance.
    JensenShannon,
    /// Wasserstein distance in standard deviations of the reference.
    NormedWasserstein,
}

impl Test {
    /// The test as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Test::Psi => "psi",
            Test::KolmogorovSmirnov => "ks_p_value",
            Test::ChiSquared => "chi_squared_p_value",
            Test::JensenShannon => "jensen_shannon",
            Test::NormedWasserstein => "normed_wasserstein",
        }
    }

    /// The threshold: from it on (of p-values: below it) the column has drifted.
    pub fn threshold(self) -> f64 {
        match self {
            Test::Psi => PSI_THRESHOLD,
            Test::KolmogorovSmirnov | Test::ChiSquared => P_THRESHOLD,
            Test::JensenShannon | Test::NormedWasserstein => DISTANCE_THRESHOLD,
        }
    }
}

/// What a test found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TestResult {
    /// Which test.
    pub test: Test,
    /// Its p-value or distance.
    pub value: f64,
    /// Whether it says that the column has drifted.
    pub is_drifted: bool,
    /// Whether it is the one that decides.
    pub decides: bool,
}

/// What a window and its reference say of a column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnReport {
    /// Input or output.
    pub part: Part,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: ColumnKind,
    /// Whether it has drifted; `None` when one side has no values.
    pub is_drifted: Option<bool>,
    /// All tests.
    pub tests: Vec<TestResult>,
    /// What the window holds.
    pub current: Option<ColumnSummary>,
    /// What the reference holds.
    pub reference: Option<ColumnSummary>,
    /// Of categories: the share of the window's values that the reference does not have; `None` when it does not know all of its own.
    pub new_category_share: Option<f64>,
    /// Whether the column is missing, new, or of another kind than the reference's.
    pub has_schema_problem: bool,
    /// What is wrong with the values, as sentences.
    pub problems: Vec<String>,
    /// Counts of both sides over the same bins, for a chart.
    pub bins: Vec<Bin>,
}

/// A bin of a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Bin {
    /// The category, or `<= edge`.
    pub label: String,
    /// The share of the reference's values in it.
    pub reference_share: f64,
    /// The share of the window's.
    pub current_share: f64,
}

/// A column in short.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnSummary {
    /// Rows that have the column.
    pub rows: u64,
    /// The share of rows without a value; of an input of requests, of all rows: they may leave it out.
    pub missing_share: f64,
    /// About how many different values there are.
    pub distinct: f64,
    /// Of numbers: the mean.
    pub mean: Option<f64>,
    /// Of numbers: the standard deviation.
    pub std: Option<f64>,
    /// Of numbers: the smallest.
    pub min: Option<f64>,
    /// Of numbers: the largest.
    pub max: Option<f64>,
    /// Of numbers: 5, 25, 50, 75 and 95 %.
    pub quantiles: Vec<f64>,
    /// Of categories: the most frequent ones with their counts.
    pub top: Vec<(String, u64)>,
}

/// A window against a reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The share of the input columns of both that have drifted; `None` when there are none.
    pub drift_share: Option<f64>,
    /// The share of the output columns of both that have drifted; `None` when there are none.
    pub prediction_drift_share: Option<f64>,
    /// By part and name.
    pub columns: Vec<ColumnReport>,
}

/// Compares.
///
/// # Errors
/// `Internal` for a fault of a sketch.
pub fn compare(reference: &Profile, current: &Profile) -> Result<Comparison> {
    let mut keys: Vec<&ColumnKey> = reference.columns.keys().chain(current.columns.keys()).collect();
    keys.sort();
    keys.dedup();
    let knows_outputs = reference.columns.keys().any(|key| key.part == Part::Output);
    let mut columns = Vec::with_capacity(keys.len());
    for key in keys {
        let (before, now) = (reference.columns.get(key), current.columns.get(key));
        let mut report = compare_column(key, reference, current)?;
        let is_expected = key.part == Part::Input || knows_outputs;
        let schema_problem = schema_problem(key, before, now, reference, current).filter(|_| is_expected);
        report.has_schema_problem = schema_problem.is_some();
        report.problems.extend(schema_problem);
        columns.push(report);
    }
    let (drift_share, prediction_drift_share) =
        (drifted_share(&columns, Part::Input), drifted_share(&columns, Part::Output));
    Ok(Comparison { drift_share, prediction_drift_share, columns })
}

fn drifted_share(columns: &[ColumnReport], part: Part) -> Option<f64> {
    let verdicts: Vec<bool> =
        columns.iter().filter(|column| column.part == part).filter_map(|column| column.is_drifted).collect();
    let drifted = verdicts.iter().filter(|is_drifted| **is_drifted).count();
    (!verdicts.is_empty()).then(|| drifted as f64 / verdicts.len() as f64)
}

fn schema_problem(
    key: &ColumnKey,
    before: Option<&Column>,
    now: Option<&Column>,
    reference: &Profile,
    current: &Profile,
) -> Option<String> {
    let other = key.of_other_kind();
    match (before, now) {
        (Some(_), None) if current.rows == 0 || current.columns.contains_key(&other) => None,
        (Some(_), None) => Some("the column is missing".to_owned()),
        (None, Some(_)) if reference.columns.contains_key(&other) => {
            Some(format!("the column holds values of kind {}; the reference has another kind", key.kind.as_str()))
        }
        (None, Some(_)) => Some("the reference does not have the column".to_owned()),
        _ => None,
    }
}

fn compare_column(key: &ColumnKey, reference: &Profile, current: &Profile) -> Result<ColumnReport> {
    let (before, now) = (reference.columns.get(key), current.columns.get(key));
    let mut report = ColumnReport {
        part: key.part,
        name: key.name.clone(),
        kind: key.kind,
        is_drifted: None,
        tests: Vec::new(),
        current: now.map(|column| summarize(column, current.missing_share(key))).transpose()?,
        reference: before.map(|column| summarize(column, reference.missing_share(key))).transpose()?,
        new_category_share: None,
        has_schema_problem: false,
        problems: Vec::new(),
        bins: Vec::new(),
    };
    let (Some(before), Some(now)) = (before, now) else { return Ok(report) };
    report.problems.extend(missing_problem(key, reference, current));
    if before.count() == 0 && now.count() > 0 {
        report.problems.push("the reference has no values of the column: its drift cannot be judged".to_owned());
    }
    if before.count() == 0 || now.count() == 0 {
        return Ok(report);
    }
    let is_small = before.count().min(now.count()) <= SMALL_ROWS;
    let binned = match (&before.sketch, &now.sketch) {
        (Sketch::Numbers(before), Sketch::Numbers(now)) => report.compare_numbers(before, now, is_small)?,
        (Sketch::Categories(before), Sketch::Categories(now)) => report.compare_categories(before, now, is_small),
        _ => return Ok(report),
    };
    report.add(Test::Psi, distance::psi(&binned.reference, &binned.current), false);
    report.is_drifted = report.tests.iter().find(|result| result.decides).map(|result| result.is_drifted);
    report.bins = binned.into_bins();
    Ok(report)
}

fn missing_problem(key: &ColumnKey, reference: &Profile, current: &Profile) -> Option<String> {
    let (was_missing, is_missing) = (reference.missing_share(key), current.missing_share(key));
    let is_worse = is_missing > was_missing + 0.05;
    is_worse
        .then(|| format!("{:.1} % of the values are missing; it was {:.1} %", 100.0 * is_missing, 100.0 * was_missing))
}

/// The counts of both sides over the same bins.
struct Binned {
    labels: Vec<String>,
    reference: Vec<f64>,
    current: Vec<f64>,
}

impl Binned {
    fn into_bins(self) -> Vec<Bin> {
        let Self { labels, reference, current } = self;
        let (before, now): (f64, f64) = (reference.iter().sum(), current.iter().sum());
        let share = |count: f64, total: f64| if total > 0.0 { count / total } else { 0.0 };
        let counts = reference.into_iter().zip(current);
        let all = labels.into_iter().zip(counts).map(|(label, (reference, current))| Bin {
            label,
            reference_share: share(reference, before),
            current_share: share(current, now),
        });
        all.filter(|bin| bin.reference_share > 0.0 || bin.current_share > 0.0).collect()
    }
}

impl ColumnReport {
    fn compare_numbers(&mut self, before: &Numbers, now: &Numbers, is_small: bool) -> Result<Binned> {
        if now.min < before.min || now.max > before.max {
            self.problems.push(format!(
                "values from {} to {} leave the reference's range from {} to {}",
                now.min, now.max, before.min, before.max
            ));
        }
        let edges = before.decile_edges()?;
        let (reference, current) = (before.counts(&edges)?, now.counts(&edges)?);
        let (points, new_points) = (before.quantiles.points()?, now.quantiles.points()?);
        let statistic = distance::kolmogorov_smirnov(&points, &new_points);
        let p = distance::kolmogorov_smirnov_p(statistic, before.count(), now.count());
        let far = distance::normed_wasserstein(&points, &new_points, before.std());
        self.add(Test::KolmogorovSmirnov, p, is_small);
        self.add(Test::NormedWasserstein, far, !is_small);
        self.add(Test::JensenShannon, distance::jensen_shannon(&reference, &current), false);
        let mut labels: Vec<String> = edges.iter().map(|edge| format!("<= {edge}")).collect();
        labels.push(edges.last().map_or_else(String::new, |edge| format!("> {edge}")));
        Ok(Binned { labels, reference, current })
    }

    fn compare_categories(&mut self, before: &Categories, now: &Categories, is_small: bool) -> Binned {
        let mut labels: Vec<String> = before.top(MAX_CATEGORIES).into_iter().map(|(label, _)| label).collect();
        let others = now.top(MAX_CATEGORIES).into_iter().map(|(label, _)| label);
        let new: Vec<String> = others.filter(|label| !labels.contains(label)).collect();
        self.problems.extend(new_problem(before, &new));
        self.new_category_share = new_category_share(before, now);
        labels.extend(new);
        let count = |side: &Categories| -> Vec<f64> {
            let mut counts: Vec<f64> = labels.iter().map(|label| side.count_of(label) as f64).collect();
            counts.push((side.count() as f64 - counts.iter().sum::<f64>()).max(0.0));
            counts
        };
        let (reference, current) = (count(before), count(now));
        let (_, p) = distance::chi_squared(&reference, &current);
        self.add(Test::ChiSquared, p, is_small);
        self.add(Test::JensenShannon, distance::jensen_shannon(&reference, &current), !is_small);
        labels.push("all others".to_owned());
        Binned { labels, reference, current }
    }

    fn add(&mut self, test: Test, value: f64, decides: bool) {
        // Columns of the largest numbers overflow; JSON has no infinity.
        let value = if value.is_nan() { 0.0 } else { value.clamp(f64::MIN, f64::MAX) };
        let is_drifted = match test {
            Test::KolmogorovSmirnov | Test::ChiSquared => value < test.threshold(),
            Test::Psi | Test::JensenShannon | Test::NormedWasserstein => value >= test.threshold(),
        };
        self.tests.push(TestResult { test, value, is_drifted, decides });
    }

    /// What a test found.
    pub fn value_of(&self, test: Test) -> Option<f64> {
        self.tests.iter().find(|result| result.test == test).map(|result| result.value)
    }
}

fn new_category_share(before: &Categories, now: &Categories) -> Option<f64> {
    let is_new = |label: &str| before.count_of(label) == 0;
    let all = before.is_exact().then(|| now.top(usize::MAX))?;
    let new: u64 = all.iter().filter(|(label, _)| is_new(label)).map(|(_, count)| count).sum();
    Some((new as f64 / now.count() as f64).min(1.0))
}

/// Names the categories that a reference which knows all of its own does not have.
fn new_problem(before: &Categories, labels: &[String]) -> Option<String> {
    let unknown: Vec<&String> = labels.iter().filter(|label| before.count_of(label) == 0).collect();
    if unknown.is_empty() || !before.is_exact() {
        return None;
    }
    let named: Vec<String> = unknown.iter().take(MAX_NAMED).map(|label| format!("{label:?}")).collect();
    let more = if unknown.len() > MAX_NAMED { " and others" } else { "" };
    Some(format!("new categories: {}{more}", named.join(", ")))
}

/// A column in short.
fn summarize(column: &Column, missing_share: f64) -> Result<ColumnSummary> {
    let mut summary = ColumnSummary {
        rows: column.rows,
        missing_share,
        distinct: 0.0,
        mean: None,
        std: None,
        min: None,
        max: None,
        quantiles: Vec::new(),
        top: Vec::new(),
    };
    match &column.sketch {
        Sketch::Numbers(numbers) => {
            summary.distinct = numbers.distinct();
            if numbers.count() > 0 {
                summary.mean = Some(numbers.mean).filter(|it| it.is_finite());
                summary.std = Some(numbers.std()).filter(|it| it.is_finite());
                summary.min = Some(numbers.min);
                summary.max = Some(numbers.max);
                for share in [0.05, 0.25, 0.5, 0.75, 0.95] {
                    summary.quantiles.extend(numbers.quantiles.quantile(share)?);
                }
            }
        }
        Sketch::Categories(categories) => {
            summary.distinct = categories.distinct();
            summary.top = categories.top(MAX_NAMED);
        }
    }
    Ok(summary)
}
