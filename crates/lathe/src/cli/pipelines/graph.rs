//! `lathe pipeline graph`: the jobs of a pipeline file and what they need.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use lathe_core::{Error, Result};
use lathe_workflows::file::{self, Graph};
use serde_json::{Value, json};

use super::super::output::Output;
use super::files;

#[derive(Debug, Args)]
pub struct GraphArgs {
    /// The file
    #[arg(value_name = "FILE", default_value = "lathe.yaml")]
    file: PathBuf,
    /// How it is drawn
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = GraphFormat::Text)]
    format: GraphFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum GraphFormat {
    /// A line for each job
    Text,
    /// A Mermaid flowchart
    Mermaid,
    /// A Graphviz graph
    Dot,
    /// Nodes and edges
    Json,
}

pub fn run(GraphArgs { file: path, format }: &GraphArgs, output: &Output) -> Result<ExitCode> {
    let text = files::read(path)?;
    let pipeline = file::read(&text).map_err(|mistakes| {
        let shown = path.display();
        let first = mistakes.first().map(|first| format!(": {}:{} {}", first.at.line, first.at.column, first.message));
        Error::invalid(format!("{shown} is not a valid pipeline file{}", first.unwrap_or_default()))
            .with_hint(format!("lathe pipeline lint {shown}"))
    })?;
    let graph = file::graph(&pipeline);
    // `-o json` asks for what programs read, too.
    let format = if *format == GraphFormat::Text && !output.is_for_people() { GraphFormat::Json } else { *format };
    match format {
        GraphFormat::Text => output.print(graph.to_text().trim_end())?,
        GraphFormat::Mermaid => output.print(graph.to_mermaid().trim_end())?,
        GraphFormat::Dot => output.print(graph.to_dot().trim_end())?,
        GraphFormat::Json => output.print_json(&to_json(&graph))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn to_json(Graph { name, nodes, edges }: &Graph) -> Value {
    let job = |place: &usize| nodes.get(*place).map(|node| node.name.as_str());
    let shown_nodes: Vec<Value> = nodes
        .iter()
        .map(|node| {
            json!({ "job": node.name, "action": node.action, "layer": node.layer, "cells": node.cells, "if": node.condition })
        })
        .collect();
    let shown_edges: Vec<Value> = edges.iter().map(|(from, to)| json!({ "from": job(from), "to": job(to) })).collect();
    json!({ "pipeline": name, "nodes": shown_nodes, "edges": shown_edges })
}
