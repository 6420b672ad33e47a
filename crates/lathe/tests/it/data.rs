//! Repositories of files through the native API of a real server.

use lathe_testkit::{Engine, TestServer, answer};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_lathe");
const REPO: &str = "/api/v1/repos/images";

/// A server with a repository `images`.
async fn server(engine: Engine) -> TestServer {
    let server = TestServer::local(BINARY, engine).await;
    let (status, body) = server.post("/api/v1/repos", &json!({ "name": "images", "description": "Cats" })).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    assert_eq!((&body["default_branch"], &body["layout"]), (&json!("main"), &json!("ref")));
    server
}

fn object(at_ref: &str, path: &str) -> String {
    format!("{REPO}/refs/{at_ref}/objects/{path}")
}

async fn put(server: &TestServer, branch: &str, path: &str, content: impl Into<reqwest::Body>) -> Value {
    let (status, body) = answer(server.request(Method::PUT, &object(branch, path)).body(content)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

async fn read(server: &TestServer, at_ref: &str, path: &str) -> (StatusCode, String) {
    let response = server.request(Method::GET, &object(at_ref, path)).send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

async fn commit(server: &TestServer, branch: &str, message: &str) -> Value {
    let (status, body) =
        server.post(&format!("{REPO}/branches/{branch}/commits"), &json!({ "message": message })).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    body
}

async fn branch(server: &TestServer, name: &str) {
    let (status, body) = server.post(&format!("{REPO}/branches"), &json!({ "name": name, "from": "main" })).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
}

async fn from_file_to_merge(engine: Engine) {
    let server = server(engine).await;
    let large = "0123456789".repeat(200_000);
    let stored = put(&server, "main", "big/data.bin", large.clone()).await;
    assert_eq!(stored["size_bytes"], 2_000_000);
    assert_eq!(stored["hash"], blake3::hash(large.as_bytes()).to_hex().as_str());
    put(&server, "main", "a b/größe %2541.txt", "hello").await;
    assert_eq!(read(&server, "main", "a b/größe %2541.txt").await, (StatusCode::OK, "hello".to_owned()));
    let (_, listed) = server.get(&format!("{REPO}/refs/main/objects?delimiter=/")).await;
    assert_eq!(listed["prefixes"], json!(["a b/", "big/"]));
    let (_, listed) = server.get(&format!("{REPO}/refs/main/objects?prefix=a%20b/")).await;
    assert_eq!(listed["objects"][0]["path"], "a b/größe %41.txt");
    let (_, uncommitted) = server.get(&format!("{REPO}/branches/main/changes")).await;
    assert_eq!(uncommitted["changes"].as_array().unwrap().len(), 2);
    let first = commit(&server, "main", "First").await;
    assert_eq!((&first["paths"], &first["size_bytes"]), (&json!(2), &json!(2_000_005)));

    branch(&server, "side").await;
    put(&server, "side", "side.txt", "side").await;
    commit(&server, "side", "Side").await;
    put(&server, "main", "main.txt", "main").await;
    commit(&server, "main", "Main").await;
    assert_eq!(read(&server, "main", "side.txt").await.0, StatusCode::NOT_FOUND);
    let merge = format!("{REPO}/branches/main/merge");
    let (status, merged) = server.post(&merge, &json!({ "source": "side" })).await;
    assert_eq!((status, &merged["outcome"]), (StatusCode::OK, &json!("merged")), "{merged}");
    assert_eq!(read(&server, "main", "side.txt").await.1, "side");
    let (_, log) = server.get(&format!("{REPO}/refs/main/log?max_results=2")).await;
    assert_eq!(log["commits"][0]["message"], "Merge side into main");
    assert!(log["next_page_token"].is_string());
    let (_, diff) = server.get(&format!("{REPO}/diff?from=main~1&to=main")).await;
    assert_eq!((&diff["changes"][0]["path"], &diff["changes"][0]["kind"]), (&json!("side.txt"), &json!("added")));
    let (_, summary) = server.get(&format!("{REPO}/diff/summary?from=main~2&to=main")).await;
    assert_eq!((&summary["total"]["added"], &summary["total"]["bytes_after"]), (&json!(2), &json!(8)));

    let id = first["id"].as_str().unwrap();
    let (status, tag) = server.post(&format!("{REPO}/tags"), &json!({ "name": "v1", "from": &id[..10] })).await;
    assert_eq!((status, &tag["commit_id"]), (StatusCode::CREATED, &first["id"]));
    assert_eq!(read(&server, "v1", "big/data.bin").await, (StatusCode::OK, large));
    assert_eq!(read(&server, "v1", "main.txt").await.0, StatusCode::NOT_FOUND);
    let revert = format!("{REPO}/branches/main/revert");
    let (status, reverted) = server.post(&revert, &json!({ "commit": "main" })).await;
    assert_eq!(status, StatusCode::OK, "{reverted}");
    assert_eq!(read(&server, "main", "side.txt").await.0, StatusCode::NOT_FOUND);

    let (_, lineage) = server.get(&format!("/api/v1/lineage?name=default/data/images@{id}&depth=9")).await;
    assert_eq!(lineage["nodes"].as_array().unwrap().len(), 6, "{lineage}");
}

#[tokio::test]
async fn files_become_commits_that_branch_and_merge_sqlite() {
    from_file_to_merge(Engine::Sqlite).await;
}

#[tokio::test]
async fn files_become_commits_that_branch_and_merge_postgres() {
    from_file_to_merge(Engine::Postgres).await;
}

#[tokio::test]
async fn a_conflict_is_listed_and_decided() {
    let server = server(Engine::Sqlite).await;
    put(&server, "main", "a", "base").await;
    commit(&server, "main", "Base").await;
    branch(&server, "side").await;
    for (name, content) in [("main", "ours"), ("side", "theirs")] {
        put(&server, name, "a", content).await;
        commit(&server, name, content).await;
    }
    let merge = format!("{REPO}/branches/main/merge");
    let (status, refused) = server.post(&merge, &json!({ "source": "side" })).await;
    assert_eq!((status, &refused["code"], &refused["count"]), (StatusCode::CONFLICT, &json!("conflict"), &json!(1)));
    assert_eq!(refused["conflicts"][0]["path"], "a");
    assert_eq!(read(&server, "main", "a").await.1, "ours");
    let rules = json!([{ "pattern": "a*", "side": "source" }]);
    let (status, _) = server.post(&merge, &json!({ "source": "side", "rules": rules })).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(read(&server, "main", "a").await.1, "theirs");
}

#[tokio::test]
async fn a_file_is_served_as_an_attachment_with_ranges_and_conditions() {
    let server = server(Engine::Sqlite).await;
    let path = object("main", "x/a.txt");
    let upload = |condition: (header::HeaderName, &str), content: &'static str| {
        let request = server.request(Method::PUT, &path).header(condition.0, condition.1.to_owned());
        answer(request.header(header::CONTENT_TYPE, "text/html").body(content))
    };
    let (status, stored) = upload((header::IF_NONE_MATCH, "*"), "hello world").await;
    assert_eq!(status, StatusCode::OK);
    let (status, refused) = upload((header::IF_NONE_MATCH, "*"), "again").await;
    assert_eq!((status, &refused["code"]), (StatusCode::PRECONDITION_FAILED, &json!("precondition_failed")));
    let etag = format!("\"{}\"", stored["etag"].as_str().unwrap());

    let response = server.request(Method::GET, &path).header(header::RANGE, "bytes=6-8").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
    let shown = |name: header::HeaderName| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(shown(header::CONTENT_RANGE), "bytes 6-8/11");
    assert_eq!(shown(header::CONTENT_TYPE), "text/html");
    assert_eq!(shown(header::CONTENT_DISPOSITION), "attachment; filename=\"a.txt\"");
    assert!(shown(header::CONTENT_SECURITY_POLICY).contains("sandbox"));
    assert_eq!(shown(header::ETAG), etag);
    assert_eq!(response.text().await.unwrap(), "wor");
    let head = server.request(Method::HEAD, &path).send().await.unwrap();
    assert_eq!((head.status(), head.headers()[header::CONTENT_LENGTH].to_str().unwrap()), (StatusCode::OK, "11"));

    let (status, _) = upload((header::IF_MATCH, &etag), "changed").await;
    assert_eq!(status, StatusCode::OK);
    let stale = server.request(Method::DELETE, &path).header(header::IF_MATCH, etag);
    assert_eq!(answer(stale).await.0, StatusCode::PRECONDITION_FAILED);
    assert_eq!(answer(server.request(Method::DELETE, &path)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(read(&server, "main", "x/a.txt").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_wrong_is_said_in_a_problem() {
    let server = server(Engine::Sqlite).await;
    let (status, taken) = server.post("/api/v1/repos", &json!({ "name": "images" })).await;
    assert_eq!((status, &taken["code"]), (StatusCode::CONFLICT, &json!("already_exists")));
    let (status, bad) = server.post("/api/v1/repos", &json!({ "name": "No" })).await;
    assert_eq!((status, &bad["code"]), (StatusCode::BAD_REQUEST, &json!("invalid_argument")));
    let (status, nothing) =
        server.post(&format!("{REPO}/branches/main/commits"), &json!({ "message": "Nothing" })).await;
    assert_eq!((status, &nothing["code"]), (StatusCode::CONFLICT, &json!("conflict")));
    for missing in ["/api/v1/repos/absent", "/api/v1/repos/No!", &format!("{REPO}/refs/absent")] {
        assert_eq!(server.get(missing).await.0, StatusCode::NOT_FOUND, "{missing}");
    }
    for path in ["..%2F..%2Fetc%2Fpasswd", "a%2F..%2Fb", "a%5Cb", "a%00b", "a%2F%2Fb"] {
        let refused = server.request(Method::PUT, &object("main", path)).body("x");
        assert_eq!(answer(refused).await.0, StatusCode::BAD_REQUEST, "{path}");
    }
    // A body that is refused is read to its end, so that the client sees why.
    let refused = server.request(Method::PUT, &object("absent", "a")).body("x".repeat(3_000_000));
    assert_eq!(answer(refused).await.0, StatusCode::NOT_FOUND);
    let (status, _) = answer(server.request(Method::DELETE, REPO)).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(server.get(REPO).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_was_answered_survives_a_crash() {
    let mut server = server(Engine::Sqlite).await;
    put(&server, "main", "small", "1").await;
    put(&server, "main", "large", "2".repeat(100_000)).await;
    server.crash_and_restart().await;
    assert_eq!(read(&server, "main", "small").await.1, "1");
    commit(&server, "main", "After the crash").await;
    server.crash_and_restart().await;
    assert_eq!(read(&server, "main", "large").await.1.len(), 100_000);
    let (_, uncommitted) = server.get(&format!("{REPO}/branches/main/changes")).await;
    assert_eq!(uncommitted["changes"], json!([]));
}
