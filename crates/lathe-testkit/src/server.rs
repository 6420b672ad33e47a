//! A real server process on a free port, with a database and a data folder of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::database::{postgres_url, sqlite_url};

/// Which database the server gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A file in the data folder.
    Sqlite,
    /// A fresh schema in the test PostgreSQL.
    Postgres,
}

impl Engine {
    /// The URL of an empty database of this kind; SQLite's file lies in the folder.
    pub async fn empty_database(self, folder: &TempDir) -> String {
        match self {
            Engine::Sqlite => sqlite_url(folder),
            Engine::Postgres => postgres_url().await,
        }
    }
}

/// The administrator's password of test servers in login mode.
pub const ADMIN_PASSWORD: &str = "correct horse battery";

/// A running `lathe serve`; killed when dropped.
#[derive(Debug)]
pub struct TestServer {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    child: Child,
    http: reqwest::Client,
    binary: String,
    database_url: String,
    arguments: Vec<String>,
    folder: TempDir,
}

impl TestServer {
    /// Starts a server without login.
    pub async fn local(binary: &str, engine: Engine) -> Self {
        Self::start(binary, engine, &[]).await
    }

    /// Starts a server with login; the administrator is `admin` with [`ADMIN_PASSWORD`].
    pub async fn login(binary: &str, engine: Engine) -> Self {
        Self::start(binary, engine, &["--login"]).await
    }

    /// Starts a server with further arguments.
    pub async fn start(binary: &str, engine: Engine, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temp folder");
        let database_url = engine.empty_database(&folder).await;
        Self::start_on(binary, folder, database_url, arguments).await
    }

    /// Starts a server on a database and on the folder `data` of that folder, which may hold something already.
    pub async fn start_on(binary: &str, folder: TempDir, database_url: String, arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let (child, url) = spawn(binary, folder.path(), &database_url, &arguments).await;
        Self { url, child, http: reqwest::Client::new(), binary: binary.to_owned(), database_url, arguments, folder }
    }

    /// Kills the process as `kill -9` does and starts it again on the same data.
    pub async fn crash_and_restart(&mut self) {
        self.child.kill().await.expect("the server can be killed");
        let (child, url) = spawn(&self.binary, self.folder.path(), &self.database_url, &self.arguments).await;
        (self.child, self.url) = (child, url);
    }

    /// The data folder.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The URL of the server's database.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// A request to a path of this server.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Sends a JSON body and answers status and JSON (null when there is none).
    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).json(body)).await
    }

    /// Gets status and JSON.
    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }
}

/// Sends a request; answers its status and JSON (null when there is none).
pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.expect("the server answers");
    let status = response.status();
    let text = response.text().await.expect("the answer is text");
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

async fn spawn(binary: &str, folder: &Path, database_url: &str, arguments: &[String]) -> (Child, String) {
    let mut child = Command::new(binary)
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.join("data"))
        .args(["--database-url", database_url])
        .args(arguments)
        .env("LATHE_ADMIN_PASSWORD", ADMIN_PASSWORD)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the server starts");
    let mut lines = BufReader::new(child.stderr.take().expect("standard error is piped")).lines();
    let mut seen = String::new();
    let url = tokio::time::timeout(Duration::from_secs(60), async {
        while let Some(line) = lines.next_line().await.expect("standard error is text") {
            if let Some(rest) = line.split("listening on ").nth(1) {
                return rest.split_whitespace().next().unwrap_or_default().to_owned();
            }
            seen.push_str(&line);
            seen.push('\n');
        }
        panic!("the server ended before it listened:\n{seen}");
    })
    .await
    .expect("the server listens within a minute");
    // Whoever writes to a closed pipe fails: keep reading what the server says.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, url)
}
