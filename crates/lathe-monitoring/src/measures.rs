//! How good answers were, of answers and labels. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::settings::{Settings, Task};

/// A row that has a label.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Judged {
    /// `Null` when there is only a score.
    pub(crate) prediction: Value,
    pub(crate) score: Option<f64>,
    pub(crate) label: Value,
}

/// The measures by name: `accuracy`, `precision`, `recall`, `f1`, `brier`, `log_loss`, `auc`, or `mae`, `rmse`, `r2`.
pub(crate) fn measure(settings: &Settings, rows: &[Judged]) -> BTreeMap<&'static str, f64> {
    let task = settings.task.unwrap_or_else(|| seen_task(rows));
    match task {
        Task::Classification => classification(settings, rows),
        Task::Regression => regression(rows),
    }
}

/// Numbers with fractions are no classes.
fn seen_task(rows: &[Judged]) -> Task {
    let is_fraction = |value: &Value| value.as_f64().is_some_and(|number| number.fract() != 0.0);
    let has_classes = rows.iter().any(|row| row.label.is_string() || row.label.is_boolean() || row.score.is_some());
    if !has_classes && rows.iter().any(|row| is_fraction(&row.label) || is_fraction(&row.prediction)) {
        return Task::Regression;
    }
    Task::Classification
}

/// A class as text: `1` and `1.0` are what clients send for one and the same.
fn class_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(whole) if whole.fract() == 0.0 && whole.abs() < 1e15 => format!("{whole:.0}"),
            _ => number.to_string(),
        },
        Value::Bool(is_true) => is_true.to_string(),
        other => other.to_string(),
    }
}

/// `1` for what is true in any spelling, `0` for what is not.
fn boolean_of(class: &str) -> Option<&'static str> {
    match class {
        "1" | "true" | "True" | "TRUE" => Some("1"),
        "0" | "false" | "False" | "FALSE" => Some("0"),
        _ => None,
    }
}

/// How classes are told apart: where all are booleans, however they were sent, by what they stand for.
struct Classes {
    are_booleans: bool,
}

impl Classes {
    fn of(rows: &[Judged]) -> Self {
        let mut values = rows.iter().flat_map(|row| [&row.prediction, &row.label]).filter(|value| !value.is_null());
        Self { are_booleans: values.all(|value| boolean_of(&class_of(value)).is_some()) }
    }

    fn class_of(&self, value: &Value) -> String {
        self.named(class_of(value))
    }

    fn named(&self, class: String) -> String {
        boolean_of(&class).filter(|_| self.are_booleans).map_or(class, str::to_owned)
    }
}

fn classification(settings: &Settings, rows: &[Judged]) -> BTreeMap<&'static str, f64> {
    let mut measures = BTreeMap::new();
    let told = Classes::of(rows);
    let labels: BTreeSet<String> = rows.iter().map(|row| told.class_of(&row.label)).collect();
    let predictions = rows.iter().map(|row| &row.prediction).filter(|prediction| !prediction.is_null());
    let classes: BTreeSet<String> =
        labels.iter().cloned().chain(predictions.map(|prediction| told.class_of(prediction))).collect();
    let usual = || ["1", "true"].into_iter().find(|class| classes.contains(*class)).map(str::to_owned);
    // Where all labels are of the other class, the positive one is the usual one all the same.
    let unseen = || (classes.len() == 1 && classes.contains("0")).then(|| "1".to_owned());
    let guessed = || usual().or_else(unseen).filter(|_| classes.len() <= 2);
    let positive = settings.positive_label.clone().map(|label| told.named(label)).or_else(guessed);
    let pairs: Vec<(String, String)> =
        rows.iter().filter_map(|row| pair(&told, row, positive.as_deref(), &labels)).collect();
    if pairs.is_empty() {
        return measures;
    }
    let right = pairs.iter().filter(|(prediction, label)| prediction == label).count();
    measures.insert("accuracy", right as f64 / pairs.len() as f64);
    // Of two classes the positive one counts, of more all count alike (macro average).
    let of: Vec<&str> = match &positive {
        Some(positive) => vec![positive.as_str()],
        None => classes.iter().map(String::as_str).collect(),
    };
    let each: Vec<[f64; 3]> = of.iter().map(|class| precision_recall_f1(&pairs, class)).collect();
    for (index, name) in ["precision", "recall", "f1"].into_iter().enumerate() {
        let sum: f64 = each.iter().filter_map(|values| values.get(index)).sum();
        measures.insert(name, sum / each.len() as f64);
    }
    if let Some(positive) = positive {
        let scored: Vec<(f64, bool)> =
            rows.iter().filter_map(|row| Some((row.score?, told.class_of(&row.label) == positive))).collect();
        if is_probable(&scored) {
            measures.insert("brier", brier(&scored));
            measures.insert("log_loss", log_loss(&scored));
        }
        measures.extend(auc(scored).map(|value| ("auc", value)));
    }
    measures
}

