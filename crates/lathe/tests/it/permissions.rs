//! The walk over the whole route table: every route of every door refuses whom it must.

use lathe_core::Action;
use lathe_http::permission::Need;
use lathe_testkit::{ADMIN_PASSWORD, Engine, TestServer, answer};
use reqwest::{Method, StatusCode};
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_lathe");

/// A role and a token that holds it in project `default`.
struct Holder {
    role: &'static str,
    rank: usize,
    token: String,
}

const ROLES: [&str; 4] = ["viewer", "contributor", "maintainer", "admin"];

async fn make_holder(server: &TestServer, rank: usize) -> Holder {
    let role = ROLES[rank];
    let username = format!("the-{role}");
    let password = "long enough for a test";
    let admin = |method, path: &str| server.request(method, path).basic_auth("admin", Some(ADMIN_PASSWORD));
    let (status, body) =
        answer(admin(Method::POST, "/api/v1/users").json(&json!({ "username": username, "password": password }))).await;
    assert!(status.is_success(), "{status} {body}");
    let path = format!("/api/v1/projects/default/members/{username}");
    let (status, body) = answer(admin(Method::PUT, &path).json(&json!({ "role": role }))).await;
    assert!(status.is_success(), "{status} {body}");
    let token = make_token(server, &username, password, "all").await;
    Holder { role, rank, token }
}

async fn make_token(server: &TestServer, username: &str, password: &str, scope: &str) -> String {
    let as_user = server.request(Method::POST, "/api/v1/tokens").basic_auth(username, Some(password));
    let (status, body) = answer(as_user.json(&json!({ "name": "walk", "scope": scope }))).await;
    assert!(status.is_success(), "{status} {body}");
    body["token"].as_str().unwrap().to_owned()
}

/// A path of the route with something in every capture.
fn concrete(path: &str) -> String {
    path.split('/')
        .map(|segment| if segment.starts_with('{') { "0123456789abcdef0123456789abcdef" } else { segment })
        .collect::<Vec<_>>()
        .join("/")
}

fn is_stream(path: &str) -> bool {
    path.ends_with("/stream")
}

/// How a request was answered; gRPC says it in a header of its own.
async fn status_of(request: reqwest::RequestBuilder) -> StatusCode {
    let response = request.send().await.unwrap();
    match response.headers().get("grpc-status").map(|status| status.to_str().unwrap()) {
        Some("16") => StatusCode::UNAUTHORIZED,
        Some("7") => StatusCode::FORBIDDEN,
        _ => response.status(),
    }
}

#[tokio::test]
async fn every_route_refuses_whom_it_must() {
    let table = lathe::server::route_table();
    assert!(table.len() > 150, "the table holds all doors: {}", table.len());
    let server = TestServer::login(BINARY, Engine::Sqlite).await;
    let mut holders = Vec::new();
    for rank in 0..ROLES.len() {
        holders.push(make_holder(&server, rank).await);
    }
    for row in &table {
        let path = concrete(row.path);
        let send = |token: Option<&str>| {
            let request = server.request(row.method.clone(), &path);
            match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            }
        };
        if row.need != Need::Public {
            let status = status_of(send(None)).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{} {} without credentials", row.method, row.path);
            let status = status_of(send(Some("lth_wrong"))).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{} {} with a wrong token", row.method, row.path);
        }
        for holder in &holders {
            let needed = match row.need {
                Need::Public | Need::SignedIn => 0,
                Need::Can(action) => {
                    action.needs().map_or(usize::MAX, |role| ROLES.iter().position(|r| *r == role.as_str()).unwrap())
                }
            };
            // A route that would act on the holder itself must not end the walk.
            if is_stream(&path) || path.ends_with("/logout") {
                continue;
            }
            let status = status_of(send(Some(&holder.token))).await;
            let is_refused = status == StatusCode::FORBIDDEN;
            assert_eq!(is_refused, holder.rank < needed, "{} {} as {}: {status}", row.method, row.path, holder.role);
            assert!(
                !status.is_server_error() || status == StatusCode::NOT_IMPLEMENTED,
                "{} {} as {}: {status}",
                row.method,
                row.path,
                holder.role
            );
        }
    }
}

#[tokio::test]
async fn a_token_of_scope_infer_reaches_nothing_but_models() {
    let server = TestServer::login(BINARY, Engine::Sqlite).await;
    let token = make_token(&server, "admin", ADMIN_PASSWORD, "infer").await;
    for row in lathe::server::route_table() {
        let path = concrete(row.path);
        if is_stream(&path) || row.need == Need::Public {
            continue;
        }
        let status = status_of(server.request(row.method.clone(), &path).bearer_auth(&token)).await;
        let is_refused = status == StatusCode::FORBIDDEN;
        assert_eq!(is_refused, row.need != Need::Can(Action::Infer), "{} {}: {status}", row.method, row.path);
    }
}

#[tokio::test]
async fn every_native_route_is_described_in_openapi() {
    let description = lathe::openapi();
    let paths = description["paths"].as_object().unwrap();
    for row in lathe::server::route_table() {
        if row.path.starts_with("/api/v1/") {
            let method = row.method.as_str().to_lowercase();
            // OpenAPI has no captures of several segments.
            let path = row.path.replace("{*", "{");
            assert!(
                paths.get(&path).and_then(|path| path.get(&method)).is_some(),
                "{method} {} is not described",
                row.path
            );
        }
    }
}
