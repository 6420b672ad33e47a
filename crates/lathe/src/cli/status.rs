//! `lathe status`, `lathe whoami`, `lathe env` and `lathe open`: about the server, and how to use it.

use std::process::Stdio;

use clap::Args;
use lathe_core::{Code, Error, Name, Project, Result};
use serde::Deserialize;

use super::client::Client;
use super::names;
use super::others::{OF_AWS, OF_MLFLOW};
use super::output::{Cell, Format, Output, Record, Table};
use super::text::shell_word;

/// `GET /api/v1/server`.
#[derive(Debug, Clone, Deserialize)]
pub struct ServerInfo {
    /// Lathe's version.
    pub version: String,
    /// `local` or `login`.
    pub mode: String,
    /// The MLflow version it speaks.
    pub mlflow_version: String,
    /// `sqlite` or `postgres`.
    pub database: String,
    /// When it started.
    pub started_at_ms: i64,
}

impl ServerInfo {
    /// Whether people sign in.
    pub fn has_login(&self) -> bool {
        self.mode == "login"
    }
}

/// `GET /api/v1/whoami`.
#[derive(Debug, Clone, Deserialize)]
pub struct WhoAmI {
    /// Who.
    pub actor: Actor,
    /// Whether they administer the server.
    pub is_admin: bool,
    /// Their role in the project.
    pub role: Option<String>,
    /// The projects they may see.
    pub projects: Vec<ProjectEntry>,
}

/// Who acts.
#[derive(Debug, Clone, Deserialize)]
pub struct Actor {
    /// `user`, `service` or `system`.
    pub kind: String,
    /// By which name.
    pub name: String,
}

