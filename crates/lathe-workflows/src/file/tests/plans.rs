//! Matrices, graphs, parameters and cache keys.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::{CacheParts, Graph, GraphNode, Value, cache_key, expand, explain, graph, read, resolve_params};
use super::{example, jobs};

#[test]
fn a_matrix_has_a_cell_for_each_combination() {
    let pipeline = jobs(
        "  a:\n    run: x\n    matrix:\n      m: [a, b]\n      s: [1, 2]\n      exclude: [{ m: b, s: 2 }]\n      include: [{ s: 9, m: c }]\n  b: { run: x }\n",
    );
    let cells = expand(&pipeline.jobs[0]);
    let shown: Vec<String> =
        cells.iter().map(|cell| cell.values.iter().map(|(name, value)| format!("{name}={value} ")).collect()).collect();
    assert_eq!(shown, ["m=a s=1 ", "m=a s=2 ", "m=b s=1 ", "s=9 m=c "]);
    assert_eq!(cells.iter().map(|cell| cell.index).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(expand(&pipeline.jobs[1]).len(), 1);
}

#[test]
fn values_of_a_matrix_are_written_as_in_the_file() {
    let pipeline = jobs(
        "  a:\n    run: x\n    matrix:\n      n: [01, 02, 3]\n      rate: [1e-4, 0.10]\n      exclude: [{ n: 2 }, { rate: 0.1 }]\n",
    );
    let cells = expand(&pipeline.jobs[0]);
    let shown: Vec<Vec<String>> =
        cells.iter().map(|cell| cell.values.iter().map(|(_, value)| value.to_string()).collect()).collect();
    assert_eq!(shown, [["01", "1e-4"], ["3", "1e-4"]]);
    let stored: Vec<_> = cells.iter().map(|cell| cell.values[0].1.to_json()).collect();
    assert_eq!(stored, [json!("01"), json!(3)]);
}

#[test]
fn what_moves_an_alias_or_deploys_takes_a_maintainer() {
    let managing = |last: &str| {
        let pipeline = jobs(&format!("  a: {{ run: x }}\n  b: {{ needs: [a], {last} }}\n"));
        pipeline.managing_job().map(|job| job.name.value.clone())
    };
    for last in ["run: x", "approval: { timeout: 1h }", "register_model: { name: m, from: \"${{ jobs.a.run_id }}\" }"] {
        assert_eq!(managing(last), None, "{last}");
    }
    for last in [
        "register_model: { name: m, from: \"${{ jobs.a.run_id }}\", alias: champion }",
        "set_alias: { model: m, alias: champion, version: \"1\" }",
        "deploy: { deployment: d, rollback: true }",
    ] {
        assert_eq!(managing(last).as_deref(), Some("b"), "{last}");
    }
}

#[test]
fn the_graph_is_drawn() {
    let graph = graph(&read(&example()).unwrap());
    assert_eq!(
        graph.to_text(),
        "\
churn-training
  0  validate  run
  1  train x6  run                  <- validate
  2  evaluate  run                  <- train
  3  register  register_model       <- evaluate  if jobs.evaluate.values.gain >= params.min_gain
  4  approve   approval             <- register
  5  canary    canary               <- approve
  6  promote   promote + set_alias  <- canary
  6  rollback  rollback             <- canary  if failure() && jobs.canary.started
"
    );
    assert!(graph.to_mermaid().starts_with("flowchart LR\n  j0[\"validate<br/>run\"]\n  j1[\"train x6<br/>run\"]\n"));
    assert!(graph.to_mermaid().ends_with("  j5 --> j6\n  j5 --> j7\n"));
    assert!(graph.to_dot().contains("  j0 [label=\"validate\\nrun\"];\n"));
}

#[test]
fn what_is_drawn_is_escaped() {
    let node =
        GraphNode { name: "a\"]; b\\<x>".to_owned(), action: "run\n".to_owned(), layer: 0, cells: 1, condition: None };
    let graph = Graph { name: "\"}".to_owned(), nodes: vec![node], edges: Vec::new() };
    assert_eq!(graph.to_mermaid(), "flowchart LR\n  j0[\"a#34;#93;#59; b#92;#60;x#62;<br/>run#10;\"]\n");
    assert!(graph.to_dot().contains("digraph \"\\\"}\" {"));
    assert!(graph.to_dot().contains("[label=\"a\\\"]; b\\\\<x>\\nrun\"]"));
}

#[test]
fn parameters_are_resolved() {
    let pipeline = read(&example()).unwrap();
    let resolve = |given: serde_json::Value| {
        let given: BTreeMap<String, serde_json::Value> = serde_json::from_value(given).unwrap();
        resolve_params(&pipeline, &given)
    };
    let values = resolve(json!({ "min_gain": 1, "depth": "12" })).unwrap();
    assert_eq!(values["min_gain"], Value::Float(1.0));
    assert_eq!(values["depth"], Value::Int(12));
    assert_eq!(resolve(json!({})).unwrap()["depth"], Value::Int(8));
    assert_eq!(
        resolve(json!({ "dept": 1, "depth": 65, "min_gain": "x" })).unwrap_err(),
        [
            "pipeline `churn-training` has no param `dept`; did you mean `depth`?",
            "param `min_gain`: \"x\" is not a number",
            "param `depth`: 65 is not from 1 to 64",
        ]
    );
}

fn parts() -> CacheParts {
    CacheParts {
        command: "python train.py".to_owned(),
        environment: Some("e1".to_owned()),
        inputs: BTreeMap::from([("data".to_owned(), "d1".to_owned())]),
        params: BTreeMap::from([("lr".to_owned(), json!(0.1))]),
        code_tree: Some("t1".to_owned()),
        code_commit: Some("c1".to_owned()),
        outputs: BTreeMap::from([("model".to_owned(), "out/model".to_owned())]),
    }
}

type Change = fn(&mut CacheParts);

#[test]
fn a_cache_key_changes_with_each_part_and_says_which() {
    let old = parts();
    assert_eq!(cache_key(&old), "60e2901cb462e08d04049496aea876da83322fd6be416353453630ef8a5ea365");
    let changes: [(Change, &str); 7] = [
        (|parts| parts.command.push(' '), "command changed from python train.py to python train.py "),
        (|parts| parts.environment = None, "environment is gone: it was e1"),
        (|parts| drop(parts.inputs.insert("data".to_owned(), "d2".to_owned())), "input `data` changed from d1 to d2"),
        (|parts| drop(parts.inputs.insert("more".to_owned(), "m".to_owned())), "input `more` is new: m"),
        (|parts| drop(parts.params.insert("lr".to_owned(), json!("0.1"))), "param `lr` changed from 0.1 to \"0.1\""),
        (|parts| parts.code_tree = Some("t2".to_owned()), "code changed from t1 to t2"),
        (|parts| parts.outputs.clear(), "output `model` is gone: it was out/model"),
    ];
    for (change, expected) in changes {
        let mut new = parts();
        change(&mut new);
        assert_ne!(cache_key(&new), cache_key(&old), "{expected}");
        assert_eq!(explain(&old, &new).iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    }
    let (tree, diff) = ("5fa1".repeat(10), "af13".repeat(16));
    let code = |tree: &str| CacheParts { code_tree: Some(format!("{tree} {diff} ")), ..parts() };
    assert_eq!(
        explain(&code(&tree), &code(&"b7d9".repeat(10)))[0].to_string(),
        "code changed from 5fa15fa15fa1 af13af13af13 to b7d9b7d9b7d9 af13af13af13"
    );
    let mut same = parts();
    same.code_commit = Some("c2".to_owned());
    assert_eq!(cache_key(&same), cache_key(&old));
    assert_eq!(explain(&old, &same), []);
}
