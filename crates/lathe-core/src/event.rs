//! Events of the ledger and edges of the lineage graph.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Name;

/// One change, as a room records it inside the change's own transaction. Who, when and the request come from the `Ctx`.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What happened, `noun.verbed`, for instance `run.created`.
    pub action: &'static str,
    /// The thing it happened to.
    pub subject: Name,
    /// What changed, small and free of secrets.
    pub detail: Value,
    /// Which things came from which.
    pub edges: Vec<Edge>,
}

impl Event {
    /// An event without edges.
    pub fn new(action: &'static str, subject: Name, detail: Value) -> Self {
        Self { action, subject, detail, edges: Vec::new() }
    }

    /// Adds the edge `from -> to`.
    #[must_use]
    pub fn with_edge(mut self, from: Name, to: Name, kind: &'static str) -> Self {
        self.edges.push(Edge { from, to, kind: kind.to_owned() });
        self
    }
}

/// `to` came from `from`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The cause: a dataset, a run.
    pub from: Name,
    /// The result: a run, a model version.
    pub to: Name,
    /// How: `read`, `logged`, `registered`.
    pub kind: String,
}
