//! A database of every released Lathe becomes one of today. `tests/released` holds one database text (`database.jsonl` of a
//! backup) for each release; all of them hold the same small project.

use std::io::BufReader;
use std::path::PathBuf;

use lathe_db::{Db, DbOptions, backup, introspect, ledger, migrate};
use lathe_testkit::{Engine, TestServer};
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_lathe");

fn released() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/released");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    files
}

async fn upgrades(engine: Engine) {
    let files = released();
    assert!(!files.is_empty());
    for file in files {
        let folder = tempfile::tempdir().unwrap();
        let (url, new_url) = match engine {
            Engine::Sqlite => {
                let url = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
                (url("old.db"), url("new.db"))
            }
            Engine::Postgres => (engine.empty_database(&folder).await, engine.empty_database(&folder).await),
        };
        let open =
            async |url: &str| Db::open(url, &DbOptions { max_connections: 2, ..DbOptions::default() }).await.unwrap();
        let (old, new) = (open(&url).await, open(&new_url).await);
        let text = BufReader::new(std::fs::File::open(&file).unwrap());
        backup::load(&old, lathe::SCHEMAS, text, 0).await.unwrap();
        migrate(&old, lathe::SCHEMAS, 0).await.unwrap();
        migrate(&new, lathe::SCHEMAS, 0).await.unwrap();
        assert_eq!(introspect(&old).await.unwrap(), introspect(&new).await.unwrap(), "{}", file.display());
        assert_eq!(ledger::verify(&old).await.unwrap().first_broken, None, "{}", file.display());
        old.close().await;
        new.close().await;

        let server = TestServer::start_on(BINARY, folder, url, &[]).await;
        let search = json!({ "experiment_ids": ["1"], "filter": "metrics.loss < 0.5 AND params.lr = '0.1' AND tags.team = 'a'" });
        let (_, found) = server.post("/api/2.0/mlflow/runs/search", &search).await;
        let run = &found["runs"][0];
        assert_eq!(run["data"]["metrics"][0]["value"], json!(0.25), "{}: {found}", file.display());
        let run_id = run["info"]["run_id"].as_str().unwrap();
        let history = format!("/api/2.0/mlflow/metrics/get-history?run_id={run_id}&metric_key=loss");
        assert_eq!(server.get(&history).await.1["metrics"].as_array().unwrap().len(), 3);
        let (_, version) = server.get("/api/2.0/mlflow/registered-models/alias?name=net&alias=champion").await;
        assert_eq!(version["model_version"]["run_id"].as_str(), Some(run_id), "{}: {version}", file.display());
        let (_, lineage) = server.get("/api/v1/lineage?name=default/model/net/1&direction=up&depth=5").await;
        let kinds: Vec<_> = lineage["nodes"].as_array().unwrap().iter().map(|node| node["kind"].clone()).collect();
        assert!(kinds.contains(&json!("run")) && kinds.contains(&json!("dataset")), "{lineage}");
    }
}

#[tokio::test]
async fn every_released_database_is_upgraded_on_sqlite() {
    upgrades(Engine::Sqlite).await;
}

#[tokio::test]
async fn every_released_database_is_upgraded_on_postgres() {
    upgrades(Engine::Postgres).await;
}
