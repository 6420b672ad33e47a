//! `lathe login` and `lathe logout`: a personal token of this machine.

use std::io::{self, BufRead as _, IsTerminal as _};

use clap::Args;
use lathe_core::{Code, Error, Result};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Client, Credential};
use super::credentials::{self, StoredToken};
use super::output::{Cell, Output, Record};

/// Whom to sign in.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// The user name; asked for if absent
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// Read the password from standard input instead of asking for it
    #[arg(long, requires = "user")]
    password_stdin: bool,
}

/// A token that was made.
#[derive(Debug, Deserialize)]
pub struct MadeToken {
    /// The id to revoke it by.
    pub id: String,
    /// The secret.
    pub token: String,
}

/// Runs `lathe login`.
///
/// # Errors
/// `Unauthenticated` for a wrong password, `Unavailable` when the token cannot be stored, and as [`Client::answer`].
pub async fn login(LoginArgs { user, password_stdin }: LoginArgs, client: &Client, output: &Output) -> Result<()> {
    let server = client.server_info().await?;
    if !server.has_login() {
        output.note(&format!(
            "{} has no login: whoever reaches it may do everything, and no token is needed",
            client.url()
        ));
        return Ok(());
    }
    let username = match user {
        Some(user) => user,
        None => ask_line("user name: ")?,
    };
    let password = if password_stdin { read_line()? } else { ask_secret(&format!("password of {username}: "))? };
    let name = format!("lathe login on {}", host_name());
    // Not with a token that may be stored or given: this is about who has the password.
    let request = client.anonymous(Method::POST, &["tokens"]).basic_auth(&username, Some(password));
    let made: MadeToken =
        client.answer(request.json(&json!({ "name": name }))).await.map_err(|error| match error.code() {
            Code::Unauthenticated => Error::new(Code::Unauthenticated, error.message())
                .with_hint(format!("try again: {}", client.server_command(&format!("login --user {username}")))),
            _ => error,
        })?;
    let replaced = credentials::store(
        &client.url(),
        StoredToken { username: username.clone(), id: made.id.clone(), token: made.token },
    )?;
    if let Some(old) = replaced {
        // The token of an earlier login is of no use to anybody now; it may be gone already.
        let _ = revoke(client, &old).await;
    }
    if matches!(client.credential(), Credential::Given(_)) {
        output.note("note: LATHE_TOKEN is set, and wins over the token that was stored now");
    }
    let record = Record::default()
        .with("username", "signed in", Cell::Text(username))
        .with("server", "server", Cell::Text(client.url()))
        .with("token_id", "token id", Cell::Text(made.id));
    output.print_record(&record)
}

/// Runs `lathe logout`.
///
/// # Errors
/// As [`Client::answer`]; then the token stays stored, so that it can be tried again.
pub async fn logout(client: &Client, output: &Output) -> Result<()> {
    let url = client.url();
    let Some(stored) = credentials::find(&url)? else {
        output.note(&format!("no token is stored for {url}"));
        return Ok(());
    };
    match revoke(client, &stored).await {
        Ok(()) => {}
        // Revoked by somebody else, or expired: then there is nothing to revoke.
        Err(error) if matches!(error.code(), Code::Unauthenticated | Code::NotFound) => {}
        Err(error) => return Err(error),
    }
    credentials::forget(&url)?;
    output.note(&format!("signed out of {url}; the token of {} is revoked", stored.username));
    Ok(())
}

async fn revoke(client: &Client, stored: &StoredToken) -> Result<()> {
    let request = client.anonymous(Method::DELETE, &["tokens", &stored.id]).bearer_auth(&stored.token);
    client.answer::<Value>(request).await.map(|_| ())
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn no_answer(error: io::Error) -> Error {
    Error::invalid("nothing could be read from the terminal").with_source(error)
}

/// Asks on the terminal.
///
/// # Errors
/// `InvalidArgument` when there is nobody to ask.
pub fn ask_line(question: &str) -> Result<String> {
    if !io::stdin().is_terminal() {
        return Err(Error::invalid("there is no terminal to ask for the user name").with_hint("give it with --user"));
    }
    eprint!("{question}");
    read_line()
}

/// One line of standard input, without its end.
///
/// # Errors
/// `InvalidArgument` when there is none.
pub fn read_line() -> Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(no_answer)?;
    let line = line.trim_end_matches(['\n', '\r']);
    if line.is_empty() {
        return Err(Error::invalid("standard input holds no line to read"));
    }
    Ok(line.to_owned())
}

/// Asks for a secret, which the terminal does not show.
///
/// # Errors
/// `InvalidArgument` when there is no terminal.
pub fn ask_secret(question: &str) -> Result<String> {
    let prompted = rpassword::prompt_password(question);
    prompted.map_err(|error| no_answer(error).with_hint("pass it on standard input, with --password-stdin"))
}
