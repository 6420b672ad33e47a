//! `lathe lineage why|impact`: the graph around one name, as a tree.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Subcommand};
use lathe_core::{Code, Error, Name, Result};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::client::Client;
use super::names::{self, FoundRun, ModelText};
use super::output::{Cell, Format, Output, Table};
use super::text::clean;

/// Where things come from
#[derive(Debug, Args)]
pub struct LineageArgs {
    #[command(subcommand)]
    command: LineageCommand,
}

const EXAMPLES: &str = "Names:
  digits/3, digits@champion             a model version (also model/digits/3)
  0190a1b2c3d4, run/0190a1b2c3d4        a run, by the beginning or the end of its id
  m-0190a1b2c3d4…, logged-model/m-…     a logged model
  dataset/digits-train@8f3a…            a dataset, by name and digest
  data/flights@0190a1b2c3d4             a commit of a repository (data/flights@main: the branch's newest)
  code/flights@0190a1b2c3d4…            a commit of code
  pipeline/churn                        a pipeline
  pipeline-run/0190a1b2c3d4…            a run of a pipeline; job/0190a1b2c3d4…/train, a job of it
  deployment/scorer                     a deployment
  window/scorer/1795727400000           a window of its traffic, by its start in ms
  prediction/0190a1b2c3d4…              what a deployment answered, by its request id (x-request-id)
  default/model/digits/3                any of them by its whole name

Examples:
  lathe lineage why digits@champion
  lathe lineage impact dataset/digits-train@8f3a -o json";

#[derive(Debug, Subcommand)]
enum LineageCommand {
    /// What it came from: data, code, runs, models, jobs, deployments
    #[command(after_help = EXAMPLES)]
    Why(NameArgs),
    /// What came from it
    #[command(after_help = EXAMPLES)]
    Impact(NameArgs),
}

#[derive(Debug, Args)]
struct NameArgs {
    /// The thing to ask about
    #[arg(value_name = "NAME")]
    name: String,
    /// How many steps to follow
    #[arg(short, long, value_name = "STEPS", default_value_t = 10)]
    depth: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

#[derive(Debug, Deserialize)]
struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    truncated: bool,
}

#[derive(Debug, Deserialize)]
struct Node {
    kind: String,
    label: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Edge {
    from: String,
    to: String,
    kind: String,
}

/// Runs `lathe lineage …`.
///
/// # Errors
/// `NotFound`, and as [`Client::answer`].
pub async fn run(LineageArgs { command }: LineageArgs, client: &Client, output: &Output) -> Result<()> {
    let (arguments, way) = match command {
        LineageCommand::Why(arguments) => (arguments, Way::Up),
        LineageCommand::Impact(arguments) => (arguments, Way::Down),
    };
    let NameArgs { name: text, depth } = arguments;
    let name = names::find_name(client, &text).await?;
    let client = client.in_project(names::project_of(&name)?);
    let direction = if way == Way::Up { "up" } else { "down" };
    let query = [("name", name.as_str()), ("direction", direction), ("depth", &depth.to_string())];
    let answer: Value = client.answer(client.native(Method::GET, &["lineage"]).query(&query)).await?;
    let graph = Graph::deserialize(&answer)
        .map_err(|error| Error::internal("the lineage graph has another form than expected").with_source(error))?;
    if graph.edges.is_empty() {
        match check_exists(&client, &name, way).await {
            Err(error) if error.code() == Code::NotFound && names::is_bare(&text) => {
                return Err(nothing_called(&client, &text));
            }
            checked => checked?,
        }
    }
    match output.format() {
        Format::Json => output.print_json(&answer)?,
        Format::Jsonl | Format::Csv => output.print_table(&edge_table(&graph))?,
        Format::Table => {
            let runs = run_names(&client, &graph).await?;
            output.print(&Tree { graph: &graph, runs, way, output }.draw(&name))?;
        }
    }
    if graph.edges.is_empty() {
        let nothing = if way == Way::Up { "nothing is recorded that it came from" } else { "nothing came from it yet" };
        output.note(nothing);
    }
    if graph.truncated {
        output.note(&format!("there is more: follow further with --depth {}", depth.saturating_mul(2)));
    }
    Ok(())
}

/// What a word without a kind was taken for.
fn nothing_called(client: &Client, text: &str) -> Error {
    Error::not_found(format!(
        "nothing in project {} is called {text:?}: no registered model has that name, no run's id begins so, and no request has that id",
        client.project()
    ))
    .with_hint("a request is named by the x-request-id of its answer, not by the client's own id; see: lathe lineage why --help")
}

/// A thing without neighbours is told from one that was never there.
async fn check_exists(client: &Client, name: &Name, way: Way) -> Result<()> {
    // What has neighbours on the other side is there.
    let other = if way == Way::Up { "down" } else { "up" };
    let query = [("name", name.as_str()), ("direction", other), ("depth", "1")];
    let graph: Graph = client.answer(client.native(Method::GET, &["lineage"]).query(&query)).await?;
    if !graph.edges.is_empty() {
        return Ok(());
    }
    let mut parts = name.as_str().splitn(3, '/').skip(1);
    let (kind, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match (kind, names::parse_model(rest)) {
        ("model", ModelText::Number(model, number)) => names::find_version(client, model, number).await.map(|_| ()),
        ("model", ModelText::Model(model)) => {
            let request = client.mlflow(Method::GET, "registered-models/get").query(&[("name", model)]);
            let answer = client.answer::<Value>(request).await;
            answer.map(|_| ()).map_err(|error| names::missing_model(client, error))
        }
        ("run", _) => {
            let request = client.mlflow(Method::GET, "runs/get").query(&[("run_id", rest)]);
            client.answer::<Value>(request).await.map(|_| ())
        }
        ("data", _) => {
            let (repository, revision) = rest.split_once('@').unwrap_or((rest, ""));
            let path = ["repos", repository, "refs", revision];
            let path = if revision.is_empty() { &path[..2] } else { &path[..] };
            client.get::<Value>(path).await.map(|_| ())
        }
        _ => Err(Error::not_found(format!("nothing is recorded of {name}"))
            .with_hint("names have the form project/kind/id; see: lathe lineage why --help")),
    }
}

fn edge_table(graph: &Graph) -> Table {
    let mut table = Table::new([("from", "FROM"), ("kind", "KIND"), ("to", "TO")]);
    for Edge { from, to, kind } in &graph.edges {
        table.push([from, kind, to].map(|text| Cell::Text(text.clone())).to_vec());
    }
    table
}

/// People know runs by their names.
async fn run_names(client: &Client, graph: &Graph) -> Result<BTreeMap<String, FoundRun>> {
    let ids: Vec<_> =
        graph.nodes.iter().filter(|node| node.kind == "run").map(|node| format!("'{}'", node.label)).collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = names::filter_runs(client, &format!("attributes.run_id IN ({})", ids.join(", ")), ids.len()).await?;
    Ok(found.into_iter().map(|run| (run.run_id.clone(), run)).collect())
}

struct Tree<'a> {
    graph: &'a Graph,
    runs: BTreeMap<String, FoundRun>,
    way: Way,
    output: &'a Output,
}

/// What is still to be drawn of one branch.
struct Branch<'a> {
    node: &'a str,
    relation: &'a str,
    indent: String,
    is_last: bool,
}

impl Tree<'_> {
    fn draw(&self, center: &Name) -> String {
        let mut lines = vec![self.output.bold(&self.label(center.as_str()))];
        let mut drawn = BTreeSet::from([center.as_str()]);
        let mut waiting = self.branches(center.as_str(), "");
        while let Some(Branch { node, relation, indent, is_last }) = waiting.pop() {
            let (corner, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let is_new = drawn.insert(node);
            let further = self.branches(node, &format!("{indent}{below}"));
            // The same thing may be reached in several ways; what is behind it is drawn once.
            let again = if is_new || further.is_empty() { "" } else { " (see above)" };
            let relation = self.output.dim(&clean(relation));
            lines.push(format!("{indent}{corner}{relation} {}{}", self.label(node), self.output.dim(again)));
            if is_new {
                waiting.extend(further);
            }
        }
        lines.join("\n")
    }

    /// The next steps from a node, the last one first: they are taken from the end.
    fn branches(&self, node: &str, indent: &str) -> Vec<Branch<'_>> {
        let mut steps: BTreeSet<(&str, &str)> = BTreeSet::new();
        for Edge { from, to, kind } in &self.graph.edges {
            match self.way {
                Way::Up if to == node => steps.insert((relation(kind, self.way), from)),
                Way::Down if from == node => steps.insert((relation(kind, self.way), to)),
                Way::Up | Way::Down => false,
            };
        }
        let mut branches: Vec<_> = steps
            .into_iter()
            .map(|(relation, node)| Branch { node, relation, indent: indent.to_owned(), is_last: false })
            .collect();
        if let Some(last) = branches.last_mut() {
            last.is_last = true;
        }
        branches.reverse();
        branches
    }

    fn label(&self, name: &str) -> String {
        let mut parts = name.splitn(3, '/').skip(1);
        let (kind, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        match self.runs.get(rest) {
            Some(FoundRun { run_name, status, .. }) if kind == "run" => {
                clean(&format!("run {rest} \"{run_name}\" {status}")).into_owned()
            }
            _ => clean(&format!("{kind} {rest}")).into_owned(),
        }
    }
}

/// An edge in words, seen from the node above it in the tree.
fn relation(kind: &str, way: Way) -> &str {
    match (kind, way) {
        ("read", Way::Up) => "read",
        ("read", Way::Down) => "read by",
        ("logged", Way::Up) => "logged by",
        ("logged", Way::Down) => "logged",
        ("registered", Way::Up) => "registered from",
        ("registered", Way::Down) => "registered as",
        ("reference", Way::Up) => "is compared with",
        ("reference", Way::Down) => "is the reference of",
        ("triggered", Way::Up) => "triggered by",
        (other, _) => other,
    }
}
