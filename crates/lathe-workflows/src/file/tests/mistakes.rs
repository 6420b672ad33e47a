//! Each mistake has its code and its place.

use super::super::{matches_any, read, read_stored, warnings};
use super::{example, jobs};

/// Code, line and column of each mistake.
fn mistakes(text: &str) -> Vec<(&'static str, usize, usize)> {
    let found = read(text).err().unwrap_or_default();
    found.iter().map(|mistake| (mistake.code, mistake.at.line, mistake.at.column)).collect()
}

/// The message of the one mistake of a job with these lines.
fn message(lines: &str) -> String {
    let found = read(&format!("name: p\njobs:\n{lines}")).err().unwrap_or_default();
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].message.clone()
}

#[test]
fn the_example_of_the_reference_has_no_mistake() {
    let pipeline = read(&example()).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    assert_eq!(pipeline.jobs.len(), 8);
    assert_eq!(pipeline.jobs[1].retry.max, 2);
    assert_eq!(pipeline.jobs[1].timeout.as_secs(), 7200);
    assert_eq!(pipeline.jobs[1].resources.memory_bytes, Some(8 << 30));
    assert_eq!(pipeline.jobs[6].actions.len(), 2);
    assert!(pipeline.triggers.manual);
}

#[test]
fn an_unknown_key_is_refused_where_it_stands() {
    let text = "name: p\njobs:\n  a:\n    run: x\n    need: [b]\n";
    assert_eq!(mistakes(text), [("unknown_key", 5, 5)]);
    let found = read(text).unwrap_err();
    assert_eq!(found[0].message, "job `a` has no key `need`; did you mean `needs`?");
    let shown = found[0].render("lathe.yaml", text);
    assert_eq!(
        shown,
        "lathe.yaml:5:5: error: job `a` has no key `need`; did you mean `needs`? [unknown_key]\n 5 |     need: [b]\n   |     ^^^^\n"
    );
}

#[test]
fn independent_mistakes_are_all_named() {
    let text = "name: P\nnom: x\njobs:\n  a:\n    run: x\n    timeout: soon\n    outputs: { o: ../x }\n  b:\n    cache: maybe\n";
    assert_eq!(
        mistakes(text),
        [
            ("invalid_name", 1, 7),
            ("unknown_key", 2, 1),
            ("invalid_value", 6, 14),
            ("path_escapes", 7, 19),
            ("missing_key", 8, 3),
            ("wrong_type", 9, 12),
        ]
    );
}

#[test]
fn what_may_only_follow_from_a_mistake_is_told_once_that_is_mended() {
    let text = |params: &str, job: &str| {
        format!(
            "name: p\nparams: {{ n: {{ type: {params} }} }}\njobs:\n  {job}: {{ run: x }}\n  b: {{ needs: [a], run: 'x ${{{{ params.n }}}}', if: 3 }}\n"
        )
    };
    let codes = |text: &str| mistakes(text).into_iter().map(|(code, line, _)| (code, line)).collect::<Vec<_>>();
    assert_eq!(codes(&text("strr", "A")), [("invalid_value", 2), ("invalid_name", 4), ("wrong_type", 5)]);
    assert_eq!(codes(&text("str, default: x", "c")), [("unknown_job", 5), ("wrong_type", 5)]);
    assert_eq!(codes("name: P\njobs: { a: { run: \"echo '${{ 1 }}'\" } }\n"), [("invalid_name", 1), ("quoting", 2)]);
}

#[test]
fn messages_speak_as_the_file_does() {
    let found = read("name: p\non: { schedule: { cron: \"99 * * * *\" } }\njobs: { a: { run: x } }\n").unwrap_err();
    assert_eq!(
        found[0].message,
        "`99 * * * *` is no time: number out of bounds; write five fields: minute hour day month weekday"
    );
    let watch = "deploy: { deployment: d, model: \"models:/m@a\", canary: 10% }, watch: { for: 1d, abort_if: [\"error_rate > 1\"] }";
    let said = message(&format!("  a: {{ {watch}, timeout: 90m }}\n"));
    assert_eq!(said, "job `a` watches its canary for 1d and ends at its timeout, after 1h 30m; make `timeout` longer");
}

