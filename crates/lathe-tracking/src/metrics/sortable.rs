//! Metric values as integers of the same order.
//!
//! What searches compare and sort by is stored as an integer: it is exact on its way through text, needs no care for
//! infinities, and both databases treat it alike. NaN has no place in the order and is stored as NULL.

/// The integer of a value; `None` for NaN. Both zeros are one.
pub(crate) fn from_f64(value: f64) -> Option<i64> {
    if value.is_nan() {
        return None;
    }
    // Adding zero makes -0.0 the other zero.
    let bits = (value + 0.0).to_bits().cast_signed();
    Some(flip(bits))
}

/// The value of an integer.
pub(crate) fn to_f64(sortable: i64) -> f64 {
    f64::from_bits(flip(sortable).cast_unsigned())
}

/// Negative numbers grow with their bits away from zero: all bits but the sign are turned around.
fn flip(bits: i64) -> i64 {
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn integers_are_in_the_order_of_their_values(a in any::<f64>(), b in any::<f64>()) {
            prop_assert_eq!(from_f64(a).unwrap().cmp(&from_f64(b).unwrap()), a.partial_cmp(&b).unwrap());
            prop_assert_eq!(to_f64(from_f64(a).unwrap()), a);
        }
    }

    #[test]
    fn the_ends_and_the_middle_are_in_order() {
        let values = [f64::NEG_INFINITY, f64::MIN, -1.0, -0.0, 1e-300, 1.0, f64::MAX, f64::INFINITY];
        let sortable: Vec<i64> = values.iter().filter_map(|value| from_f64(*value)).collect();
        assert!(sortable.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(from_f64(-0.0), from_f64(0.0));
        assert_eq!(from_f64(f64::NAN), None);
    }
}
