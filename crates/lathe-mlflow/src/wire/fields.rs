//! The parameters of a request, of its query or of its JSON body, read by name with MLflow's messages.

use lathe_core::{Error, Result};
use serde_json::{Map, Value};

use super::number::{Double, Integer};
use super::python;

/// What MLflow's messages about parameters end with.
const SEE_DOCS: &str = "See the API docs for more information about request parameters.";

/// The parameters of a request, or of an object inside it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    values: Map<String, Value>,
    origin: Origin,
    /// Where the object stands in the request, for messages: `tags[0].`, or nothing.
    place: String,
    problem: Option<Problem>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Origin {
    /// Every value is the list of the texts given for that name.
    Query,
    #[default]
    Body,
}

/// Why a body has no parameters.
#[derive(Debug, Clone)]
pub(crate) enum Problem {
    /// It is no JSON. MLflow takes it for an empty object, and says so where a parameter is required.
    NotJson(String),
    /// It is JSON that cannot be a request.
    NotAnObject(String),
}

impl Problem {
    fn message(&self) -> &str {
        match self {
            Problem::NotJson(message) | Problem::NotAnObject(message) => message,
        }
    }
}

impl Fields {
    /// The parameters of a JSON body.
    pub(crate) fn of_body(values: Map<String, Value>) -> Self {
        Self { values, ..Self::default() }
    }

