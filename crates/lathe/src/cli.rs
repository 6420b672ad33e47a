//! The command line: what people type, and how it ends.

pub mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lathe_core::{Code, Error};

#[derive(Debug, Parser)]
#[command(name = "lathe", version, about = "The ML platform in one binary")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::ServeArgs),
}

/// Parses the arguments, runs the command and answers its exit code.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match arguments.command {
            Command::Serve(arguments) => serve::run(arguments).await,
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(hint) = error.hint() {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(exit_code(&error))
        }
    }
}

/// The exit code of an error: 1 failed, 2 usage, 3 not found, 4 auth, 5 conflict, 7 unavailable.
fn exit_code(error: &Error) -> u8 {
    match error.code() {
        Code::InvalidArgument | Code::TooLarge => 2,
        Code::NotFound => 3,
        Code::Unauthenticated | Code::PermissionDenied => 4,
        Code::AlreadyExists | Code::Conflict => 5,
        Code::Unavailable | Code::RateLimited => 7,
        Code::Internal | Code::OutOfSpace => 1,
    }
}
