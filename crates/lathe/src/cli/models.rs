//! `lathe model …`

use clap::{Args, Subcommand};
use lathe_core::{Error, Result};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Client;
use super::names::{self, ModelText, Pair, Version};
use super::output::{Cell, Output, Record, Table};

/// Registered models
#[derive(Debug, Args)]
pub struct ModelArgs {
    #[command(subcommand)]
    command: ModelCommand,
}

#[derive(Debug, Subcommand)]
enum ModelCommand {
    /// List the project's models
    List,
    /// Show a model with its versions, or one version
    #[command(
        after_help = "Examples:\n  lathe model show digits\n  lathe model show digits/3\n  lathe model show digits@champion"
    )]
    Show(ShowArgs),
    /// Show, set, move or remove an alias
    #[command(after_help = ALIAS_EXAMPLES)]
    Alias(AliasArgs),
}

const ALIAS_EXAMPLES: &str = "Examples:
  lathe model alias digits                       the aliases of a model
  lathe model alias digits champion              the version that an alias points to
  lathe model alias digits champion 3            let it point to version 3, and say what it pointed to
  lathe model alias digits champion --remove";

#[derive(Debug, Args)]
struct ShowArgs {
    /// `digits`, `digits/3` or `digits@champion`
    #[arg(value_name = "MODEL")]
    model: String,
}

#[derive(Debug, Args)]
struct AliasArgs {
    /// The model
    #[arg(value_name = "MODEL")]
    model: String,
    /// The alias
    #[arg(value_name = "ALIAS")]
    alias: Option<String>,
    /// The version it shall point to
    #[arg(value_name = "VERSION", value_parser = clap::value_parser!(u32).range(1..))]
    version: Option<u32>,
    /// Remove the alias; the version stays
    #[arg(long, requires = "alias", conflicts_with = "version")]
    remove: bool,
}

#[derive(Debug, Deserialize)]
struct Model {
    name: String,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    #[serde(default)]
    description: String,
    #[serde(default)]
    latest_versions: Vec<Version>,
    #[serde(default)]
    tags: Vec<Pair>,
    #[serde(default)]
    aliases: Vec<Alias>,
}

#[derive(Debug, Deserialize)]
struct Alias {
    alias: String,
    version: String,
}

