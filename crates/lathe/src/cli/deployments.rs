//! `lathe deploy …`: which model versions answer under a name.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lathe_core::{Error, Result};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Client;
use super::output::{Cell, Format, Output, Record, Table};

pub const EXAMPLES: &str = "Examples:
  lathe deploy create scorer --model models:/churn@champion   its newest champion answers at /serving/scorer/invocations
  lathe deploy predict scorer --data @rows.json               ask it, with a body of MLflow's scoring protocol
  lathe deploy canary scorer --model models:/churn/8 --weight 10
  lathe deploy promote scorer                                 the canary answers everything
  lathe deploy rollback scorer                                and back
  lathe deploy shadow scorer --end                            the shadow is asked no more
  lathe deploy follow scorer champion                         its newest champion again";

/// Deployments of model versions
#[derive(Debug, Args)]
pub struct DeployArgs {
    #[command(subcommand)]
    command: DeployCommand,
}

#[derive(Debug, Subcommand)]
enum DeployCommand {
    /// Let a model version answer under a name
    Create(CreateArgs),
    /// List the project's deployments
    List,
    /// Show a deployment with its versions and their traffic
    Show(NameArgs),
    /// Try a version on a part of the requests, or change that part
    Canary(CanaryArgs),
    /// Ask a version everything, too, and compare its answers; or end that
    Shadow(ShadowArgs),
    /// Make the canary the primary
    Promote(NameArgs),
    /// End the canary; without one, go back to the version before, and follow no alias any more
    Rollback(NameArgs),
    /// Follow an alias of the primary's model (again)
    Follow(FollowArgs),
    /// Delete a deployment
    Delete(NameArgs),
    /// Ask a deployment
    Predict(PredictArgs),
}

#[derive(Debug, Args)]
struct NameArgs {
    /// The deployment
    #[arg(value_name = "DEPLOYMENT")]
    name: String,
}

#[derive(Debug, Args)]
struct CreateArgs {
    #[command(flatten)]
    name: NameArgs,
    /// models:/MODEL@ALIAS, which is followed, or models:/MODEL/VERSION
    #[arg(long, value_name = "MODEL")]
    model: String,
    /// Worker processes for each version
    #[arg(long, default_value_t = 1, value_name = "N")]
    workers: i64,
}

#[derive(Debug, Args)]
struct CanaryArgs {
    #[command(flatten)]
    name: NameArgs,
    /// models:/MODEL@ALIAS or models:/MODEL/VERSION; without it, the canary's weight changes
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Percent of the requests
    #[arg(long, value_name = "PERCENT")]
    weight: i64,
}

#[derive(Debug, Args)]
struct ShadowArgs {
    #[command(flatten)]
    name: NameArgs,
    /// models:/MODEL@ALIAS or models:/MODEL/VERSION
    #[arg(long, value_name = "MODEL", required_unless_present = "end")]
    model: Option<String>,
    /// End the shadow
    #[arg(long, conflicts_with = "model")]
    end: bool,
}

#[derive(Debug, Args)]
struct FollowArgs {
    #[command(flatten)]
    name: NameArgs,
    /// The alias: what it points at answers, now and whenever it moves
    #[arg(value_name = "ALIAS")]
    alias: String,
}

#[derive(Debug, Args)]
struct PredictArgs {
    #[command(flatten)]
    name: NameArgs,
    /// A body of MLflow's scoring protocol, or @FILE (.json or .csv)
    #[arg(long, value_name = "DATA")]
    data: String,
}

#[derive(Debug, Deserialize)]
struct Deployment {
    name: String,
    state: String,
    workers: i64,
    created_by: String,
    created_at_ms: i64,
    versions: Vec<Version>,
}

#[derive(Debug, Deserialize)]
struct Version {
    model: String,
    version: i64,
    alias: Option<String>,
    role: String,
    weight: i64,
    state: String,
    error: Option<String>,
    statistics: Option<Statistics>,
}

#[derive(Debug, Deserialize)]
struct Statistics {
    total: Traffic,
    compared: i64,
    different: i64,
}

