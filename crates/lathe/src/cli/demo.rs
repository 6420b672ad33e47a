//! `lathe demo`: a server with a real project in it, from nothing.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;

use clap::Args;
use lathe_core::{Code, Error, Project, Result, Role};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::client::Client;
use super::output::Output;
use super::serve::{self, LogFormat, StoreArgs};
use super::status::WhoAmI;
use super::text::shell_word;
use crate::server::{self, Options};

mod environment;
mod training;

pub(super) const EXAMPLES: &str = "Examples:
  lathe demo                           train in a Python environment that is made for it
  lathe demo --python .venv/bin/python train in yours, which has mlflow and scikit-learn
  lathe demo --exit                    stop at the end; run `lathe serve` later to look at it
  lathe demo --project fraud           in a project of the server that runs already, as whoever
                                       signed in there with lathe login";

/// What to start.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Address to listen on; a Lathe that answers there already is used as it is
    #[arg(long, env = "LATHE_LISTEN", default_value = "127.0.0.1:4400", value_name = "HOST:PORT")]
    listen: SocketAddr,
    /// The project to work in [default: default]; whoever signed in has to be a maintainer there
    #[arg(short, long, env = "LATHE_PROJECT", value_name = "NAME")]
    project: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
    /// Train with this Python instead of an environment in the data folder
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Stop the server at the end
    #[arg(long)]
    exit: bool,
}

/// A server of this process.
#[derive(Debug)]
struct OwnServer {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<()>>,
}

impl OwnServer {
    /// Lets it finish what it is doing.
    async fn finish(self) -> Result<()> {
        // An error means that it has ended already.
        let _ = self.stop.send(());
        joined(self.task.await)
    }
}

fn joined(outcome: std::result::Result<Result<()>, tokio::task::JoinError>) -> Result<()> {
    outcome.unwrap_or_else(|error| Err(Error::internal("the server ended badly").with_source(error)))
}

/// What ended the demo's main part.
enum End {
    Done(Result<()>),
    Interrupted,
}

