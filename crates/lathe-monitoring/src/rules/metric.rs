//! What rules look at: each metric with what it can be, and on which side of the threshold an alert is raised.

use serde::{Deserialize, Serialize};

use crate::drift::Test;

/// The measures of quality.
pub(super) const MEASURES: [&str; 10] =
    ["accuracy", "precision", "recall", "f1", "brier", "log_loss", "auc", "mae", "rmse", "r2"];

macro_rules! metrics {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal, $about:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name { $(#[doc = $about] #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: [$name; [$($word),*].len()] = [$($name::$variant),*];

            /// As it stands in JSON.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// Reads what [`Self::as_str`] writes; `None` for any other word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.as_str() == word)
            }

            /// What it is, for people.
            pub fn about(self) -> &'static str {
                match self { $($name::$variant => $about,)* }
            }
        }
    };
}

metrics! {
    /// What is looked at.
    Metric {
        DriftShare = "drift_share", "The share of the input columns that have drifted; raised from the threshold on.";
        PredictionDriftShare = "prediction_drift_share", "The share of the output columns that have drifted, where the reference has outputs; raised from the threshold on.";
        Psi = "psi", "The population stability index of `column`; raised from the threshold on.";
        KsPValue = "ks_p_value", "The p-value of the Kolmogorov-Smirnov test of `column`, of numbers; raised below the threshold.";
        ChiSquaredPValue = "chi_squared_p_value", "The p-value of the chi-squared test of `column`, of categories; raised below the threshold.";
        JensenShannon = "jensen_shannon", "The Jensen-Shannon distance of `column`, from 0 to 0.8325; raised from the threshold on.";
        NormedWasserstein = "normed_wasserstein", "The Wasserstein distance of `column`, of numbers, in standard deviations of the reference; raised from the threshold on.";
        NewCategoryShare = "new_category_share", "The share of the values of `column`, of categories, that the reference does not have; raised above the threshold.";
        MissingShare = "missing_share", "The share of rows without a value of `column`; raised above the threshold.";
        SchemaChanges = "schema_changes", "How many input columns are missing, new or of another kind than in the reference; raised above the threshold.";
        ErrorRate = "error_rate", "The share of failed requests; raised above the threshold.";
        P95LatencyMs = "p95_latency_ms", "The 95 % latency in milliseconds; raised above the threshold.";
        Quality = "quality", "The measure of quality named by `measure`; raised below the threshold, errors (`mae`, `rmse`, `brier`, `log_loss`) above it.";
        Rows = "rows", "Rows in the window; raised below the threshold.";
    }
}

/// On which side of its threshold a rule raises an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Raised {
    From,
    Above,
    Below,
}

impl Raised {
    /// The side in words.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Raised::From => "from it on",
            Raised::Above => "above it",
            Raised::Below => "below it",
        }
    }
}

impl Metric {
    /// The test of drift whose value it is.
    pub(crate) fn test(self) -> Option<Test> {
        match self {
            Metric::Psi => Some(Test::Psi),
            Metric::KsPValue => Some(Test::KolmogorovSmirnov),
            Metric::ChiSquaredPValue => Some(Test::ChiSquared),
            Metric::JensenShannon => Some(Test::JensenShannon),
            Metric::NormedWasserstein => Some(Test::NormedWasserstein),
            _ => None,
        }
    }

    /// Whether it is of one column, which a rule must name.
    pub fn is_of_column(self) -> bool {
        self.test().is_some() || matches!(self, Metric::NewCategoryShare | Metric::MissingShare)
    }

    /// Whether it is seen in a window's report of drift.
    pub(crate) fn is_of_report(self) -> bool {
        self.is_of_column() || matches!(self, Metric::DriftShare | Metric::PredictionDriftShare | Metric::SchemaChanges)
    }

    /// The least and the most that it can be.
    pub(super) fn bounds(self, measure: Option<&str>) -> (f64, f64) {
        match self {
            Metric::DriftShare
            | Metric::PredictionDriftShare
            | Metric::KsPValue
            | Metric::ChiSquaredPValue
            | Metric::NewCategoryShare
            | Metric::MissingShare
            | Metric::ErrorRate => (0.0, 1.0),
            // With natural logarithms.
            Metric::JensenShannon => (0.0, std::f64::consts::LN_2.sqrt()),
            Metric::Psi | Metric::NormedWasserstein | Metric::SchemaChanges | Metric::P95LatencyMs | Metric::Rows => {
                (0.0, f64::INFINITY)
            }
            Metric::Quality => match measure {
                Some("mae" | "rmse" | "log_loss") => (0.0, f64::INFINITY),
                Some("r2") => (f64::NEG_INFINITY, 1.0),
                _ => (0.0, 1.0),
            },
        }
    }

    /// On which side of the threshold an alert is raised.
    pub(super) fn raised(self, measure: Option<&str>) -> Raised {
        match self {
            Metric::DriftShare
            | Metric::PredictionDriftShare
            | Metric::Psi
            | Metric::JensenShannon
            | Metric::NormedWasserstein => Raised::From,
            Metric::NewCategoryShare
            | Metric::MissingShare
            | Metric::SchemaChanges
            | Metric::ErrorRate
            | Metric::P95LatencyMs => Raised::Above,
            Metric::KsPValue | Metric::ChiSquaredPValue | Metric::Rows => Raised::Below,
            Metric::Quality => match measure {
                Some("mae" | "rmse" | "brier" | "log_loss") => Raised::Above,
                _ => Raised::Below,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_called_the_same_everywhere() {
        for metric in Metric::ALL {
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.as_str());
            assert!(metric.test().is_none_or(|test| test.as_str() == metric.as_str()));
        }
    }
}