#[test]
fn mistakes_between_jobs_are_found() {
    let text = "name: p\njobs:\n  a: { needs: [c], run: x }\n  b: { needs: [a], run: x }\n  c: { needs: [b], run: x }\n  d: { needs: [aa], run: x }\n";
    assert_eq!(mistakes(text), [("cycle", 3, 16), ("unknown_job", 6, 16)]);
    let found = read(text).unwrap_err();
    assert_eq!(found[0].message, "the jobs need each other in a cycle: a needs c needs b needs a");
    assert_eq!(found[1].message, "job `d` needs `aa`, which is no job");
    assert_eq!(mistakes("name: p\njobs:\n  a: { needs: [a], run: x }\n"), [("cycle", 3, 16)]);
}

#[test]
fn references_must_have_an_answer() {
    let one = |expression: &str| message(&format!("  a: {{ run: \"x ${{{{ {expression} }}}}\" }}\n"));
    assert_eq!(one("params.x"), "there is no param `x`");
    assert_eq!(one("matrix.x"), "job `a` has no matrix");
    assert_eq!(one("jobs.b.run_id"), "there is no job `b`");
    assert_eq!(one("jobs.a.run_id"), "job `a` may not have ended here; add it to `needs`");
    assert_eq!(one("secrets.X"), "job `a` reads the secret `X` without saying so; add `secrets: [X]` to it");
    assert_eq!(one("trigger.comit"), "a trigger has no `comit`; did you mean `commit`?");
    assert_eq!(one("trigger.commit"), "`trigger.commit` needs `data_commit` in `on`");
    assert_eq!(one("success()"), "success(), failure() and always() have a place in `if` only");
    assert_eq!(one("1 < 'a'"), "`<` cannot compare a number with text");
    assert_eq!(
        one("parms.x"),
        "there is no `parms`; did you mean `params`?; expressions know params, matrix, trigger, jobs and secrets"
    );
    assert_eq!(one("1 +"), "`+` has no place here; write `&&`, `||` or a comparison between values");
    assert_eq!(one("params.x = 1"), "`=` compares nothing; write `==`");
    assert_eq!(one("sweep.x"), "sweeps come later; use `matrix`");
}

#[test]
fn a_secret_that_the_server_would_overwrite_is_refused() {
    let text = |name: &str| format!("name: p\njobs:\n  a: {{ secrets: [{name}], run: x }}\n");
    for name in ["AWS_ACCESS_KEY_ID", "MLFLOW_TRACKING_TOKEN", "LATHE_TOKEN", "IN_DATA", "OUT_MODEL"] {
        let [mistake] = &read(&text(name)).unwrap_err()[..] else { panic!("{name}") };
        assert_eq!((mistake.code, mistake.at.line, mistake.at.column), ("invalid_name", 3, 18));
        assert!(mistake.message.contains(&format!("`lathe secret set MY_{name}`")), "{}", mistake.message);
        // One that was pushed before is not judged again.
        assert!(read_stored(&text(name)).is_ok());
    }
    assert!(read(&text("MY_AWS_ACCESS_KEY_ID")).is_ok());
}

#[test]
fn requirements_that_are_toml_are_refused() {
    let text = |file: &str| format!("name: p\njobs:\n  a: {{ env: {{ venv: {{ requirements: {file} }} }}, run: x }}\n");
    for file in ["pyproject.toml", "sub/pylock.dev.TOML"] {
        assert_eq!(mistakes(&text(file)), [("invalid_value", 3, 37)], "{file}");
        // One that was pushed before is not judged again.
        assert!(read_stored(&text(file)).is_ok());
    }
    assert!(read(&text("requirements.lock")).is_ok());
    assert!(read(&text("toml")).is_ok());
    let of_all =
        "name: p\ndefaults: { env: { venv: { requirements: x.toml } } }\njobs: { a: { run: x }, b: { run: x } }\n";
    assert_eq!(mistakes(of_all), [("invalid_value", 2, 42)], "told once");
}

