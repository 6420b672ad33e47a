//! How different two distributions are. Pure functions; their tests compare them with SciPy.

use std::f64::consts::PI;

use statrs::function::gamma::checked_gamma_ur;

/// What stands for an empty bin's share in a logarithm, as common implementations of PSI do.
const EMPTY_SHARE: f64 = 1e-4;

fn shares(counts: &[f64]) -> Vec<f64> {
    let total: f64 = counts.iter().sum();
    counts.iter().map(|count| if total > 0.0 { count / total } else { 0.0 }).collect()
}

/// Population stability index of two counts over the same bins: `sum((p - q) ln(p / q))`, 0 for equal ones, without bound.
/// The rule of thumb of Siddiqi, *Credit Risk Scorecards* (2006): below 0.1 stable, from 0.2 (0.25 in some books) shifted.
pub fn psi(reference: &[f64], current: &[f64]) -> f64 {
    let pairs = shares(reference).into_iter().zip(shares(current));
    pairs
        .map(|(p, q)| (p.max(EMPTY_SHARE), q.max(EMPTY_SHARE), p, q))
        .map(|(p_full, q_full, p, q)| if p == q { 0.0 } else { (q_full - p_full) * (q_full / p_full).ln() })
        .sum()
}

/// Jensen-Shannon distance of two counts over the same bins, with natural logarithms: from 0 to `sqrt(ln 2)`, a metric
/// (Endres and Schindelin, 2003).
pub fn jensen_shannon(reference: &[f64], current: &[f64]) -> f64 {
    let (p, q) = (shares(reference), shares(current));
    let half = |a: f64, b: f64| if a > 0.0 { a * (2.0 * a / (a + b)).ln() } else { 0.0 };
    let divergence: f64 = p.iter().zip(&q).map(|(p, q)| (half(*p, *q) + half(*q, *p)) / 2.0).sum();
    divergence.max(0.0).sqrt()
}

/// The largest difference of two empirical distribution functions, of values in order.
pub fn kolmogorov_smirnov(reference: &[f64], current: &[f64]) -> f64 {
    let (mut i, mut j, mut largest) = (0, 0, 0.0_f64);
    while let (Some(a), Some(b)) = (reference.get(i), current.get(j)) {
        let at = a.min(*b);
        i += reference.iter().skip(i).take_while(|value| **value <= at).count();
        j += current.iter().skip(j).take_while(|value| **value <= at).count();
        let difference = i as f64 / reference.len() as f64 - j as f64 / current.len() as f64;
        largest = largest.max(difference.abs());
    }
    largest
}

/// The asymptotic p-value of the two-sample Kolmogorov-Smirnov statistic (Kolmogorov 1933, Smirnov 1948):
/// `2 sum((-1)^(k-1) exp(-2 k^2 x^2))` with `x = statistic * sqrt(n m / (n + m))`.
pub fn kolmogorov_smirnov_p(statistic: f64, reference: u64, current: u64) -> f64 {
    let (n, m) = (reference as f64, current as f64);
    if n == 0.0 || m == 0.0 {
        return 1.0;
    }
    let x = statistic * (n * m / (n + m)).sqrt();
    if x < 0.2 {
        // Less than 1 by 1e-12 at the most.
        return 1.0;
    }
    if x < 1.0 {
        // The same function by Jacobi's transformation, whose series converges where the first one does not.
        let terms = (1..=20).map(|k| (-(f64::from(2 * k - 1) * PI).powi(2) / (8.0 * x * x)).exp());
        let below: f64 = terms.sum::<f64>() * (2.0 * PI).sqrt() / x;
        return (1.0 - below).clamp(0.0, 1.0);
    }
    let terms = (1..=20).map(|k| {
        let sign = if k % 2 == 1 { 1.0 } else { -1.0 };
        sign * (-2.0 * f64::from(k * k) * x * x).exp()
    });
    (2.0 * terms.sum::<f64>()).clamp(0.0, 1.0)
}

/// The first Wasserstein distance (the earth mover's) of two samples, of values in order: the area between their distribution
/// functions, in the values' own unit.
pub fn wasserstein(reference: &[f64], current: &[f64]) -> f64 {
    if reference.is_empty() || current.is_empty() {
        return 0.0;
    }
    let (mut i, mut j, mut area) = (0, 0, 0.0);
    let mut before: Option<f64> = None;
    while i < reference.len() || j < current.len() {
        let at = match (reference.get(i), current.get(j)) {
            (Some(a), Some(b)) => a.min(*b),
            (Some(a), None) => *a,
            (None, Some(b)) => *b,
            (None, None) => break,
        };
        if let Some(before) = before {
            let difference = i as f64 / reference.len() as f64 - j as f64 / current.len() as f64;
            area += difference.abs() * (at - before);
        }
        i += reference.iter().skip(i).take_while(|value| **value <= at).count();
        j += current.iter().skip(j).take_while(|value| **value <= at).count();
        before = Some(at);
    }
    area
}

/// The Wasserstein distance in standard deviations of the reference (of 0.001 at the least).
pub fn normed_wasserstein(reference: &[f64], current: &[f64], reference_std: f64) -> f64 {
    wasserstein(reference, current) / reference_std.max(0.001)
}

