//! The command line: what people type, and how it ends.
//!
//! A file is one noun (`runs` is `lathe run …`); `client` talks to the server, `output` prints. Commands that need a server know
//! only its HTTP API; `serve`, `demo`, `fsck`, `gc`, `backup` and `restore` open the stores themselves.

mod audit;
mod backup;
mod client;
mod config;
mod credentials;
mod data;
mod demo;
mod deployments;
mod doctor;
mod experiments;
pub mod job_runner;
mod lineage;
mod maintenance;
mod models;
mod monitor;
mod names;
mod others;
mod output;
mod people;
mod pipelines;
mod python;
mod runs;
mod secrets;
pub mod serve;
mod session;
mod status;
mod text;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;
use lathe_core::text::escape_controls;
use lathe_core::{Code, Error, Result};

use client::ConnectionArgs;
use output::{Output, OutputArgs};

const EXAMPLES: &str = "Examples:
  lathe demo                                  a server with a real project in it
  lathe serve                                 a server on this machine
  eval \"$(lathe env)\"                         let any MLflow or S3 client in this shell use it
  lathe run list --filter 'metrics.loss < 1'  the runs, as a table
  lathe lineage why digits@champion           where a model version came from

Settings come from flags, then LATHE_* variables, then ./lathe.toml, then
the user's lathe/config.toml.

Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 not allowed, 5 conflict,
6 a gate that does not hold, 7 unavailable, 130 stopped by Ctrl-C.";

const COMPLETIONS: &str = "Examples:
  lathe completions bash > ~/.local/share/bash-completion/completions/lathe
  lathe completions zsh > \"${fpath[1]}/_lathe\"
  lathe completions fish > ~/.config/fish/completions/lathe.fish";

#[derive(Debug, Parser)]
#[command(name = "lathe", version, about = "The ML platform in one binary", after_help = EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: Command,
}

/// A command that talks to a server.
#[derive(Debug, Args)]
struct Remote<A: Args> {
    // Before the connection: what follows a help heading stands below it.
    #[command(flatten)]
    arguments: A,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// A command without arguments of its own.
#[derive(Debug, Args)]
struct Nothing {}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::ServeArgs),
    /// Start a server, train real models on it, and leave it running
    #[command(after_help = demo::EXAMPLES)]
    Demo(demo::DemoArgs),
    /// Check what Lathe needs here: the server of --url or its free port, folder, disk, clock, database, objects, Python
    Doctor(doctor::DoctorArgs),
    /// Sign in to a server, and keep a token for it
    Login(Remote<session::LoginArgs>),
    /// Revoke the kept token and forget it
    Logout(Remote<Nothing>),
    /// Who you are on the server
    Whoami(Remote<Nothing>),
    /// The server, the project and its ledger at a glance
    Status(Remote<Nothing>),
    /// Open the web UI in the browser
    Open(Remote<status::OpenArgs>),
    /// Print what MLflow and S3 clients need, for: eval "$(lathe env)"
    Env(Remote<Nothing>),
    /// Experiments
    Exp(Remote<experiments::ExpArgs>),
    /// Run any command as a run; list, show and compare runs
    #[command(after_help = runs::EXAMPLES)]
    Run(Remote<runs::RunArgs>),
    /// Registered models, their versions and aliases
    Model(Remote<models::ModelArgs>),
    /// Pipelines: their files and their runs
    #[command(after_help = pipelines::EXAMPLES)]
    Pipeline(pipelines::PipelineArgs),
    /// Deployments: which model versions answer under a name
    #[command(after_help = deployments::EXAMPLES)]
    Deploy(Remote<deployments::DeployArgs>),
    /// What deployments answer, over time: traffic, drift, quality, alerts
    #[command(after_help = monitor::EXAMPLES)]
    Monitor(Remote<monitor::MonitorArgs>),
    #[command(flatten)]
    Data(data::DataCommand),
    /// Where things came from, and what came from them
    Lineage(Remote<lineage::LineageArgs>),
    /// The ledger of all changes: read it, verify it
    Audit(Remote<audit::AuditArgs>),
    #[command(flatten)]
    People(people::PeopleCommand),
    /// Secrets of a project, which its jobs may know
    #[command(after_help = secrets::EXAMPLES)]
    Secret(Remote<secrets::SecretArgs>),
    /// Read every object of the stores and compare it with its hash
    Fsck(maintenance::MaintenanceArgs),
    /// Delete objects that nothing names any more, and folders that nobody used for a month
    Gc(maintenance::MaintenanceArgs),
    /// Copy everything into a folder while the server works
    #[command(after_help = backup::BACKUP_EXAMPLES)]
    Backup(backup::BackupArgs),
    /// Fill new, empty stores from a backup
    #[command(after_help = backup::RESTORE_EXAMPLES)]
    Restore(backup::RestoreArgs),
    /// Answer for an ONNX model on the socket that is standard input; the server starts this
    #[command(hide = true)]
    OnnxWorker {
        /// ONNX Runtime's library
        #[arg(value_name = "FILE")]
        library: std::path::PathBuf,
        /// The model's folder
        #[arg(value_name = "FOLDER")]
        folder: std::path::PathBuf,
    },
    /// Print a shell's completion script
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// The shell
        #[arg(value_name = "SHELL", value_enum)]
        shell: Shell,
    },
}

