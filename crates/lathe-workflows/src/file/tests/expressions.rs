//! Values of expressions.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{Context, Expression, JobFacts, JobStatus, Position, RunFacts, Value, should_run};
use super::jobs;

fn context() -> Context {
    let run = |id: &str| RunFacts {
        run_id: id.to_owned(),
        values: BTreeMap::from([
            ("gain".to_owned(), Value::Float(0.5)),
            ("name".to_owned(), Value::Text("x".to_owned())),
            ("version".to_owned(), Value::Word("1.10".to_owned())),
            ("fold".to_owned(), Value::Word("3".to_owned())),
            ("sha".to_owned(), Value::Word("1234e56".to_owned())),
            ("id".to_owned(), Value::Word("9007199254740993".to_owned())),
            ("first".to_owned(), Value::Word("true".to_owned())),
            ("note".to_owned(), Value::Word(String::new())),
            ("x".to_owned(), Value::Word("null".to_owned())),
        ]),
    };
    let job = |status| JobFacts { status: Some(status), started: true, run: Some(run("r1")), best: Some(run("r2")) };
    Context {
        params: BTreeMap::from([("n".to_owned(), Value::Int(3)), ("s".to_owned(), Value::Text("it's".to_owned()))]),
        jobs: BTreeMap::from([
            ("ok".to_owned(), job(JobStatus::Succeeded)),
            ("bad".to_owned(), job(JobStatus::Failed)),
            ("not".to_owned(), JobFacts { status: Some(JobStatus::Skipped), ..JobFacts::default() }),
        ]),
        needs: vec!["ok".to_owned()],
        trigger: BTreeMap::from([("kind".to_owned(), Value::Text("manual".to_owned()))]),
        ..Context::default()
    }
}

fn value(source: &str) -> Result<Value, String> {
    let expression = Expression::parse(source, Position::default()).map_err(|error| error.message)?;
    expression.evaluate(&context()).map_err(|error| error.message)
}

#[test]
fn expressions_have_the_value_one_expects() {
    for (source, expected) in [
        ("true || false && false", true),
        ("(true || false) && false", false),
        ("!false && !(1 > 2)", true),
        ("params.n == 3.0", true),
        ("params.n >= 3 && params.n < 1e1", true),
        ("params.s == 'it''s'", true),
        ("params.s == \"it's\"", true),
        ("'a' < 'b'", true),
        ("1 == '1'", false),
        ("jobs.ok.values.gain > 0.1", true),
        ("jobs.ok.best.values.gain <= -0.1", false),
        ("jobs.bad.status == 'failed'", true),
        ("jobs.not.started", false),
        ("trigger.commit == null", true),
        ("success()", true),
        ("failure()", true),
        ("always ( )", true),
        ("true || jobs.not.run_id == 'x'", true),
    ] {
        assert_eq!(value(source), Ok(Value::Bool(expected)), "{source}");
    }
    assert_eq!(value("jobs.ok.outputs.o"), Ok(Value::Text("runs:/r1/outputs/o".to_owned())));
    assert_eq!(value("jobs.ok.best.artifacts[\"a/b.txt\"]"), Ok(Value::Text("runs:/r2/a/b.txt".to_owned())));
    assert_eq!(value(" -2.5 "), Ok(Value::Float(-2.5)));
}

#[test]
fn expressions_without_a_value_say_why() {
    for (source, expected) in [
        ("jobs.not.run_id", "job `not` has no run"),
        ("jobs.ok.values.loss", "job `ok` wrote no value `loss` to $LATHE_VALUES"),
        ("jobs.ok.values.name > 1", "`>` compares numbers with numbers and text with text, not text with a number"),
        ("params.n && true", "`&&`, `||` and `!` join true and false, not a number"),
        ("'open", "the quote of a text is not closed"),
        ("(true", "a `)` is missing here"),
        ("always(1)", "functions take nothing; write `()`"),
        ("params.", "a name must follow the dot"),
        ("1 <", "the expression ends too early; a value is missing"),
        ("", "the expression is empty"),
        ("jobs.ok", "`jobs.ok` is no value; add one of status, started, run_id, values, outputs, artifacts, best"),
        ("jobs.ok.vals.x", "`jobs.ok` has no `vals`; did you mean `values`?"),
    ] {
        assert_eq!(value(source), Err(expected.to_owned()), "{source}");
    }
    assert!(value(&"(".repeat(100_000)).is_err());
    assert!(value(&"!".repeat(90)).is_err());
}