#[test]
fn a_job_is_read_only_by_what_needs_it() {
    let base = "name: p\njobs:\n  a: { run: x, outputs: { o: out } }\n  b: { needs: [a], run: x }\n";
    let with = |input: &str, needs: &str| {
        mistakes(&format!("{base}  c: {{ needs: [{needs}], run: x, inputs: {{ i: \"${{{{ {input} }}}}\" }} }}\n"))
    };
    assert_eq!(with("jobs.a.outputs.o", "b"), []);
    assert_eq!(
        with("jobs.a.outputs.o", ""),
        [("not_needed", 5, 46)].map(|(code, line, column)| (code, line, column - 1))
    );
    assert_eq!(with("jobs.a.outputs.p", "b")[0].0, "unknown_reference");
    assert_eq!(with("jobs.a.best.run_id", "b")[0].0, "unknown_reference");
    assert_eq!(with("jobs.a.values.v", "b")[0].0, "invalid_value");
    assert_eq!(with("jobs.a.outputs.o == 'y'", "b")[0].0, "invalid_value");
}

#[test]
fn a_matrix_is_read_through_its_best_cell() {
    let base = "name: p\njobs:\n  a: { run: x, matrix: { s: [1, 2] }, best: { value: auc, goal: maximize } }\n";
    let with = |expression: &str| {
        mistakes(&format!(
            "{base}  c: {{ needs: [a], register_model: {{ name: m, from: \"${{{{ {expression} }}}}\" }} }}\n"
        ))
    };
    assert_eq!(with("jobs.a.best.run_id"), []);
    assert_eq!(with("jobs.a.run_id")[0].0, "unknown_reference");
}

#[test]
fn what_can_never_happen_is_a_mistake() {
    let one = |job: &str| mistakes(&format!("name: p\njobs:\n  a: {{ {job} }}\n"))[0].0;
    assert_eq!(
        one("deploy: { deployment: d, promote: true }, watch: { for: 1m, abort_if: [\"error_rate > 1\"] }"),
        "watch_without_canary"
    );
    assert_eq!(one("run: x, approval: {}"), "unsatisfiable");
    assert_eq!(one("run: x, if: \"false\""), "unsatisfiable");
    assert_eq!(one("run: x, if: \"'a'\""), "wrong_type");
    assert_eq!(one("run: x, matrix: { s: [] }"), "unsatisfiable");
    assert_eq!(one("run: x, best: { value: v, goal: maximize }"), "unsatisfiable");
    assert_eq!(one("run: x, sweep: { method: tpe }"), "not_yet");
    assert_eq!(one("approval: { team: risk }"), "not_yet");
    assert_eq!(one("run: x, outputs: { a: out, b: out/ }"), "duplicate");
    assert_eq!(one("run: x, outputs: { a: x, A: y }"), "duplicate");
    assert_eq!(one("run: x, run: y"), "duplicate");
    assert_eq!(one("run: x, inputs: { i: /etc/passwd }"), "invalid_value");
    assert_eq!(one("run: x, inputs: { i: \"data://r@main/../x\" }"), "path_escapes");
    assert_eq!(one("run: x, resources: { memory: 8 }"), "invalid_value");
    assert_eq!(one("run: x, retry: { on: [sometimes] }"), "invalid_value");
    assert_eq!(one("set_alias: { model: m, alias: a }"), "missing_key");
    assert_eq!(one("deploy: { deployment: d, model: churn, canary: 10% }"), "invalid_value");
    assert_eq!(one("deploy: { deployment: d, model: \"models:/m@a\", canary: 0% }"), "invalid_value");
    assert_eq!(one("deploy: { deployment: d, model: \"models:/m@a\", canary: 0.4% }"), "invalid_value");
    assert_eq!(one("deploy: { deployment: d, model: \"models:/m@a\", canary: 99.6% }"), "invalid_value");
    let watch = "deploy: { deployment: d, model: \"models:/m@a\", canary: 10% }, watch: { for: 2h, abort_if: [\"error_rate > 1\"] }";
    assert_eq!(one(&format!("{watch}, timeout: 10m")), "unsatisfiable");
    assert_eq!(one(&format!("{watch}, timeout: 2h")), "unsatisfiable");
    assert!(jobs(&format!("  a: {{ {watch}, timeout: 3h }}\n")).jobs[0].watch.is_some());
}