/// All commands with their flags and help, for the reference.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Parses the arguments, runs the command and answers its exit code.
pub fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if let [word, folder] = words.as_slice()
        && word == job_runner::WORD
    {
        return job_runner::main(folder.as_ref()).unwrap_or_else(|error| report(&error));
    }
    let command = match config::apply(Arguments::command()) {
        Ok(command) => command,
        Err(error) => return report(&error),
    };
    let arguments = match command.try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) => {
            let error = without_variables(error);
            // As clap itself does: where nothing can be written, nothing can be said about it.
            let _ = error.print();
            if let Some(hint) = misplaced_flag(&error) {
                eprintln!("hint: {hint}");
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    // It has one thing to do at a time: no runtime, and none of its threads.
    if let Command::OnnxWorker { library, folder } = &arguments.command {
        return lathe_onnx::run(library, folder, lathe_oip::parse_example);
    }
    let runtime = match &arguments.command {
        // What they fetch and send is hashed and written on threads of its own: handing it from one thread of the runtime to another is all
        // that more of them would do.
        Command::Data(_) => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        _ => {
            // At least two: a brief write of SQLite blocks the thread that asks for it while the disk syncs, and others must be served.
            let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
            tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()
        }
    };
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(run(arguments)).unwrap_or_else(|error| report(&error))
}

/// The error with its usage as one types it: clap counts a flag as typed, and so as a part of the usage, when its variable is set.
fn without_variables(mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return error };
    let usage = usage.to_string();
    if let Some(usage) = typed_usage(&usage) {
        error.insert(ContextKind::Usage, ContextValue::StyledStr(usage.into()));
    }
    error
}

/// A usage line without the flags that every command has; `None` when it has none of them.
fn typed_usage(usage: &str) -> Option<String> {
    let mut typed = usage.to_owned();
    for flag in [" --url <URL>", " --project <NAME>", " --token <TOKEN>", " --output <FORMAT>"] {
        // One of the options that are named together.
        let option = if typed.contains("[OPTIONS]") { "" } else { " [OPTIONS]" };
        typed = typed.replacen(flag, option, 1);
    }
    (typed != usage).then_some(typed)
}

/// What to do about a flag that belongs to a command and stands before it.
fn misplaced_flag(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return None };
    let is_known = ["-p", "--project", "--url", "--token"].contains(&flag.split('=').next().unwrap_or_default());
    // The usage line of the program itself: no command was read yet.
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return None };
    let is_before = usage.to_string().contains("lathe [OPTIONS] <COMMAND>");
    (is_known && is_before).then(|| format!("{flag} stands after the command, for instance: lathe status {flag} …"))
}

