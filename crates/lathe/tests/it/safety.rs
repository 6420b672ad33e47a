//! SAFETY.md's defaults, seen from outside.

use lathe_testkit::{Engine, TestServer, answer};
use reqwest::{Method, StatusCode};
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_lathe");

#[tokio::test]
async fn a_server_without_login_refuses_an_address_others_can_reach() {
    let folder = tempfile::tempdir().unwrap();
    let output = tokio::process::Command::new(BINARY)
        .args(["serve", "--listen", "0.0.0.0:0", "--data-dir"])
        .arg(folder.path())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("--login"), "{said}");
}

#[tokio::test]
async fn a_second_server_on_the_same_data_folder_is_refused() {
    let server = TestServer::local(BINARY, Engine::Sqlite).await;
    let output = tokio::process::Command::new(BINARY)
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(server.data_dir())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("another Lathe server"), "{said}");
}

#[tokio::test]
async fn a_rebound_host_name_and_a_foreign_origin_are_refused() {
    let server = TestServer::local(BINARY, Engine::Sqlite).await;
    let path = "/api/2.0/mlflow/experiments/create";
    let body = json!({ "name": "x" });
    let create = || server.request(Method::POST, path).json(&body);
    let (status, _) = answer(create().header("host", "evil.example")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = answer(create().header("origin", "http://evil.example")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = answer(create().header("sec-fetch-site", "cross-site")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = answer(create()).await;
    assert_eq!(status, StatusCode::OK, "nothing of the refused requests was stored");
}

#[tokio::test]
async fn every_answer_carries_the_safety_headers() {
    let server = TestServer::local(BINARY, Engine::Sqlite).await;
    for path in ["/", "/api/v1/server", "/api/2.0/mlflow/experiments/get?experiment_id=0", "/api/nothing"] {
        let response = server.request(Method::GET, path).send().await.unwrap();
        let header = |name: &str| {
            response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert!(!header("x-request-id").is_empty(), "{path}");
        assert_eq!(header("access-control-allow-origin"), "", "{path}");
    }
}

#[tokio::test]
async fn below_the_low_water_mark_writes_answer_507_and_reads_go_on() {
    let server = TestServer::start(BINARY, Engine::Sqlite, &["--min-free-bytes", "9000000000000000"]).await;
    // The loop looks once a second; until its first look the gate is open.
    let mut status = StatusCode::OK;
    for i in 0..100 {
        let body = json!({ "name": format!("x{i}") });
        (status, _) = server.post("/api/2.0/mlflow/experiments/create", &body).await;
        if status != StatusCode::OK {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(status, StatusCode::INSUFFICIENT_STORAGE);
    let (status, _) = server.get("/api/2.0/mlflow/experiments/search?max_results=1").await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn the_data_folder_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = TestServer::local(BINARY, Engine::Sqlite).await;
    let mode = std::fs::metadata(server.data_dir()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
