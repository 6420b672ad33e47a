//! The jobs as a graph, and how it is drawn.

use std::fmt::Write as _;

use super::matrix::expand;
use super::order::Order;
use super::types::{Action, DeployStep, Job, Pipeline};

/// The jobs and what they need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// The pipeline's name.
    pub name: String,
    /// The jobs, each behind what it needs; within a layer in the order of the file.
    pub nodes: Vec<GraphNode>,
    /// From a job to one that needs it, as places in `nodes`.
    pub edges: Vec<(usize, usize)>,
}

/// A job of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphNode {
    /// Its name.
    pub name: String,
    /// What it does: `run`, `register_model`, `canary`, …; several joined by ` + `.
    pub action: String,
    /// 0 for a job that needs none, else one more than the highest of those it needs.
    pub layer: usize,
    /// How many cells its matrix has; 1 without one.
    pub cells: usize,
    /// Its condition, as written.
    pub condition: Option<String>,
}

/// The graph of a pipeline.
pub fn graph(pipeline: &Pipeline) -> Graph {
    let order = Order::of(&pipeline.jobs);
    let mut layers = vec![0; pipeline.jobs.len()];
    let mut places = vec![None; pipeline.jobs.len()];
    let mut found = Graph { name: pipeline.name.value.clone(), nodes: Vec::new(), edges: Vec::new() };
    for number in order.sorted {
        let (Some(job), Some(needs)) = (pipeline.jobs.get(number), order.needs.get(number)) else { continue };
        let layer = needs.iter().filter_map(|need| layers.get(*need)).max().map_or(0, |highest: &usize| highest + 1);
        let place = found.nodes.len();
        found
            .edges
            .extend(needs.iter().filter_map(|need| places.get(*need).copied().flatten()).map(|from| (from, place)));
        found.nodes.push(node(job, layer));
        if let (Some(own), Some(slot)) = (layers.get_mut(number), places.get_mut(number)) {
            *own = layer;
            *slot = Some(place);
        }
    }
    found
}

fn node(job: &Job, layer: usize) -> GraphNode {
    let actions: Vec<&str> = job.actions.iter().map(action_name).collect();
    GraphNode {
        name: job.name.value.clone(),
        action: actions.join(" + "),
        layer,
        cells: expand(job).len(),
        condition: job.condition.as_ref().map(|condition| condition.source.clone()),
    }
}

fn action_name(action: &Action) -> &'static str {
    match action {
        Action::Run(_) => "run",
        Action::RegisterModel(_) => "register_model",
        Action::SetAlias(_) => "set_alias",
        Action::Approval(_) => "approval",
        Action::Deploy(deploy) => match deploy.step {
            DeployStep::Replace { .. } => "deploy",
            DeployStep::Canary { .. } => "canary",
            DeployStep::Shadow { .. } => "shadow",
            DeployStep::Promote => "promote",
            DeployStep::Rollback => "rollback",
        },
    }
}

impl Graph {
    /// The names of the jobs that a job needs.
    fn needs(&self, place: usize) -> Vec<&str> {
        let from = |edge: &&(usize, usize)| edge.1 == place;
        self.edges
            .iter()
            .filter(from)
            .filter_map(|edge| self.nodes.get(edge.0))
            .map(|node| node.name.as_str())
            .collect()
    }

    /// For a terminal: one line for each job, layer below layer.
    pub fn to_text(&self) -> String {
        let width = self.nodes.iter().map(|node| node.title().len()).max().unwrap_or_default();
        let actions = self.nodes.iter().map(|node| node.action.len()).max().unwrap_or_default();
        let mut text = format!("{}\n", self.name);
        for (place, node) in self.nodes.iter().enumerate() {
            let name = node.title();
            let needs = self.needs(place);
            let needs = if needs.is_empty() { String::new() } else { format!("<- {}", needs.join(", ")) };
            let condition =
                node.condition.as_ref().map(|condition| format!("  if {}", one_line(condition))).unwrap_or_default();
            let line = format!("{:>3}  {name:<width$}  {:<actions$}  {needs}{condition}", node.layer, node.action);
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    /// For Mermaid.
    pub fn to_mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        for (place, node) in self.nodes.iter().enumerate() {
            // Names such as `end` are words of Mermaid, so jobs have numbers.
            let label = node.label().map(|line| escaped_for_mermaid(&line)).join("<br/>");
            let _ = writeln!(text, "  j{place}[\"{label}\"]");
        }
        for (from, to) in &self.edges {
            let _ = writeln!(text, "  j{from} --> j{to}");
        }
        text
    }

    /// For Graphviz.
    pub fn to_dot(&self) -> String {
        let mut text = format!("digraph \"{}\" {{\n  rankdir=LR;\n  node [shape=box];\n", escaped_for_dot(&self.name));
        for (place, node) in self.nodes.iter().enumerate() {
            let label = node.label().map(|line| escaped_for_dot(&line)).join("\\n");
            let _ = writeln!(text, "  j{place} [label=\"{label}\"];");
        }
        for (from, to) in &self.edges {
            let _ = writeln!(text, "  j{from} -> j{to};");
        }
        text.push_str("}\n");
        text
    }
}

impl GraphNode {
    /// The name, and how many cells there are.
    fn title(&self) -> String {
        if self.cells > 1 { format!("{} x{}", self.name, self.cells) } else { self.name.clone() }
    }

    fn label(&self) -> [String; 2] {
        [self.title(), self.action.clone()]
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn escaped_for_mermaid(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            c if c.is_alphanumeric() || " _-+.".contains(c) => escaped.push(c),
            c => {
                let _ = write!(escaped, "#{};", u32::from(c));
            }
        }
    }
    escaped
}

fn escaped_for_dot(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).fold(String::new(), |mut escaped, c| {
        if matches!(c, '"' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
        escaped
    })
}