/// The class that was predicted, of a score by the positive class from a half on, and the one that it was.
fn pair(told: &Classes, row: &Judged, positive: Option<&str>, labels: &BTreeSet<String>) -> Option<(String, String)> {
    let label = told.class_of(&row.label);
    if !row.prediction.is_null() {
        return Some((told.class_of(&row.prediction), label));
    }
    let positive = positive?;
    let negative = || labels.iter().find(|class| *class != positive).cloned().unwrap_or_default();
    let prediction = if row.score? >= 0.5 { positive.to_owned() } else { negative() };
    Some((prediction, label))
}

fn precision_recall_f1(pairs: &[(String, String)], class: &str) -> [f64; 3] {
    let count = |wanted: fn(bool, bool) -> bool| {
        pairs.iter().filter(|(prediction, label)| wanted(prediction == class, label == class)).count() as f64
    };
    let (hit, said, was) = (count(|p, l| p && l), count(|p, _| p), count(|_, l| l));
    let ratio = |a: f64, b: f64| if b == 0.0 { 0.0 } else { a / b };
    [ratio(hit, said), ratio(hit, was), ratio(2.0 * hit, said + was)]
}

/// Whether there are scores, and all can be probabilities.
fn is_probable(scored: &[(f64, bool)]) -> bool {
    !scored.is_empty() && scored.iter().all(|(score, _)| (0.0..=1.0).contains(score))
}

/// The mean square of how far the probability was from what happened (Brier, 1950).
fn brier(scored: &[(f64, bool)]) -> f64 {
    let square = |(score, is_positive): &(f64, bool)| (score - f64::from(u8::from(*is_positive))).powi(2);
    scored.iter().map(square).sum::<f64>() / scored.len() as f64
}

/// The mean negative logarithm of the probability that was given to the class that it was.
fn log_loss(scored: &[(f64, bool)]) -> f64 {
    let loss = |(score, is_positive): &(f64, bool)| {
        let given = if *is_positive { *score } else { 1.0 - score };
        -given.max(f64::EPSILON).ln()
    };
    scored.iter().map(loss).sum::<f64>() / scored.len() as f64
}

