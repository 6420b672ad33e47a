//! `lathe backup` and `lathe restore`, from and to both databases, while the server works.

use std::path::{Path, PathBuf};
use std::process::Output;

use lathe_testkit::{Engine, TestServer};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_lathe");
const API: &str = "/api/2.0/mlflow";

async fn lathe(arguments: &[&str], folder: &Path, database_url: &str) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).arg("--data-dir").arg(folder).args(["--database-url", database_url, "-o", "json"]);
    command.output().await.unwrap()
}

fn error(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A run with everything a backup must carry; answers its id and the path of its artifact.
async fn log_run(server: &TestServer, number: i64) -> (String, String) {
    let (_, made) =
        server.post(&format!("{API}/runs/create"), &json!({ "experiment_id": "0", "start_time": number })).await;
    let run_id = made["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    let batch = json!({
        "run_id": run_id,
        "metrics": [{ "key": "loss", "value": 0.25, "timestamp": 1, "step": 1 }, { "key": "odd", "value": "NaN", "timestamp": 1 }],
        "params": [{ "key": "lr", "value": "0.1\n\u{1F52D}" }],
        "tags": [{ "key": "team", "value": "a" }],
    });
    assert_eq!(server.post(&format!("{API}/runs/log-batch"), &batch).await.0, StatusCode::OK);
    let path = format!("/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/file.bin");
    let sent = server.request(Method::PUT, &path).body(vec![7_u8; 100_000]).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::OK);
    (run_id, path)
}

async fn run(server: &TestServer, run_id: &str) -> Value {
    server.get(&format!("{API}/runs/get?run_id={run_id}")).await.1
}

async fn backup(server: &TestServer, to: &Path) -> Value {
    let made = lathe(&["backup", "--to", to.to_str().unwrap()], &server.data_dir(), server.database_url()).await;
    assert!(made.status.success(), "{made:?}");
    serde_json::from_slice(&made.stdout).unwrap()
}

/// A backup made while runs are being logged, and a run that was complete before it.
async fn made_under_load(engine: Engine, folder: &TempDir) -> (PathBuf, Value, String, String) {
    let server = TestServer::local(BINARY, engine).await;
    let (run_id, path) = log_run(&server, 1).await;
    let to = folder.path().join("backup");
    let writing = async {
        for number in 2..20 {
            log_run(&server, number).await;
        }
    };
    let (first, ()) = tokio::join!(backup(&server, &to), writing);
    assert!(first["objects"].as_u64().unwrap() >= 1);
    // All artifacts have the same bytes, so they are one object, which the second backup finds in the folder.
    let second = backup(&server, &to).await;
    assert_eq!((&second["objects"], &second["copied_objects"]), (&json!(1), &json!(0)));
    assert!(second["rows"].as_u64() > first["rows"].as_u64());
    (to, run(&server, &run_id).await, run_id, path)
}

async fn restores_into_both(from: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let (backup, expected, run_id, path) = made_under_load(from, &folder).await;
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let target = tempfile::tempdir().unwrap();
        let database_url = engine.empty_database(&target).await;
        let arguments = ["restore", "--from", backup.to_str().unwrap()];
        let restored = lathe(&arguments, &target.path().join("data"), &database_url).await;
        assert!(restored.status.success(), "{restored:?}");
        let again = lathe(&arguments, &target.path().join("data"), &database_url).await;
        let (code, message) = error(&again);
        assert_eq!(code, Some(5), "{message}");
        assert!(message.contains("not empty") && message.contains("hint:"), "{message}");

        let server = TestServer::start_on(BINARY, target, database_url, &[]).await;
        assert_eq!(run(&server, &run_id).await, expected);
        let file = server.request(Method::GET, &path).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(file, vec![7_u8; 100_000]);
        let (_, verified) = server.get("/api/v1/audit/verify").await;
        assert_eq!(verified["verified"], json!(true));
        // Ids and counters go on where they were.
        log_run(&server, 30).await;
        assert_eq!(
            server.post(&format!("{API}/experiments/create"), &json!({ "name": "new" })).await.0,
            StatusCode::OK
        );
    }
}

#[tokio::test]
async fn a_backup_of_sqlite_restores_into_both_databases() {
    restores_into_both(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_backup_of_postgres_restores_into_both_databases() {
    restores_into_both(Engine::Postgres).await;
}

#[tokio::test]
async fn a_changed_backup_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::local(BINARY, Engine::Sqlite).await;
    log_run(&server, 1).await;
    let to = folder.path().join("backup");
    backup(&server, &to).await;
    let restore = async |name: &str| {
        let target = folder.path().join(name);
        let url = format!("sqlite://{}", folder.path().join(format!("{name}.db")).display());
        error(&lathe(&["restore", "--from", to.to_str().unwrap()], &target, &url).await)
    };
    let database = to.join("database.jsonl");
    let text = std::fs::read_to_string(&database).unwrap();
    std::fs::write(&database, text.replace("0.1\\n", "0.9\\n")).unwrap();
    let (code, message) = restore("changed").await;
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("is not what the manifest says"), "{message}");
    std::fs::write(&database, text).unwrap();

    let object = find_file(&to.join("objects"));
    let bytes = std::fs::read(&object).unwrap();
    std::fs::write(&object, [&[8], &bytes[1..]].concat()).unwrap();
    let (code, message) = restore("damaged").await;
    assert_eq!(code, Some(1), "{message}");
    std::fs::write(&object, bytes).unwrap();
    assert_eq!(restore("whole").await.0, Some(0));
    assert_eq!(restore("whole").await.0, Some(5));

    let (code, message) = error(&lathe(&["backup", "--to", "/"], &server.data_dir(), server.database_url()).await);
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("holds something that is no backup"), "{message}");
}

fn find_file(folder: &Path) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                return path;
            }
            folders.push(path);
        }
    }
    panic!("no file below the folder");
}