#[test]
fn a_value_of_a_job_is_what_it_is_compared_with() {
    for (source, expected) in [
        ("jobs.ok.values.fold != \"3\"", false),
        ("jobs.ok.values.fold == 3 && jobs.ok.values.fold >= 3.0", true),
        ("jobs.ok.values.version == '1.10'", true),
        ("jobs.ok.values.version == '1.1'", false),
        ("jobs.ok.values.version == 1.1 && 1.1 == jobs.ok.values.version", true),
        ("jobs.ok.values.sha == '1234e56' && jobs.ok.values.sha > 1", true),
        ("jobs.ok.values.id == 9007199254740992", false),
        ("jobs.ok.values.fold < jobs.ok.values.version", false),
        ("jobs.ok.values.fold == jobs.ok.best.values.fold", true),
        ("jobs.ok.values.first && jobs.ok.values.first == true && jobs.ok.values.first == 'true'", true),
        ("jobs.ok.values.note == '' && jobs.ok.values.note == null && jobs.ok.values.x == 'null'", true),
        ("jobs.ok.values.note == jobs.ok.values.fold", false),
    ] {
        assert_eq!(value(source), Ok(Value::Bool(expected)), "{source}");
    }
    let not_both = "`<` compares numbers with numbers and text with text, not nothing with a number";
    assert_eq!(value("jobs.ok.values.note < 1"), Err(not_both.to_owned()));
}

#[test]
fn a_value_of_a_job_is_text_as_it_is_written() {
    let text = |name: &str| {
        let expression = Expression::parse(&format!("jobs.ok.values.{name}"), Position::default()).unwrap();
        expression.evaluate_text(&context()).unwrap()
    };
    for (name, expected) in
        [("version", "1.10"), ("sha", "1234e56"), ("id", "9007199254740993"), ("note", ""), ("x", "null")]
    {
        assert_eq!(text(name), expected);
    }
    let json = |word: &str| Value::Word(word.to_owned()).to_json().to_string();
    for (word, expected) in [
        ("3", "3"),
        ("0.5", "0.5"),
        ("true", "true"),
        ("1.10", "\"1.10\""),
        ("007", "\"007\""),
        ("1e-4", "\"1e-4\""),
        ("", "\"\""),
        ("null", "\"null\""),
        ("18446744073709551617", "\"18446744073709551617\""),
    ] {
        assert_eq!(json(word), expected);
    }
}

#[test]
fn a_job_without_status_functions_runs_after_success_only() {
    let pipeline = jobs(
        "  ok: { run: x }\n  a: { needs: [ok], run: x }\n  b: { needs: [ok], run: x, if: \"1 == 1\" }\n  c: { needs: [ok], run: x, if: failure() }\n",
    );
    let runs = |job: &str, status| {
        let mut context = context();
        context.jobs.retain(|name, _| name == "ok");
        context.jobs.entry("ok".to_owned()).and_modify(|facts| facts.status = Some(status));
        should_run(pipeline.job(job).unwrap(), &context).unwrap()
    };
    let all = |status| ["a", "b", "c"].map(|job| runs(job, status));
    assert_eq!(all(JobStatus::Succeeded), [true, true, false]);
    assert_eq!(all(JobStatus::Failed), [false, false, true]);
    assert_eq!(all(JobStatus::Skipped), [false, false, false]);
}

proptest! {
    #[test]
    fn no_expression_panics(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "params.n", "jobs.ok.values.gain", "jobs.not.best.run_id", "(", ")", "!", "&&", "||", "==", "<", " ", "'", "\"", "1",
            "-", ".", "e", "success()", "null", "true", "ä", "[", "]", "matrix.x", "secrets.X", "99999999999999999999",
        ]), 0..30)
    ) {
        let source = pieces.concat();
        match Expression::parse(&source, Position::default()) {
            Ok(expression) => drop(expression.evaluate(&context())),
            Err(error) => prop_assert!(error.offset <= source.len()),
        }
    }
}