#[derive(Debug, Deserialize)]
struct Traffic {
    requests: i64,
    errors: i64,
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct DeploymentList {
    deployments: Vec<Deployment>,
}

/// Runs `lathe deploy …`.
///
/// # Errors
/// As [`Client::answer`].
pub async fn run(DeployArgs { command }: DeployArgs, client: &Client, output: &Output) -> Result<()> {
    match command {
        DeployCommand::Create(CreateArgs { name, model, workers }) => {
            let body = json!({ "name": name.name, "model": model, "workers": workers });
            let request = client.native(Method::POST, &["deployments"]).json(&body);
            done(client.answer(request).await?, "deploying", client, output)
        }
        DeployCommand::List => list(client, output).await,
        DeployCommand::Show(NameArgs { name }) => show(&name, client, output).await,
        DeployCommand::Canary(CanaryArgs { name, model, weight }) => {
            let path = ["deployments", name.name.as_str(), "canary"];
            let request = match model {
                Some(model) => client.native(Method::POST, &path).json(&json!({ "model": model, "weight": weight })),
                None => client.native(Method::PUT, &path).json(&json!({ "weight": weight })),
            };
            done(client.answer(request).await?, "changed", client, output)
        }
        DeployCommand::Shadow(ShadowArgs { name, model, end: _ }) => {
            let path = ["deployments", name.name.as_str(), "shadow"];
            let request = match model {
                Some(model) => client.native(Method::POST, &path).json(&json!({ "model": model })),
                None => client.native(Method::DELETE, &path),
            };
            done(client.answer(request).await?, "changed", client, output)
        }
        DeployCommand::Promote(NameArgs { name }) => {
            let request = client.native(Method::POST, &["deployments", &name, "promote"]);
            done(client.answer(request).await?, "promoted", client, output)
        }
        DeployCommand::Rollback(NameArgs { name }) => {
            let request = client.native(Method::POST, &["deployments", &name, "rollback"]);
            done(client.answer(request).await?, "rolled back", client, output)
        }
        DeployCommand::Follow(FollowArgs { name, alias }) => {
            let request = client.native(Method::POST, &["deployments", &name.name, "follow"]);
            let deployment = client.answer(request.json(&json!({ "alias": alias }))).await?;
            done(deployment, &format!("{alias} is followed by"), client, output)
        }
        DeployCommand::Delete(NameArgs { name }) => {
            output.confirm(&format!("Delete the deployment {name}? Nothing will answer under its name."))?;
            client.answer::<Value>(client.native(Method::DELETE, &["deployments", &name])).await?;
            output.note(&format!("deleted the deployment {name}"));
            Ok(())
        }
        DeployCommand::Predict(arguments) => predict(arguments, client, output).await,
    }
}

fn done(deployment: Deployment, what: &str, client: &Client, output: &Output) -> Result<()> {
    let deployment = deployment.shared();
    let shares: Vec<String> = deployment.versions.iter().map(share).collect();
    output.note(&format!("{what} {}: {}", deployment.name, shares.join(", ")));
    output.note(&format!("look at it: {}", client.command(&format!("deploy show {}", deployment.name))));
    Ok(())
}

impl Deployment {
    /// The versions with the parts of the requests that they answer: what the canary gets is none of the primary's.
    fn shared(mut self) -> Self {
        let canary = self.versions.iter().find(|version| version.role == "canary").map_or(0, |canary| canary.weight);
        for primary in self.versions.iter_mut().filter(|version| version.role == "primary") {
            primary.weight = 100 - canary;
        }
        self
    }
}

fn share(version: &Version) -> String {
    format!("{}/{} is {} ({}, {} %)", version.model, version.version, version.role, version.state, version.weight)
}

async fn list(client: &Client, output: &Output) -> Result<()> {
    let list: DeploymentList = client.get(&["deployments"]).await?;
    let mut table = Table::new([
        ("name", "NAME"),
        ("state", "STATE"),
        ("versions", "VERSIONS"),
        ("workers", "WORKERS"),
        ("created_by", "CREATED BY"),
        ("created_at_ms", "CREATED"),
    ]);
    for one in list.deployments.into_iter().map(Deployment::shared) {
        table.push(vec![
            Cell::Text(one.name),
            Cell::Text(one.state),
            Cell::Texts(one.versions.iter().map(share).collect()),
            Cell::Integer(one.workers),
            Cell::Text(one.created_by),
            Cell::Time(one.created_at_ms),
        ]);
    }
    output.print_list(&table, "deployments")
}

async fn show(name: &str, client: &Client, output: &Output) -> Result<()> {
    if output.format() == Format::Json {
        return output.print_json(&client.get::<Value>(&["deployments", name]).await?);
    }
    let deployment = client.get::<Deployment>(&["deployments", name]).await?.shared();
    let mut table = Table::new([
        ("model", "MODEL"),
        ("version", "VERSION"),
        ("alias", "FOLLOWS"),
        ("role", "ROLE"),
        ("weight", "PERCENT"),
        ("state", "STATE"),
        ("requests", "REQUESTS"),
        ("errors", "ERRORS"),
        ("p50_ms", "P50 MS"),
        ("p95_ms", "P95 MS"),
        ("compared", "COMPARED"),
        ("different", "DIFFERENT"),
        ("error", "ERROR"),
    ]);
    for version in deployment.versions {
        // Only a shadow's answers are compared with those given.
        let compared = version.statistics.as_ref().filter(|_| version.role == "shadow");
        let [compared, different] = compared
            .map_or([Cell::Missing, Cell::Missing], |one| [Cell::Integer(one.compared), Cell::Integer(one.different)]);
        let traffic = version.statistics.map(|statistics| statistics.total);
        let count = |of: fn(&Traffic) -> i64| traffic.as_ref().map_or(Cell::Missing, |one| Cell::Integer(of(one)));
        let time = |of: fn(&Traffic) -> Option<f64>| traffic.as_ref().and_then(of).map_or(Cell::Missing, Cell::Number);
        table.push(vec![
            Cell::Text(version.model),
            Cell::Integer(version.version),
            Cell::text(version.alias),
            Cell::Text(version.role),
            Cell::Integer(version.weight),
            Cell::Text(version.state),
            count(|one| one.requests),
            count(|one| one.errors),
            time(|one| one.p50_ms),
            time(|one| one.p95_ms),
            compared,
            different,
            Cell::text(version.error),
        ]);
    }
    output.print_record(
        &Record::default()
            .with("name", "name", Cell::Text(deployment.name.clone()))
            .with("state", "state", Cell::Text(deployment.state))
            .with("url", "address", Cell::Text(client.scoring_address(&deployment.name)))
            .with("workers", "workers", Cell::Integer(deployment.workers))
            .with("created_by", "created by", Cell::Text(deployment.created_by))
            .with("created_at_ms", "created", Cell::Time(deployment.created_at_ms))
            .with("versions", "versions", Cell::Rows(table)),
    )
}

async fn predict(PredictArgs { name, data }: PredictArgs, client: &Client, output: &Output) -> Result<()> {
    let (body, is_csv) = match data.strip_prefix('@') {
        Some(file) => {
            let path = PathBuf::from(file);
            let is_csv = path.extension().is_some_and(|ending| ending == "csv");
            let read = tokio::fs::read(&path).await;
            (read.map_err(|error| Error::not_found(format!("{file} cannot be read: {error}")))?, is_csv)
        }
        None => (data.into_bytes(), false),
    };
    let content_type = if is_csv { "text/csv" } else { "application/json" };
    let request = client.scoring(&name.name).header("content-type", content_type).body(body);
    let answer: Value = client.answer(request).await?;
    output.print_json(&answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_primary_answers_what_the_canary_does_not() {
        let version = |role: &str, weight: i64| json!({ "model": "m", "version": 1, "role": role, "weight": weight, "state": "ready" });
        let shares = |versions: Vec<Value>| {
            let deployment = json!({
                "name": "d", "state": "ready", "workers": 1, "created_by": "anna", "created_at_ms": 0, "versions": versions,
            });
            let deployment: Deployment = serde_json::from_value(deployment).unwrap();
            deployment.shared().versions.iter().map(|version| version.weight).collect::<Vec<_>>()
        };
        assert_eq!(shares(vec![version("primary", 100), version("canary", 30), version("shadow", 0)]), [70, 30, 0]);
        assert_eq!(shares(vec![version("primary", 100)]), [100]);
    }
}