#[test]
fn an_expression_is_named_where_it_is_wrong() {
    let text = "name: p\njobs:\n  a:\n    run: |\n      echo äö ${{ params.x }}\n      echo \"${{ 1 == }}\"\n";
    assert_eq!(mistakes(text), [("expression", 6, 21)]);
    let text = text.replace("1 ==", "1 == 1");
    assert_eq!(mistakes(&text), [("unknown_reference", 5, 19)]);
    assert_eq!(mistakes("name: p\njobs:\n  a: { run: x, if: params.x }\n"), [("unknown_reference", 3, 20)]);
}

#[test]
fn triggers_and_params_are_checked() {
    let one = |lines: &str| mistakes(&format!("name: p\n{lines}\njobs: {{ a: {{ run: x }} }}\n"));
    assert_eq!(one("on: { schedule: { cron: \"0 25 * * *\" } }"), [("invalid_value", 2, 25)]);
    assert_eq!(one("on: { schedule: { cron: \"0 3 * * 1\", tz: Mars/Base } }"), [("invalid_value", 2, 42)]);
    assert_eq!(one("on: { schedule: { cron: \"0 0 3 * * 1\" } }")[0].0, "invalid_value");
    let commit =
        "on: { data_commit: { repo: rep, branch: main } }\nparams: { n: { type: int }, m: { type: int, default: 1 } }";
    assert_eq!(one(commit), [("missing_key", 3, 11)]);
    assert!(one("on: { manual: {} }\nparams: { n: { type: int } }").is_empty());
    assert_eq!(one("on: { push: {} }"), [("unknown_key", 2, 7)]);
    assert_eq!(one("params: { n: { type: int, default: 5, max: 4 } }"), [("invalid_value", 2, 36)]);
    assert_eq!(one("params: { n: { type: int, min: 5, max: 4 } }"), [("unsatisfiable", 2, 11)]);
    assert_eq!(one("params: { n: { type: strr } }"), [("invalid_value", 2, 22)]);
    assert_eq!(one("params: { n: { type: bool, min: 1 } }"), [("unknown_key", 2, 28)]);
    assert_eq!(one("notify: [{ on: failure, webhook: \"ftp://x\" }]"), [("invalid_value", 2, 34)]);
}

#[test]
fn what_no_trigger_can_mean_is_refused_where_it_stands() {
    let on = |on: &str| format!("name: p\non: {{ {on} }}\njobs: {{ a: {{ run: x }} }}\n");
    let paths = |pattern: &str| mistakes(&on(&format!("data_commit: {{ repo: rep, paths: [\"{pattern}\"] }}")));
    for pattern in ["a/[b", "a{b", "!docs/**", "/train/**", "train/", "train**", "**.csv", "{train/**,test/**}"] {
        assert_eq!(paths(pattern), [("invalid_value", 2, 41)], "{pattern}");
    }
    for pattern in ["train/**", "**/*.csv", "a/**/b", "*", "**", "a?[bc]{d,e}"] {
        assert_eq!(paths(pattern), [], "{pattern}");
    }
    for (name, column) in [
        ("data_commit: { repo: x/y }", 28),
        ("data_commit: { repo: rep, branch: a/b }", 41),
        ("model_alias: { model: \"a:b\", alias: c }", 29),
        ("model_alias: { model: m, alias: latest }", 39),
    ] {
        assert_eq!(mistakes(&on(name)), [("invalid_value", 2, column)], "{name}");
    }
    let found = read(&on("data_commit: { repo: rep, paths: \"!docs/**\" }")).unwrap_err();
    assert!(found[0].message.contains("list what counts"), "{}", found[0].message);
    let found = read(&on("data_commit: { repo: rep, paths: \"{train/**,test/**}\" }")).unwrap_err();
    assert!(found[0].message.contains("beside braces"), "{}", found[0].message);
    // A file of before is read as it is.
    assert!(read_stored(&on("data_commit: { repo: X, paths: [\"!docs/**\", \"a/[b\"] }")).is_ok());
}