#[derive(Debug, Deserialize)]
struct ModelPage {
    #[serde(default)]
    registered_models: Vec<Model>,
    next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ModelAnswer {
    registered_model: Model,
}

#[derive(Debug, Deserialize)]
struct VersionPage {
    #[serde(default)]
    model_versions: Vec<Version>,
    next_page_token: Option<String>,
}

/// Runs `lathe model …`.
///
/// # Errors
/// `NotFound`, and as [`Client::answer`].
pub async fn run(ModelArgs { command }: ModelArgs, client: &Client, output: &Output) -> Result<()> {
    match command {
        ModelCommand::List => list(client, output).await,
        ModelCommand::Show(arguments) => show(arguments, client, output).await,
        ModelCommand::Alias(arguments) => alias(arguments, client, output).await,
    }
}

async fn list(client: &Client, output: &Output) -> Result<()> {
    let mut table = Table::new([
        ("name", "NAME"),
        ("latest_version", "LATEST"),
        ("aliases", "ALIASES"),
        ("created_at_ms", "CREATED"),
        ("updated_at_ms", "UPDATED"),
        ("description", "DESCRIPTION"),
    ]);
    let mut token: Option<String> = None;
    loop {
        let mut request = client.mlflow(Method::GET, "registered-models/search").query(&[("max_results", "1000")]);
        if let Some(token) = &token {
            request = request.query(&[("page_token", token)]);
        }
        let page: ModelPage = client.answer(request).await?;
        for model in page.registered_models {
            let latest = model.latest_versions.iter().filter_map(|version| version.version.parse().ok()).max();
            table.push(vec![
                Cell::Text(model.name),
                latest.map_or(Cell::Missing, Cell::Integer),
                aliases_cell(&model.aliases),
                Cell::Time(model.creation_timestamp),
                Cell::Time(model.last_updated_timestamp),
                Cell::text(model.description),
            ]);
        }
        token = page.next_page_token;
        if token.is_none() {
            break;
        }
    }
    output.print_list(&table, "models")
}

fn aliases_cell(aliases: &[Alias]) -> Cell {
    Cell::Pairs(aliases.iter().map(|alias| (alias.alias.clone(), version_cell(&alias.version))).collect())
}

fn version_cell(version: &str) -> Cell {
    version.parse().map_or_else(|_| Cell::Text(version.to_owned()), Cell::Integer)
}

fn tags_cell(tags: Vec<Pair>) -> Cell {
    Cell::Pairs(tags.into_iter().map(|tag| (tag.key, Cell::Text(tag.value))).collect())
}

async fn fetch(client: &Client, name: &str) -> Result<Model> {
    let request = client.mlflow(Method::GET, "registered-models/get").query(&[("name", name)]);
    let answer = client.answer::<ModelAnswer>(request).await;
    Ok(answer.map_err(|error| names::missing_model(client, error))?.registered_model)
}

async fn show(ShowArgs { model }: ShowArgs, client: &Client, output: &Output) -> Result<()> {
    match names::parse_model(&model) {
        ModelText::Model(name) => {
            let model = fetch(client, name).await?;
            let versions = list_versions(client, name).await?;
            output.print_record(&model_record(model, versions))
        }
        ModelText::Number(name, number) => {
            output.print_record(&version_record(names::find_version(client, name, number).await?))
        }
        ModelText::Alias(name, alias) => {
            output.print_record(&version_record(names::find_alias(client, name, alias).await?))
        }
    }
}

/// All versions, newest first.
async fn list_versions(client: &Client, name: &str) -> Result<Vec<Version>> {
    // The search language knows both quotes and no escape.
    let quote = if name.contains('\'') { '"' } else { '\'' };
    let filter = format!("name = {quote}{name}{quote}");
    let (mut found, mut token) = (Vec::new(), None::<String>);
    loop {
        let mut request = client.mlflow(Method::GET, "model-versions/search");
        request =
            request.query(&[("filter", filter.as_str()), ("max_results", "1000"), ("order_by", "version_number DESC")]);
        if let Some(token) = &token {
            request = request.query(&[("page_token", token)]);
        }
        let page: VersionPage = client.answer(request).await?;
        found.extend(page.model_versions);
        token = page.next_page_token;
        if token.is_none() {
            return Ok(found);
        }
    }
}

fn model_record(model: Model, versions: Vec<Version>) -> Record {
    let mut table = Table::new([
        ("version", "VERSION"),
        ("aliases", "ALIASES"),
        ("stage", "STAGE"),
        ("run_id", "RUN"),
        ("created_at_ms", "CREATED"),
        ("description", "DESCRIPTION"),
    ]);
    for version in versions {
        table.push(vec![
            version_cell(&version.version),
            Cell::Texts(aliases_of(&model.aliases, &version.version)),
            stage_cell(version.current_stage),
            if version.run_id.is_empty() { Cell::Missing } else { Cell::Id(version.run_id) },
            Cell::Time(version.creation_timestamp),
            Cell::text(version.description),
        ]);
    }
    Record::default()
        .with("name", "name", Cell::Text(model.name))
        .with("description", "description", Cell::text(model.description))
        .with("created_at_ms", "created", Cell::Time(model.creation_timestamp))
        .with("updated_at_ms", "updated", Cell::Time(model.last_updated_timestamp))
        .with("aliases", "aliases", aliases_cell(&model.aliases))
        .with("tags", "tags", tags_cell(model.tags))
        .with("versions", "versions", Cell::Rows(table))
}

/// A search for versions does not tell their aliases; the model does.
fn aliases_of(aliases: &[Alias], version: &str) -> Vec<String> {
    aliases.iter().filter(|alias| alias.version == version).map(|alias| alias.alias.clone()).collect()
}

/// MLflow writes the absence of a stage as `None`.
fn stage_cell(stage: String) -> Cell {
    if stage == "None" { Cell::Missing } else { Cell::text(stage) }
}

fn version_record(version: Version) -> Record {
    Record::default()
        .with("name", "model", Cell::Text(version.name))
        .with("version", "version", version_cell(&version.version))
        .with("aliases", "aliases", Cell::Texts(version.aliases))
        .with("stage", "stage", stage_cell(version.current_stage))
        .with("description", "description", Cell::text(version.description))
        .with("created_at_ms", "created", Cell::Time(version.creation_timestamp))
        .with("updated_at_ms", "updated", Cell::Time(version.last_updated_timestamp))
        .with("run_id", "run", Cell::text(version.run_id))
        .with("model_id", "logged model", Cell::text(version.model_id))
        .with("source", "source", Cell::text(version.source))
        .with("tags", "tags", tags_cell(version.tags))
}

async fn alias(arguments: AliasArgs, client: &Client, output: &Output) -> Result<()> {
    let AliasArgs { model, alias, version, remove } = arguments;
    let found = fetch(client, &model).await?;
    let Some(alias) = alias else {
        let mut table = Table::new([("alias", "ALIAS"), ("version", "VERSION")]);
        for Alias { alias, version } in &found.aliases {
            table.push(vec![Cell::Text(alias.clone()), version_cell(version)]);
        }
        return output.print_list(&table, "aliases");
    };
    let before = found.aliases.into_iter().find(|known| known.alias == alias).map(|known| known.version);
    let is_change = version.is_some() || remove;
    let target = json!({ "name": model, "alias": alias });
    let after = match (version, remove, &before) {
        (None, _, None) => {
            return Err(Error::not_found(format!("model {model} has no alias {alias:?}"))
                .with_hint(format!("set it: {}", client.command(&format!("model alias {model} {alias} VERSION")))));
        }
        (None, false, Some(_)) => before.clone(),
        (None, true, Some(_)) => {
            client.answer::<Value>(client.mlflow(Method::DELETE, "registered-models/alias").json(&target)).await?;
            None
        }
        (Some(version), _, _) => {
            let body = json!({ "name": model, "alias": alias, "version": version.to_string() });
            client.answer::<Value>(client.mlflow(Method::POST, "registered-models/alias").json(&body)).await?;
            Some(version.to_string())
        }
    };
    let cell = |version: &Option<String>| version.as_deref().map_or(Cell::Missing, version_cell);
    let record = Record::default()
        .with("model", "model", Cell::Text(model))
        .with("alias", "alias", Cell::Text(alias))
        .with("version", "version", cell(&after))
        .with("previous_version", "before", if is_change { cell(&before) } else { Cell::Missing });
    output.print_record(&record)
}