/// Runs `lathe demo`.
///
/// # Errors
/// `Unavailable` when no server can be started or no Python is fit, `Internal` when the training fails.
pub async fn run(arguments: DemoArgs, output: &Output) -> Result<ExitCode> {
    let DemoArgs { listen, project, store, python, exit } = arguments;
    let project = project.map_or_else(|| Ok(Project::default_project()), |name| Project::parse(&name))?;
    serve::start_logging(LogFormat::Text, "warn");
    // From here on Ctrl-C is this function's business.
    let mut interrupted = pin!(server::stop_signal());
    let s3_listen = Some(server::s3_beside(listen));
    let options = Options { listen, s3_listen, min_free_bytes: serve::MIN_FREE_BYTES, ..store.into_options() };
    let data_dir = std::path::absolute(&options.data_dir).unwrap_or_else(|_| options.data_dir.clone());

    heading(output, "1/3  The server")?;
    let (client, own) = match running(listen, &project).await? {
        Some(client) => {
            output.print(&format!("A Lathe server answers at {} already: using it.", client.url()))?;
            (client, None)
        }
        None => {
            let (address, own) = start(options).await?;
            (Client::at(&server::browser_url(address))?.in_project(project), Some(own))
        }
    };
    let has_own = own.is_some();
    let working = async {
        if has_own {
            make_project(&client, output).await?;
        }
        train(&client, &data_dir, python, output).await
    };
    let end = tokio::select! {
        outcome = working => End::Done(outcome),
        () = &mut interrupted => End::Interrupted,
    };
    match end {
        End::Interrupted => {
            finish(own).await?;
            return Ok(ExitCode::from(130));
        }
        End::Done(Err(error)) => {
            // The reason of the failure matters more than how the server ended.
            let _ = finish(own).await;
            return Err(error);
        }
        End::Done(Ok(())) => {}
    }
    say_what_next(&client, output)?;
    let Some(mut own) = own else { return Ok(ExitCode::SUCCESS) };
    if exit {
        own.finish().await?;
        return Ok(ExitCode::SUCCESS);
    }
    output.print("The server runs until you press Ctrl-C.")?;
    tokio::select! {
        outcome = &mut own.task => joined(outcome)?,
        () = interrupted => own.finish().await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn finish(own: Option<OwnServer>) -> Result<()> {
    match own {
        Some(own) => own.finish().await,
        None => Ok(()),
    }
}

fn heading(output: &Output, text: &str) -> Result<()> {
    output.print(&format!("\n{}", output.bold(text)))
}

/// A client of the Lathe that listens at the address already.
async fn running(listen: SocketAddr, project: &Project) -> Result<Option<Client>> {
    if listen.port() == 0 {
        return Ok(None);
    }
    let client = Client::at(&server::browser_url(listen))?.in_project(project.clone());
    match client.server_info().await {
        Ok(server) if server.has_login() && client.token().is_none() => {
            Err(Error::new(Code::Unauthenticated, format!("the server at {} has a login", client.url()))
                .with_hint(format!("sign in first: {}", client.server_command("login"))))
        }
        Ok(_) => Ok(Some(client)),
        // What else may be there, the server will find out when it wants to listen.
        Err(_) => Ok(None),
    }
}

/// Makes the project in a server of one's own, which may have none but `default`.
async fn make_project(client: &Client, output: &Output) -> Result<()> {
    let project = client.project();
    if *project == Project::default_project() {
        return Ok(());
    }
    let request = client.in_project(Project::default_project()).native(Method::POST, &["projects"]);
    let body = json!({ "name": project.as_str(), "description": "" });
    match client.answer::<Value>(request.json(&body)).await {
        Ok(_) => output.print(&format!("Made the project {project}.")),
        Err(error) if error.code() == Code::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Says before the training what would fail at its end: the champion's alias is moved.
async fn check_role(client: &Client) -> Result<()> {
    let found: Result<WhoAmI> = client.get(&["whoami"]).await;
    let WhoAmI { actor, is_admin, role, .. } = found.map_err(|error| match error.code() {
        Code::NotFound => error.with_hint(client.command(&format!("project create {}", client.project()))),
        _ => error,
    })?;
    let is_enough = role.as_deref().is_some_and(|role| Role::parse(role).is_ok_and(|role| role >= Role::Maintainer));
    if is_admin || is_enough {
        return Ok(());
    }
    let project = client.project();
    let has = role.map_or_else(
        || format!("is no member of the project {project}"),
        |role| format!("is {role} of the project {project}"),
    );
    Err(Error::new(Code::PermissionDenied, format!("{} {has}, and the demo needs a maintainer", actor.name)).with_hint(
        format!("name a project of yours with --project, or ask its administrator for: lathe member set {} maintainer --project {project}", actor.name),
    ))
}

async fn start(options: Options) -> Result<(SocketAddr, OwnServer)> {
    let (stop, stopped) = oneshot::channel();
    let (ready, is_ready) = oneshot::channel();
    let mut task = tokio::spawn(server::run_until(
        options,
        async {
            // The sender is dropped when the demo is over, too.
            let _ = stopped.await;
        },
        |address| {
            let _ = ready.send(address);
        },
    ));
    match is_ready.await {
        Ok(address) => Ok((address, OwnServer { stop, task })),
        // The sender is gone: the server ended before it listened.
        Err(_) => match joined((&mut task).await) {
            Err(error) => Err(error),
            Ok(()) => Err(Error::internal("the server ended before it listened")),
        },
    }
}

async fn train(client: &Client, data_dir: &Path, python: Option<PathBuf>, output: &Output) -> Result<()> {
    check_role(client).await?;
    heading(output, "2/3  A Python environment with MLflow and scikit-learn")?;
    let python = environment::prepare(data_dir, python, output).await?;
    output.print(&python.display().to_string())?;
    heading(output, "3/3  Training on real handwritten digits (about half a minute)")?;
    training::run(client, data_dir, &python).await
}

fn say_what_next(client: &Client, output: &Output) -> Result<()> {
    heading(output, &format!("Open {}", client.url()))?;
    let lathe = own_name();
    let command = |words: &str| client.command(words).replacen("lathe", &lathe, 1);
    let lines = [
        (format!("eval \"$({})\"", command("env")), "point any MLflow client in this shell at the server"),
        (command("run list"), "the runs, as a table"),
        (command("lineage why digits@champion"), "where the champion came from"),
    ];
    let width = lines.iter().map(|(command, _)| command.chars().count()).max().unwrap_or_default();
    let lines: Vec<_> = lines
        .iter()
        .map(|(command, what)| format!("  {command:width$}  {}", output.dim(&format!("# {what}"))))
        .collect();
    output.print(&format!("\nNext, in another terminal:\n\n{}\n", lines.join("\n")))
}

/// How a shell finds this program.
fn own_name() -> String {
    let Ok(own) = std::env::current_exe() else { return "lathe".to_owned() };
    let in_path = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join("lathe").canonicalize().is_ok_and(|found| found == own))
    });
    if in_path { "lathe".to_owned() } else { shell_word(&own.to_string_lossy()) }
}
