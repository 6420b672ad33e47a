//! `lathe demo` and `lathe doctor`, from outside. The demo's real training runs in the client tests.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use lathe_testkit::{ADMIN_PASSWORD, Engine, TestServer};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::cli::{BINARY, Cli, Ended};

/// A Python that answers the demo's question, and then does this instead of the training.
fn fake_python(cli: &Cli, missing: &str, training: &str) -> String {
    let answer =
        format!(r#"{{"version": [3, 12, 0], "makes_environments": true, "mlflow": "3.17.2", "missing": [{missing}]}}"#);
    let script = format!("#!/bin/sh\nif [ \"$1\" = -c ]; then echo '{answer}'; else {training}; fi\n");
    let path = cli.home.path().join("python");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

const START: [&str; 5] = ["demo", "--listen", "127.0.0.1:0", "--data-dir", "data"];

#[tokio::test]
async fn the_demo_trains_against_its_own_server_and_says_what_is_next() {
    let cli = Cli::new("http://127.0.0.1:1");
    let python = fake_python(&cli, "", "echo \"tracked to $MLFLOW_TRACKING_URI\"; echo 'Created version 1' >&2");
    let Ended { code, out, err } = cli.run(&[&START[..], &["--python", &python, "--exit"]].concat()).await;
    assert_eq!(code, 0, "{out}\n{err}");
    let url = out.split("\nOpen ").nth(1).unwrap().lines().next().unwrap().to_owned();
    assert!(out.contains(&format!("tracked to {url}")), "{out}");
    assert!(out.contains("lineage why digits@champion"), "{out}");
    assert!(!err.contains("Created version"), "{err}");
    assert!(cli.home.path().join("data/demo-train.py").exists());
}

#[tokio::test]
async fn a_failed_training_fails_the_demo() {
    let cli = Cli::new("http://127.0.0.1:1");
    let python = fake_python(&cli, "", "echo no >&2; exit 3");
    let said = cli.run(&[&START[..], &["--python", &python]].concat()).await;
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.err.contains("the training failed"), "{}", said.err);
    let python = fake_python(&cli, "\"sklearn\"", "exit 0");
    let said = cli.run(&[&START[..], &["--python", &python]].concat()).await;
    assert_eq!(said.code, 7, "{}", said.err);
    assert!(said.err.contains("lacks sklearn") && said.err.contains("-m pip install matplotlib=="), "{}", said.err);
}

/// Starts the demo, waits for a line, and sends Ctrl-C; answers the exit code.
async fn interrupt_after(cli: &Cli, training: &str, line: &str) -> i32 {
    let python = fake_python(cli, "", training);
    let mut command = cli.command(&[&START[..], &["--python", &python]].concat());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(said) = lines.next_line().await.unwrap() {
        if said.contains(line) {
            break;
        }
    }
    let pid = child.id().unwrap().to_string();
    assert!(tokio::process::Command::new("kill").args(["-INT", &pid]).status().await.unwrap().success());
    child.wait().await.unwrap().code().unwrap()
}

#[tokio::test]
async fn ctrl_c_ends_the_demo_cleanly_and_it_starts_again() {
    let cli = Cli::new("http://127.0.0.1:1");
    assert_eq!(interrupt_after(&cli, "echo training; exec sleep 600", "training").await, 130);
    assert_eq!(interrupt_after(&cli, "echo trained", "until you press Ctrl-C").await, 0);
}

#[tokio::test]
async fn the_demo_uses_a_server_that_runs_already() {
    let server = TestServer::local(BINARY, Engine::Sqlite).await;
    let cli = Cli::new(&server.url);
    let python = fake_python(&cli, "", "echo \"tracked to $MLFLOW_TRACKING_URI\"");
    let address = server.url.strip_prefix("http://").unwrap();
    let out = cli.ok(&["demo", "--listen", address, "--data-dir", "data", "--python", &python]).await;
    assert!(out.contains("using it") && out.contains(&format!("tracked to {}", server.url)), "{out}");
}

fn check<'a>(checks: &'a Value, name: &str) -> &'a Value {
    checks.as_array().unwrap().iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("{name}: {checks}"))
}

#[tokio::test]
async fn doctor_examines_a_server_and_its_folder() {
    let server = TestServer::login(BINARY, Engine::Sqlite).await;
    let cli = Cli::new(&server.url);
    let data_dir = server.data_dir();
    let arguments =
        ["doctor", "-o", "json", "--database-url", server.database_url(), "--data-dir", data_dir.to_str().unwrap()];
    let Ended { code, out, .. } = cli.run(&arguments).await;
    let checks: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 1, "{out}");
    assert_eq!(check(&checks, "sign-in")["state"], "fail");
    assert_eq!(check(&checks, "sign-in")["advice"], format!("lathe login --url {}", server.url));
    for name in ["server", "clock", "data folder", "database"] {
        assert_eq!(check(&checks, name)["state"], "ok", "{out}");
    }
    // How much is free is the machine's; that this folder's disk is examined is ours.
    let folder = data_dir.to_str().unwrap();
    assert!(check(&checks, "free space")["found"].as_str().unwrap().ends_with(folder), "{out}");
    cli.run_with(&["login", "--user", "admin", "--password-stdin"], ADMIN_PASSWORD).await;
    std::fs::set_permissions(&data_dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let Ended { code, out, .. } = cli.run(&arguments).await;
    let checks: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0, "{out}");
    assert_eq!(check(&checks, "sign-in")["state"], "ok");
    assert_eq!(check(&checks, "data folder")["state"], "warn");
    assert!(check(&checks, "data folder")["advice"].as_str().unwrap().starts_with("chmod 700 "));
}

#[tokio::test]
async fn doctor_tells_a_free_port_from_one_that_something_else_uses() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let cli = Cli::new(&format!("http://{}", listener.local_addr().unwrap()));
    let foreign = tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            drop(connection);
        }
    });
    let Ended { code, out, .. } = cli.run(&["doctor", "-o", "json"]).await;
    let checks: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &check(&checks, "server")["state"]), (1, &Value::from("fail")), "{out}");
    foreign.abort();
    assert!(foreign.await.unwrap_err().is_cancelled());
    let Ended { code, out, .. } = cli.run(&["doctor", "-o", "json"]).await;
    let checks: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &check(&checks, "server")["state"]), (0, &Value::from("warn")), "{out}");
}