async fn run(Arguments { output, command }: Arguments) -> Result<ExitCode> {
    let output = &Output::from(output);
    let done = |()| ExitCode::SUCCESS;
    match command {
        Command::Serve(arguments) => serve::run(arguments).await.map(done),
        Command::Demo(arguments) => demo::run(arguments, output).await,
        Command::Doctor(arguments) => doctor::run(arguments, output).await,
        Command::Login(Remote { connection, arguments }) => {
            session::login(arguments, &connection.connect()?, output).await.map(done)
        }
        Command::Logout(Remote { connection, .. }) => session::logout(&connection.connect()?, output).await.map(done),
        Command::Whoami(Remote { connection, .. }) => status::whoami(&connection.connect()?, output).await.map(done),
        Command::Status(Remote { connection, .. }) => status::status(&connection.connect()?, output).await.map(done),
        Command::Open(Remote { connection, arguments }) => {
            status::open(arguments, &connection.connect()?, output).await.map(done)
        }
        Command::Env(Remote { connection, .. }) => status::env(&connection.connect()?, output).await.map(done),
        Command::Exp(Remote { connection, arguments }) => {
            experiments::run(arguments, &connection.connect()?, output).await.map(done)
        }
        Command::Run(Remote { connection, arguments }) => runs::run(arguments, &connection.connect()?, output).await,
        Command::Model(Remote { connection, arguments }) => {
            models::run(arguments, &connection.connect()?, output).await.map(done)
        }
        Command::Pipeline(arguments) => pipelines::run(arguments, output).await,
        Command::Deploy(Remote { connection, arguments }) => {
            deployments::run(arguments, &connection.connect()?, output).await.map(done)
        }
        Command::Monitor(Remote { connection, arguments }) => {
            monitor::run(arguments, &connection.connect()?, output).await
        }
        Command::Data(command) => data::run(command, output).await.map(done),
        Command::Lineage(Remote { connection, arguments }) => {
            lineage::run(arguments, &connection.connect()?, output).await.map(done)
        }
        Command::Audit(Remote { connection, arguments }) => audit::run(arguments, &connection.connect()?, output).await,
        Command::People(command) => people::run(command, output).await.map(done),
        Command::Secret(Remote { connection, arguments }) => {
            secrets::run(arguments, &connection.connect()?, output).await.map(done)
        }
        Command::Fsck(arguments) => maintenance::fsck(arguments, output).await,
        Command::Gc(arguments) => maintenance::gc(arguments, output).await.map(done),
        Command::Backup(arguments) => backup::create(arguments, output).await.map(done),
        Command::Restore(arguments) => backup::restore(arguments, output).await.map(done),
        Command::OnnxWorker { library, folder } => Ok(lathe_onnx::run(&library, &folder, lathe_oip::parse_example)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "lathe", &mut script);
            output.print(String::from_utf8_lossy(&script).trim_end()).map(done)
        }
    }
}

/// Says what went wrong, why, and what to do; answers the exit code.
fn report(error: &Error) -> ExitCode {
    // Further lines stand behind the first: none of them can look like one of these.
    let lines: Vec<_> = error.message().lines().map(text::clean).collect();
    eprintln!("error: {}", lines.join("\n  "));
    let message = format!("{}: {}", error.code().as_str(), error.message());
    let (line, message) = (error.log_line(), escape_controls(&message, &[]));
    let cause = line.strip_prefix(&*message).unwrap_or_default().trim_start_matches([':', ';', ' ']);
    if !cause.is_empty() {
        eprintln!("cause: {}", text::clean(cause));
    }
    if let Some(hint) = error.hint() {
        eprintln!("hint: {}", text::clean(hint));
    }
    ExitCode::from(exit_code(error))
}

/// The exit code of an error: 1 failed, 2 usage, 3 not found, 4 auth, 5 conflict, 7 unavailable. 6 is a gate that
/// does not hold, which is no error.
fn exit_code(error: &Error) -> u8 {
    match error.code() {
        Code::InvalidArgument | Code::TooLarge | Code::MethodNotAllowed => 2,
        Code::NotFound => 3,
        Code::Unauthenticated | Code::PermissionDenied => 4,
        Code::AlreadyExists | Code::Conflict | Code::PreconditionFailed => 5,
        Code::Unavailable | Code::TimedOut | Code::RateLimited => 7,
        Code::Internal | Code::ModelFailed | Code::OutOfSpace => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_names_no_flag_that_a_variable_has_set() {
        let usage = "Usage: lathe run show --url <URL> --project <NAME> <RUN>";
        assert_eq!(typed_usage(usage).unwrap(), "Usage: lathe run show [OPTIONS] <RUN>");
        assert_eq!(typed_usage("Usage: lathe run show [OPTIONS] <RUN>"), None);
    }
}