/// Pearson's chi-squared test that two counts over the same categories are of one distribution (homogeneity, without Yates'
/// correction): the statistic and its p-value.
pub fn chi_squared(reference: &[f64], current: &[f64]) -> (f64, f64) {
    let (n, m): (f64, f64) = (reference.iter().sum(), current.iter().sum());
    if n <= 0.0 || m <= 0.0 {
        return (0.0, 1.0);
    }
    let (mut statistic, mut categories) = (0.0, 0_u32);
    for (a, b) in reference.iter().zip(current) {
        let both = a + b;
        if both <= 0.0 {
            continue;
        }
        categories += 1;
        for (observed, size) in [(a, n), (b, m)] {
            let expected = both * size / (n + m);
            statistic += (observed - expected).powi(2) / expected;
        }
    }
    if categories < 2 || statistic <= 0.0 {
        return (0.0, 1.0);
    }
    let p = checked_gamma_ur(f64::from(categories - 1) / 2.0, statistic / 2.0).unwrap_or(0.0);
    (statistic, p)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        reference: Vec<f64>,
        current: Vec<f64>,
        reference_counts: Vec<f64>,
        current_counts: Vec<f64>,
        psi: f64,
        jensen_shannon: f64,
        ks: f64,
        ks_p: f64,
        wasserstein: f64,
        chi_squared: f64,
        chi_squared_p: f64,
    }

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() <= 1e-9 * expected.abs().max(1e-3)
    }

    #[test]
    fn the_numbers_are_scipys() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../tests/fixtures/scipy.json")).unwrap();
        assert!(cases.len() >= 8);
        for case in cases {
            let Case { reference, current, reference_counts: p, current_counts: q, .. } = &case;
            assert!(close(psi(p, q), case.psi), "psi {} {}", psi(p, q), case.psi);
            assert!(close(jensen_shannon(p, q), case.jensen_shannon), "js {}", case.jensen_shannon);
            let ks = kolmogorov_smirnov(reference, current);
            assert!(close(ks, case.ks), "ks {ks} {}", case.ks);
            let ks_p = kolmogorov_smirnov_p(ks, reference.len() as u64, current.len() as u64);
            assert!(close(ks_p, case.ks_p), "ks p {ks_p} {}", case.ks_p);
            assert!(close(wasserstein(reference, current), case.wasserstein), "w {}", case.wasserstein);
            let (statistic, chi_p) = chi_squared(p, q);
            assert!(close(statistic, case.chi_squared), "chi2 {statistic} {}", case.chi_squared);
            assert!(close(chi_p, case.chi_squared_p), "chi2 p {chi_p} {}", case.chi_squared_p);
        }
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(-1e6..1e6_f64, 1..60).prop_map(|mut values| {
            values.sort_by(f64::total_cmp);
            values
        })
    }

    fn counts() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
        prop::collection::vec((0..1000_u32, 0..1000_u32), 1..20)
            .prop_map(|pairs| pairs.into_iter().map(|(a, b)| (f64::from(a), f64::from(b))).unzip())
    }

    proptest! {
        #[test]
        fn distances_of_samples_are_symmetric_zero_for_equal_ones_and_bounded(a in values(), b in values()) {
            let ks = kolmogorov_smirnov(&a, &b);
            prop_assert!((0.0..=1.0 + 1e-12).contains(&ks));
            prop_assert!((ks - kolmogorov_smirnov(&b, &a)).abs() < 1e-12);
            prop_assert_eq!(kolmogorov_smirnov(&a, &a), 0.0);
            let far = wasserstein(&a, &b);
            prop_assert!((0.0..=2e6).contains(&far));
            prop_assert!((far - wasserstein(&b, &a)).abs() <= 1e-9 * far.max(1.0));
            prop_assert_eq!(wasserstein(&a, &a), 0.0);
            prop_assert!((0.0..=1.0).contains(&kolmogorov_smirnov_p(ks, a.len() as u64, b.len() as u64)));
        }

        #[test]
        fn a_shifted_sample_is_as_far_as_the_shift(a in values(), shift in -100.0..100.0_f64) {
            let moved: Vec<f64> = a.iter().map(|value| value + shift).collect();
            prop_assert!((wasserstein(&a, &moved) - shift.abs()).abs() < 1e-6);
        }

        #[test]
        fn distances_of_counts_are_symmetric_zero_for_equal_ones_and_bounded((a, b) in counts()) {
            let js = jensen_shannon(&a, &b);
            prop_assert!((0.0..=2_f64.ln().sqrt() + 1e-12).contains(&js));
            prop_assert!((js - jensen_shannon(&b, &a)).abs() < 1e-9);
            prop_assert_eq!(jensen_shannon(&a, &a), 0.0);
            prop_assert!(psi(&a, &b) >= 0.0);
            prop_assert!((psi(&a, &b) - psi(&b, &a)).abs() < 1e-9);
            prop_assert_eq!(psi(&a, &a), 0.0);
            let (statistic, p) = chi_squared(&a, &b);
            prop_assert!(statistic >= 0.0 && (0.0..=1.0).contains(&p));
            prop_assert_eq!(chi_squared(&a, &a).1, 1.0);
        }
    }
}