/// A project as the caller sees it.
#[derive(Debug, Clone, Deserialize)]
pub struct ProjectEntry {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// When it was made.
    pub created_at_ms: i64,
    /// The caller's role.
    pub role: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Home {
    counts: Counts,
}

#[derive(Debug, Deserialize)]
struct Counts {
    experiments: i64,
    runs: i64,
    models: i64,
    versions: i64,
}

#[derive(Debug, Deserialize)]
struct Ledger {
    events: i64,
    unsealed: i64,
    head: String,
}

/// Runs `lathe status`.
///
/// # Errors
/// As [`Client::answer`]; when only the sign-in fails, what is public is printed first.
pub async fn status(client: &Client, output: &Output) -> Result<()> {
    let server = client.server_info().await?;
    let record = Record::default()
        .with("url", "server", Cell::Text(client.url()))
        .with("version", "version", Cell::Text(server.version))
        .with("mode", "mode", Cell::Text(server.mode))
        .with("database", "database", Cell::Text(server.database))
        .with("mlflow_version", "speaks MLflow", Cell::Text(server.mlflow_version))
        .with("started_at_ms", "started", Cell::Time(server.started_at_ms))
        .with("project", "project", Cell::Text(client.project().to_string()));
    let inside = async {
        let who: WhoAmI = client.get(&["whoami"]).await?;
        let home = client.get(&["home"]).await;
        let Home { counts } = home.map_err(|error| elsewhere(client, &who, error))?;
        let ledger: Ledger = client.get(&["audit", "head"]).await?;
        Ok((who, counts, ledger))
    };
    match inside.await {
        Ok((who, counts, ledger)) => output.print_record(
            &record
                .with("actor", "you are", Cell::Text(who.actor.name))
                .with("role", "role", Cell::text(who.role))
                .with("experiments", "experiments", Cell::Integer(counts.experiments))
                .with("runs", "runs", Cell::Integer(counts.runs))
                .with("models", "models", Cell::Integer(counts.models))
                .with("versions", "model versions", Cell::Integer(counts.versions))
                .with("ledger_events", "ledger events", Cell::Integer(ledger.events))
                .with("ledger_unsealed", "not sealed yet", Cell::Integer(ledger.unsealed))
                .with("ledger_head", "ledger head", Cell::Text(ledger.head)),
        ),
        Err(error) => {
            output.print_record(&record)?;
            Err(error)
        }
    }
}

/// Who may not look into this project is told of those that they may look into.
fn elsewhere(client: &Client, who: &WhoAmI, error: Error) -> Error {
    let names: Vec<_> = who.projects.iter().map(|project| project.name.as_str()).collect();
    let Some(first) = who.projects.first().and_then(|project| Project::parse(&project.name).ok()) else {
        return match error.code() {
            Code::PermissionDenied => error.with_hint("you have no role in any project; ask an administrator for one"),
            _ => error,
        };
    };
    match error.code() {
        Code::PermissionDenied | Code::NotFound => {
            let command = client.in_project(first).command("status");
            error.with_hint(format!("your projects: {}; look into one: {command}", names.join(", ")))
        }
        _ => error,
    }
}

/// Runs `lathe whoami`.
///
/// # Errors
/// As [`Client::answer`].
pub async fn whoami(client: &Client, output: &Output) -> Result<()> {
    let WhoAmI { actor, is_admin, role, projects } = client.get(&["whoami"]).await?;
    let mut table = Table::new([("name", "PROJECT"), ("role", "ROLE")]);
    for project in projects {
        table.push(vec![Cell::Text(project.name), Cell::text(project.role)]);
    }
    let record = Record::default()
        .with("name", "name", Cell::Text(actor.name))
        .with("kind", "kind", Cell::Text(actor.kind))
        .with("is_admin", "server admin", Cell::Flag(is_admin))
        .with("server", "server", Cell::Text(client.url()))
        .with("project", "project", Cell::Text(client.project().to_string()))
        .with("role", "role", Cell::text(role))
        .with("projects", "projects", Cell::Rows(table));
    output.print_record(&record)
}

/// Where S3 clients reach the server, and with what.
#[derive(Debug, Deserialize)]
struct S3Credentials {
    endpoint_url: String,
    region: String,
    access_key_id: String,
    secret_access_key: String,
}

/// Runs `lathe env`: lines for a shell's `eval`. Asks the server for the S3 keys alone: without an answer, the rest is printed.
///
/// # Errors
/// When standard output cannot be written.
pub async fn env(client: &Client, output: &Output) -> Result<()> {
    let mut variables = vec![
        ("MLFLOW_TRACKING_URI", client.tracking_uri()),
        ("LATHE_URL", client.url()),
        ("LATHE_PROJECT", client.project().to_string()),
    ];
    let mut unset = OF_MLFLOW.to_vec();
    if let Some(token) = client.token() {
        variables.push(("MLFLOW_TRACKING_TOKEN", token.to_owned()));
    }
    match client.get::<S3Credentials>(&["s3-credentials"]).await {
        Ok(S3Credentials { endpoint_url, region, access_key_id, secret_access_key }) => {
            variables.extend([
                ("AWS_ENDPOINT_URL", endpoint_url),
                ("AWS_REGION", region.clone()),
                ("AWS_DEFAULT_REGION", region),
                ("AWS_ACCESS_KEY_ID", access_key_id),
                ("AWS_SECRET_ACCESS_KEY", secret_access_key),
            ]);
            unset.extend(OF_AWS);
        }
        Err(error) => output.note(&format!("no S3 keys: {}", error.message())),
    }
    if output.format() != Format::Table {
        let record = variables
            .into_iter()
            .fold(Record::default(), |record, (name, value)| record.with(name, name, Cell::Text(value)));
        return output.print_record(&record);
    }
    let mut lines: Vec<_> =
        variables.iter().map(|(name, value)| format!("export {name}={}", shell_word(value))).collect();
    lines.push(format!("unset {}", unset.join(" ")));
    output.print(&lines.join("\n"))
}

/// What to open.
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// A run, a model or a version, as `lathe lineage` takes it [default: the project's start page]
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Runs `lathe open`: shows a page of the web UI in the browser.
///
/// # Errors
/// `NotFound` for an unknown name, and as [`Client::answer`].
pub async fn open(OpenArgs { name }: OpenArgs, client: &Client, output: &Output) -> Result<()> {
    let page = match name {
        None => client.page(&["home"]),
        Some(name) => {
            let name = names::find_name(client, &name).await?;
            let page = page_of(client, &name)?;
            names::require(client, &name).await?;
            page
        }
    };
    if output.is_for_people() {
        output.print(&page)?;
    } else {
        output.print_record(&Record::default().with("url", "page", Cell::Text(page.clone())))?;
    }
    if !open_browser(&page) {
        output.note("no browser could be started here; open the address above");
    }
    Ok(())
}

fn page_of(client: &Client, name: &Name) -> Result<String> {
    let client = client.in_project(names::project_of(name)?);
    let mut parts = name.as_str().splitn(3, '/').skip(1);
    let (kind, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match (kind, names::parse_model(rest)) {
        ("run", _) => Ok(client.page(&["runs", rest])),
        ("model", names::ModelText::Number(model, number)) => Ok(client.page(&["models", model, "versions", number])),
        ("model", _) => Ok(client.page(&["models", rest])),
        _ => Err(Error::new(Code::InvalidArgument, format!("{name} has no page of its own"))
            .with_hint(format!("open its project: {}", client.command("open")))),
    }
}

/// Whether a browser was started.
fn open_browser(page: &str) -> bool {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started = std::process::Command::new(opener)
        .arg(page)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    started.is_ok_and(|status| status.success())
}