#[test]
fn a_star_stays_in_its_folder() {
    let matches = |pattern: &str, path: &str| matches_any(&[pattern.to_owned()], [path].into_iter());
    assert!(matches("train/*", "train/a") && !matches("train/*", "train/a/b") && !matches("*.csv", "train/a.csv"));
    assert!(matches("train/**", "train/a/b") && matches("**/*.csv", "train/a.csv") && matches("**/*.csv", "a.csv"));
    assert!(!matches("a/[b", "a/x") && matches_any(&[], ["x"].into_iter()));
}

#[test]
fn defaults_are_applied_and_a_job_may_differ() {
    let text = "name: p\ndefaults: { timeout: 2h, env: { variables: { A: one, B: two } } }\njobs:\n  a: { run: x }\n  b: { run: x, timeout: 1h, env: { variables: { B: three } } }\n";
    let pipeline = read(text).unwrap();
    assert_eq!(pipeline.jobs[0].timeout.as_secs(), 7200);
    assert_eq!(pipeline.jobs[1].timeout.as_secs(), 3600);
    let variables: Vec<_> =
        pipeline.jobs[1].variables.iter().map(|v| (v.name.as_str(), v.value.as_literal())).collect();
    assert_eq!(variables, [("A", Some("one")), ("B", Some("three"))]);
    assert_eq!(jobs("  a: { run: x }\n").jobs[0].retry.on.len(), 1);
}

#[test]
fn what_does_nothing_yet_is_warned_of() {
    let text = "name: p\njobs:\n  a: { run: x, resources: { gpu: 2 } }\n  b: { run: x, queue: training }\nnotify: [{ on: failure, webhook: \"https://x\" }]\n";
    let found = warnings(&read(text).unwrap());
    let places: Vec<_> = found.iter().map(|one| (one.code, one.at.line)).collect();
    assert_eq!(places, [("not_yet", 3), ("not_yet", 4), ("not_yet", 5)]);
    assert!(found[0].render_warning("lathe.yaml", text).starts_with("lathe.yaml:3:3: warning: job `a` asks for a GPU"));
    assert!(warnings(&jobs("  a: { run: x, queue: default }\n")).is_empty());
}

#[test]
fn a_canary_that_nobody_asks_is_not_judged() {
    let watch = |more: &str| {
        let job = format!(
            "  a: {{ deploy: {{ deployment: d, model: \"models:/m/1\", canary: 10% }}, watch: {{ for: 1m, {more}abort_if: [\"error_rate > 0.1\"] }} }}\n"
        );
        jobs(&job).jobs[0].watch.as_ref().unwrap().min_requests
    };
    assert_eq!([watch(""), watch("min_requests: 0, "), watch("min_requests: 7, ")], [1, 0, 7]);
}

#[test]
fn an_alert_starts_a_pipeline_by_what_its_rule_is_about() {
    let trigger = |fields: &str| {
        let text =
            format!("name: p\non: {{ drift_alert: {{ deployment: d{fields} }} }}\njobs: {{ a: {{ run: x }} }}\n");
        read(&text).map(|pipeline| pipeline.triggers.drift_alerts[0].clone())
    };
    let about = |fields: &str, metric: &str, rule: &str| trigger(fields).unwrap().is_about(Some(metric), Some(rule));
    assert!(about("", "psi", "r") && about("", "prediction_drift_share", "r"));
    assert!(!about("", "quality", "r") && !about("", "p95_latency_ms", "r") && !about("", "rows", "r"));
    assert!(about(", metrics: [quality, rows]", "rows", "r") && !about(", metrics: quality", "psi", "r"));
    assert!(about(", rules: [r]", "rows", "r") && !about(", rules: [r]", "psi", "s"));
    assert!(about(", metrics: psi, rules: r", "psi", "r") && !about(", metrics: psi, rules: r", "rows", "r"));
    // What a server of before recorded says no metric.
    assert!(trigger("").unwrap().is_about(None, Some("r")));
    let refused = trigger(", metrics: [beauty]").unwrap_err();
    assert_eq!((refused.len(), refused[0].code), (1, "invalid_value"));
    assert!(refused[0].message.contains("drift_share"), "{}", refused[0].message);
}
