//! How MLflow's messages show a value: as Python's `json.dumps` writes it, with the name of its Python type.

use std::fmt::Write as _;

use serde_json::Value;

use lathe_http::scan::SPECIAL_PREFIX;

/// How much of a value a message repeats.
const MAX_SHOWN_CHARACTERS: usize = 300;

/// The value in one line of ASCII, cut when it is long.
pub(crate) fn show(value: &Value) -> String {
    if let Some(word) = special_word(value) {
        return word.to_owned();
    }
    let text = value.to_string();
    let mut shown = String::new();
    for character in text.chars().take(MAX_SHOWN_CHARACTERS) {
        if character.is_ascii() {
            shown.push(character);
            continue;
        }
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units) {
            // Writing to a text cannot fail.
            let _ = write!(shown, "\\u{unit:04x}");
        }
    }
    if text.chars().nth(MAX_SHOWN_CHARACTERS).is_some() {
        shown.push_str("...");
    }
    shown
}

/// What Python calls the value's type.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) if special_word(value).is_some() => "float",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

fn special_word(value: &Value) -> Option<&str> {
    value.as_str().and_then(|text| text.strip_prefix(SPECIAL_PREFIX))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_look_as_python_prints_them() {
        for (value, shown, name) in [
            (json!(12), "12", "int"),
            (json!(1.0), "1.0", "float"),
            (json!("abc"), "\"abc\"", "str"),
            (json!(["x"]), "[\"x\"]", "list"),
            (json!({"a": "b"}), "{\"a\":\"b\"}", "dict"),
            (json!("é🚀"), "\"\\u00e9\\ud83d\\ude80\"", "str"),
            (json!("\0NaN"), "NaN", "float"),
        ] {
            assert_eq!((show(&value).as_str(), type_name(&value)), (shown, name));
        }
    }

    #[test]
    fn long_values_are_cut() {
        assert_eq!(show(&json!("x".repeat(10_000))).len(), MAX_SHOWN_CHARACTERS + 3);
    }
}
