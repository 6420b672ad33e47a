//! `lathe secret …`: what jobs of a project may know.

use std::io::{self, IsTerminal as _, Read as _};

use clap::{Args, Subcommand};
use lathe_access::secrets::MAX_VALUE_BYTES;
use lathe_core::{Error, Result};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Client;
use super::output::{Cell, Output, Table};
use super::session::ask_secret;

/// Secrets of jobs
#[derive(Debug, Args)]
pub struct SecretArgs {
    #[command(subcommand)]
    command: SecretCommand,
}

/// What `lathe secret --help` shows.
pub const EXAMPLES: &str = "Examples:
  lathe secret set HF_TOKEN                      asks for the value
  lathe secret set DB_PASSWORD < password.txt    or reads it
  lathe secret list
A job that has `secrets: [HF_TOKEN]` in its file finds it in the variable HF_TOKEN.";

#[derive(Debug, Subcommand)]
enum SecretCommand {
    /// Set a secret; the value comes from standard input, or is asked for
    Set {
        /// 1-63 letters, digits and _
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// List the names; nobody reads a value
    List,
    /// Delete a secret
    Delete {
        /// Which
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Debug, Deserialize)]
struct SecretList {
    secrets: Vec<SecretEntry>,
}

#[derive(Debug, Deserialize)]
struct SecretEntry {
    name: String,
    created_at_ms: i64,
    updated_at_ms: i64,
}

/// Runs `lathe secret …`.
///
/// # Errors
/// As [`Client::answer`].
pub async fn run(SecretArgs { command }: SecretArgs, client: &Client, output: &Output) -> Result<()> {
    match command {
        SecretCommand::Set { name } => {
            let value = read_value(&name)?;
            let request = client.native(Method::PUT, &["secrets", &name]).json(&json!({ "value": value }));
            client.answer::<Value>(request).await?;
            output.note(&format!("secret {name} is set in project {}", client.project()));
            Ok(())
        }
        SecretCommand::List => {
            let SecretList { secrets } = client.get(&["secrets"]).await?;
            let mut table = Table::new([("name", "NAME"), ("created_at_ms", "CREATED"), ("updated_at_ms", "SET")]);
            for SecretEntry { name, created_at_ms, updated_at_ms } in secrets {
                table.push(vec![Cell::Text(name), Cell::Time(created_at_ms), Cell::Time(updated_at_ms)]);
            }
            output.print_list(&table, "secrets")
        }
        SecretCommand::Delete { name } => {
            output.confirm(&format!("Delete the secret {name}? Jobs that need it will fail."))?;
            client.answer::<Value>(client.native(Method::DELETE, &["secrets", &name])).await?;
            output.note(&format!("deleted the secret {name}"));
            Ok(())
        }
    }
}

/// Never from an argument: other users of the machine see those.
fn read_value(name: &str) -> Result<String> {
    if io::stdin().is_terminal() {
        return ask_secret(&format!("value of {name}: "));
    }
    let mut text = String::new();
    // One more than a value and its line feed may have, so that a longer one is refused and not cut.
    let most = MAX_VALUE_BYTES as u64 + 2;
    io::stdin().lock().take(most).read_to_string(&mut text).map_err(|error| {
        Error::invalid("the value on standard input could not be read, or is not UTF-8").with_source(error)
    })?;
    // A single line is given without its end; of several lines, such as a key's, each is kept.
    let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    Ok(line.filter(|line| !line.contains('\n')).map(str::to_owned).unwrap_or(text))
}