/// The chance that a positive row has a higher score than a negative one (Mann-Whitney, equal scores count half).
fn auc(mut scored: Vec<(f64, bool)>) -> Option<f64> {
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = scored.iter().filter(|(_, is_positive)| *is_positive).count() as f64;
    let negatives = scored.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let (mut ranks, mut before) = (0.0, 0.0);
    for equal in scored.chunk_by(|a, b| a.0 == b.0) {
        let rank = before + (equal.len() as f64 + 1.0) / 2.0;
        ranks += rank * equal.iter().filter(|(_, is_positive)| *is_positive).count() as f64;
        before += equal.len() as f64;
    }
    Some((ranks - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

fn regression(rows: &[Judged]) -> BTreeMap<&'static str, f64> {
    let pairs: Vec<(f64, f64)> =
        rows.iter().filter_map(|row| Some((row.prediction.as_f64()?, row.label.as_f64()?))).collect();
    let count = pairs.len() as f64;
    if pairs.is_empty() {
        return BTreeMap::new();
    }
    let absolute: f64 = pairs.iter().map(|(prediction, label)| (prediction - label).abs()).sum();
    let squares: f64 = pairs.iter().map(|(prediction, label)| (prediction - label).powi(2)).sum();
    let mean = pairs.iter().map(|(_, label)| label).sum::<f64>() / count;
    let spread: f64 = pairs.iter().map(|(_, label)| (label - mean).powi(2)).sum();
    let mut measures = BTreeMap::from([("mae", absolute / count), ("rmse", (squares / count).sqrt())]);
    if spread > 0.0 {
        measures.insert("r2", 1.0 - squares / spread);
    }
    measures
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(rows: &[(Value, Option<f64>, Value)]) -> Vec<Judged> {
        rows.iter()
            .map(|(prediction, score, label)| Judged {
                prediction: prediction.clone(),
                score: *score,
                label: label.clone(),
            })
            .collect()
    }

    #[test]
    fn measures_of_two_classes_are_scikit_learns() {
        // Computed with sklearn.metrics of y = [1,0,1,1,0,0], p = [1,0,0,1,1,0], s = [.9,.2,.4,.8,.6,.4].
        let rows = [(1, 0.9, 1), (0, 0.2, 0), (0, 0.4, 1), (1, 0.8, 1), (1, 0.6, 0), (0, 0.4, 0)];
        let rows: Vec<_> = rows.iter().map(|(p, s, y)| (json!(p), Some(*s), json!(y))).collect();
        let found = measure(&Settings::default(), &judged(&rows));
        for (name, expected) in [
            ("accuracy", 4.0 / 6.0),
            ("precision", 2.0 / 3.0),
            ("recall", 2.0 / 3.0),
            ("f1", 2.0 / 3.0),
            ("auc", 7.5 / 9.0),
            ("brier", (0.01 + 0.04 + 0.36 + 0.04 + 0.36 + 0.16) / 6.0),
            ("log_loss", 0.482_509_117_633_424_36),
        ] {
            assert!((found[name] - expected).abs() < 1e-9, "{name}: {} {expected}", found[name]);
        }
    }

    #[test]
    fn booleans_are_the_same_however_they_are_sent() {
        for (yes, no) in [(json!(true), json!(false)), (json!("True"), json!("False")), (json!("1"), json!("0"))] {
            let rows =
                judged(&[(json!(1), Some(0.9), yes.clone()), (json!(0), Some(0.2), no), (json!(0), Some(0.4), yes)]);
            for positive_label in [None, Some("true".to_owned()), Some("1".to_owned())] {
                let found = measure(&Settings { positive_label, ..Settings::default() }, &rows);
                assert_eq!((found["accuracy"], found["recall"], found["auc"]), (2.0 / 3.0, 0.5, 1.0), "{rows:?}");
            }
        }
        // Of texts that are no booleans, none is another.
        let rows = judged(&[(json!("True"), None, json!("true")), (json!("maybe"), None, json!("maybe"))]);
        assert_eq!(measure(&Settings::default(), &rows)["accuracy"], 0.5);
    }

    #[test]
    fn texts_are_averaged_over_classes_and_numbers_are_measured_by_distance() {
        let rows =
            judged(&[(json!("a"), None, json!("a")), (json!("b"), None, json!("c")), (json!("c"), None, json!("c"))]);
        let found = measure(&Settings::default(), &rows);
        assert!((found["f1"] - (1.0 + 0.0 + 2.0 / 3.0) / 3.0).abs() < 1e-12);
        let rows = judged(&[(json!(1.5), None, json!(1.0)), (json!(2.0), None, json!(3.0))]);
        let found = measure(&Settings::default(), &rows);
        assert_eq!((found["mae"], found["rmse"]), (0.75, (1.25_f64 / 2.0).sqrt()));
        assert!(measure(&Settings::default(), &[]).is_empty());
    }
}