    /// The parameters of a query.
    pub(crate) fn of_query(pairs: Vec<(String, String)>) -> Self {
        let mut values = Map::new();
        for (name, value) in pairs {
            if let Value::Array(list) = values.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                list.push(Value::String(value));
            }
        }
        Self { values, origin: Origin::Query, ..Self::default() }
    }

    /// A body without parameters. Reading any of them is an error.
    pub(crate) fn of_problem(problem: Problem) -> Self {
        Self { problem: Some(problem), ..Self::default() }
    }

    /// A text; `None` when it is absent or null.
    ///
    /// # Errors
    /// `InvalidArgument` when it is no text, or holds a NUL.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>> {
        self.value(name)?.map(|value| self.as_text(name, value)).transpose()
    }

    /// A text that must be there and not be empty.
    ///
    /// # Errors
    /// As [`Fields::text`], and when it is missing.
    pub(crate) fn required_text(&self, name: &str) -> Result<String> {
        self.as_text(name, self.required(name)?)
    }

    /// The id of a run, under either of its names, as text: other parameters are checked before the run is looked for.
    ///
    /// # Errors
    /// As [`Fields::required_text`].
    pub(crate) fn required_run_id(&self) -> Result<String> {
        match self.required_text("run_id") {
            Err(missing) => match self.text("run_uuid") {
                Ok(Some(run_id)) if !run_id.is_empty() && !self.values.contains_key("run_id") => Ok(run_id),
                _ => Err(missing),
            },
            found => found,
        }
    }

    /// An integer, as a number or as a text.
    ///
    /// # Errors
    /// `InvalidArgument` when it is none of 64 bits.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>> {
        self.value(name)?.map(|value| Integer::of(value).ok_or_else(|| self.invalid(name, value))).transpose()
    }

    /// An integer that must be there.
    ///
    /// # Errors
    /// As [`Fields::integer`], and when it is missing.
    pub(crate) fn required_integer(&self, name: &str) -> Result<i64> {
        let value = self.required(name)?;
        Integer::of(value).ok_or_else(|| self.invalid(name, value))
    }

    /// An integer of at most `limit`.
    ///
    /// # Errors
    /// As [`Fields::integer`], and when it is larger.
    pub(crate) fn integer_at_most(&self, name: &str, limit: i64) -> Result<Option<i64>> {
        match (self.integer(name)?, self.value(name)?) {
            (Some(integer), Some(value)) if integer > limit => Err(self.invalid(name, value)),
            (found, _) => Ok(found),
        }
    }

    /// A number that must be there.
    ///
    /// # Errors
    /// `InvalidArgument` when it is missing or no number.
    pub(crate) fn required_double(&self, name: &str) -> Result<f64> {
        let value = self.required(name)?;
        Double::of(value).ok_or_else(|| self.invalid(name, value))
    }

    /// Whether something is asked for; `None` when it does not say.
    ///
    /// # Errors
    /// `InvalidArgument` when it is neither true nor false.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>> {
        let Some(value) = self.value(name)? else { return Ok(None) };
        match (self.origin, value) {
            (_, Value::Bool(is_true)) => Ok(Some(*is_true)),
            (Origin::Query, Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            (Origin::Query, Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            _ => Err(self.invalid(name, value)),
        }
    }

    /// One of an enum's words, by name or by number. A word that is not known counts as absent.
    ///
    /// # Errors
    /// `InvalidArgument` when it is neither a text nor a number.
    pub(crate) fn word<T: Copy>(&self, name: &str, words: &[(&str, i64, T)]) -> Result<Option<T>> {
        let Some(value) = self.value(name)? else { return Ok(None) };
        if !(value.is_string() || value.is_number()) {
            return Err(self.invalid(name, value));
        }
        let number = Integer::of(value);
        let found = words.iter().find(|(word, code, _)| value.as_str() == Some(word) || number == Some(*code));
        Ok(found.map(|(_, _, meaning)| *meaning))
    }

    /// One of an enum's words, which must be there and be known.
    ///
    /// # Errors
    /// `InvalidArgument` when it is missing or unknown.
    pub(crate) fn required_word<T: Copy>(&self, name: &str, words: &[(&str, i64, T)]) -> Result<T> {
        let value = self.required(name)?;
        self.word(name, words)?.ok_or_else(|| self.invalid(name, value))
    }

    /// A list of texts; empty when it is absent.
    ///
    /// # Errors
    /// `InvalidArgument` when it is no list, or holds something else.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>> {
        let Some(value) = self.whole(name)? else { return Ok(Vec::new()) };
        let list = value.as_array().ok_or_else(|| self.invalid(name, value))?;
        list.iter().enumerate().map(|(index, item)| self.as_text(&format!("{name}[{index}]"), item)).collect()
    }

    /// A list of objects; empty when it is absent.
    ///
    /// # Errors
    /// `InvalidArgument` when it is no list, or holds something else.
    pub(crate) fn objects(&self, name: &str) -> Result<Vec<Fields>> {
        let Some(value) = self.whole(name)? else { return Ok(Vec::new()) };
        let list = value.as_array().ok_or_else(|| self.invalid(name, value))?;
        list.iter().enumerate().map(|(index, item)| self.as_object(&format!("{name}[{index}]"), item)).collect()
    }

    /// An object; an empty one when it is absent.
    ///
    /// # Errors
    /// `InvalidArgument` when it is something else.
    pub(crate) fn object(&self, name: &str) -> Result<Fields> {
        match self.whole(name)? {
            Some(value) => self.as_object(name, value),
            None => Ok(Fields { place: format!("{}{name}.", self.place), ..Fields::default() }),
        }
    }

    /// A list of objects with a key and a value; what is absent is empty.
    ///
    /// # Errors
    /// `InvalidArgument` when it is anything else.
    pub(crate) fn pairs<T>(&self, name: &str, make: impl Fn(String, String) -> T) -> Result<Vec<T>> {
        self.objects(name)?
            .iter()
            .map(|pair| Ok(make(pair.text("key")?.unwrap_or_default(), pair.text("value")?.unwrap_or_default())))
            .collect()
    }

    /// Fails unless a parameter is there, whatever its type.
    ///
    /// # Errors
    /// `InvalidArgument` when it is absent, null or an empty text.
    pub(crate) fn require(&self, name: &str) -> Result<()> {
        self.required(name).map(|_| ())
    }

    /// The error for a value that cannot be.
    pub(crate) fn invalid(&self, name: &str, value: &Value) -> Error {
        Error::invalid(format!(
            "Invalid value {} for parameter '{}{name}' supplied:  Hint: Value was of type '{}'. {SEE_DOCS}",
            python::show(value),
            self.place,
            python::type_name(value)
        ))
    }

    fn missing(&self, name: &str) -> Error {
        Error::invalid(format!("Missing value for required parameter '{}{name}'. {SEE_DOCS}", self.place))
    }

    fn required(&self, name: &str) -> Result<&Value> {
        match (&self.problem, self.whole(name)) {
            (Some(Problem::NotJson(_)), _) => Err(self.missing(name)),
            (_, Err(error)) => Err(error),
            (_, Ok(_)) => {
                self.value(name)?.filter(|value| value.as_str() != Some("")).ok_or_else(|| self.missing(name))
            }
        }
    }

    /// A value; the first one where a query repeats the name.
    fn value(&self, name: &str) -> Result<Option<&Value>> {
        Ok(match (self.origin, self.whole(name)?) {
            (Origin::Query, Some(Value::Array(list))) => list.first(),
            (_, value) => value,
        })
    }

    fn whole(&self, name: &str) -> Result<Option<&Value>> {
        match &self.problem {
            Some(problem) => Err(Error::invalid(problem.message())),
            None => Ok(self.values.get(name).filter(|value| !value.is_null())),
        }
    }

    fn as_text(&self, name: &str, value: &Value) -> Result<String> {
        match value {
            Value::String(text) if !text.contains('\0') => Ok(text.clone()),
            Value::String(_) if python::type_name(value) == "str" => Err(Error::invalid(format!(
                "Invalid value for parameter '{}{name}' supplied: it must not contain a NUL character. {SEE_DOCS}",
                self.place
            ))),
            _ => Err(self.invalid(name, value)),
        }
    }

    fn as_object(&self, name: &str, value: &Value) -> Result<Fields> {
        match value {
            Value::Object(values) => {
                Ok(Fields { values: values.clone(), place: format!("{}{name}.", self.place), ..Fields::default() })
            }
            _ => Err(self.invalid(name, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use lathe_core::Code;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn body(value: Value) -> Fields {
        match value {
            Value::Object(values) => Fields::of_body(values),
            _ => panic!("a test's body is an object"),
        }
    }

    fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
        let error = result.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        error.message().to_owned()
    }

    #[test]
    fn messages_are_those_of_mlflow() {
        assert_eq!(
            message(body(json!({})).required_text("name")),
            "Missing value for required parameter 'name'. See the API docs for more information about request parameters."
        );
        assert_eq!(
            message(body(json!({"name": 12})).required_text("name")),
            "Invalid value 12 for parameter 'name' supplied:  Hint: Value was of type 'int'. See the API docs for more \
             information about request parameters."
        );
        assert!(message(body(json!({"tags": [{"key": 5}]})).pairs("tags", |k, v| (k, v))).contains("'tags[0].key'"));
        assert!(
            message(Fields::of_query(vec![("max".into(), "1001".into())]).integer_at_most("max", 1000))
                .starts_with("Invalid value \"1001\" for parameter 'max' supplied:  Hint: Value was of type 'str'.")
        );
    }

    #[test]
    fn empty_and_null_are_missing_where_a_value_is_required() {
        for value in [json!(null), json!("")] {
            let fields = body(json!({"x": value}));
            assert!(message(fields.required_text("x")).starts_with("Missing"));
            assert!(message(fields.required_double("x")).starts_with("Missing"));
            assert!(message(fields.required_integer("x")).starts_with("Missing"));
        }
        assert_eq!(body(json!({"x": ""})).text("x").unwrap().as_deref(), Some(""));
        assert_eq!(body(json!({"x": null})).text("x").unwrap(), None);
    }

    #[test]
    fn a_run_is_named_by_either_name() {
        assert_eq!(body(json!({"run_id": "a", "run_uuid": "b"})).required_run_id().unwrap(), "a");
        assert_eq!(body(json!({"run_uuid": "b"})).required_run_id().unwrap(), "b");
        assert!(message(body(json!({})).required_run_id()).contains("'run_id'"));
        assert!(body(json!({"run_id": 5, "run_uuid": "b"})).required_run_id().is_err());
    }

    #[test]
    fn queries_repeat_names_for_lists_and_spell_flags() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let fields = Fields::of_query(vec![pair("id", "a"), pair("id", "b"), pair("yes", "TRUE"), pair("n", "5")]);
        assert_eq!(fields.texts("id").unwrap(), ["a", "b"]);
        assert_eq!(fields.text("id").unwrap().as_deref(), Some("a"));
        assert_eq!(fields.flag("yes").unwrap(), Some(true));
        assert_eq!(fields.integer("n").unwrap(), Some(5));
        assert!(fields.flag("n").is_err());
        assert!(body(json!({"yes": "true"})).flag("yes").is_err());
    }

    #[test]
    fn unknown_words_count_as_absent_and_other_types_are_refused() {
        let words = [("ONE", 1, 'a'), ("TWO", 2, 'b')];
        let read = |value: Value| body(json!({"w": value})).word("w", &words);
        assert_eq!(read(json!("TWO")).unwrap(), Some('b'));
        assert_eq!(read(json!(1)).unwrap(), Some('a'));
        assert_eq!(read(json!("2")).unwrap(), Some('b'));
        assert_eq!(read(json!("BOGUS")).unwrap(), None);
        assert!(read(json!(["ONE"])).is_err());
        assert!(body(json!({"w": "BOGUS"})).required_word("w", &words).is_err());
    }

    #[test]
    fn no_text_holds_a_nul_and_no_bare_nan_is_a_text() {
        assert!(message(body(json!({"x": "a\0b"})).text("x")).contains("NUL"));
        assert!(message(body(json!({"x": "\0NaN"})).text("x")).contains("Invalid value NaN"));
        assert!(body(json!({"x": "\0NaN"})).required_double("x").unwrap().is_nan());
    }

    #[test]
    fn a_body_that_is_no_json_is_told_by_the_first_missing_parameter() {
        let fields = Fields::of_problem(Problem::NotJson("the body is no JSON".into()));
        assert!(message(fields.required_text("name")).starts_with("Missing value for required parameter 'name'"));
        assert_eq!(message(fields.text("name")), "the body is no JSON");
        let fields = Fields::of_problem(Problem::NotAnObject("the body is a list".into()));
        assert_eq!(message(fields.required_text("name")), "the body is a list");
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("(key|value|x)", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_a_field_holds_reading_it_is_a_value_or_a_4xx(value in any_value()) {
            let fields = body(json!({"x": value}));
            let ok_or_invalid = |error: Option<Error>| error.is_none_or(|error| error.code() == Code::InvalidArgument);
            prop_assert!(ok_or_invalid(fields.text("x").err()));
            prop_assert!(ok_or_invalid(fields.required_text("x").err()));
            prop_assert!(ok_or_invalid(fields.integer("x").err()));
            prop_assert!(ok_or_invalid(fields.required_double("x").err()));
            prop_assert!(ok_or_invalid(fields.flag("x").err()));
            prop_assert!(ok_or_invalid(fields.texts("x").err()));
            prop_assert!(ok_or_invalid(fields.pairs("x", |k, v| (k, v)).err()));
            prop_assert!(ok_or_invalid(fields.object("x").err()));
            prop_assert!(ok_or_invalid(fields.word("x", &[("A", 1, ())]).err()));
        }
    }
}
