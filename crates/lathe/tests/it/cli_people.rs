//! The command line against a real server with login.

use std::os::unix::fs::PermissionsExt as _;

use lathe_testkit::{ADMIN_PASSWORD, Engine, TestServer};
use serde_json::json;

use crate::cli::{BINARY, Cli, Ended};

async fn sign_in(cli: &Cli, user: &str, password: &str) {
    let Ended { code, out, err } = cli.run_with(&["login", "--user", user, "--password-stdin"], password).await;
    assert_eq!(code, 0, "{out}\n{err}");
}

#[tokio::test]
async fn login_keeps_a_token_and_logout_revokes_it() {
    let server = TestServer::login(BINARY, Engine::Sqlite).await;
    let cli = Cli::new(&server.url);
    let said = cli.fails(&["run", "list"], 4).await;
    assert!(said.contains(&format!("hint: sign in: lathe login --url {}", server.url)), "{said}");
    let wrong = cli.run_with(&["login", "--user", "admin", "--password-stdin"], "not the password\n").await;
    assert_eq!(wrong.code, 4, "{}", wrong.err);
    assert!(wrong.err.contains("hint: try again: lathe login --user admin"), "{}", wrong.err);
    assert!(!cli.home.path().join(".config/lathe/credentials.json").exists());
    assert_eq!(cli.run(&["login"]).await.code, 2, "nobody can be asked");

    sign_in(&cli, "admin", &format!("{ADMIN_PASSWORD}\n")).await;
    let kept = cli.home.path().join(".config/lathe/credentials.json");
    assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!std::fs::read_to_string(&kept).unwrap().contains(ADMIN_PASSWORD));
    let who = cli.json(&["whoami"]).await;
    assert_eq!((&who["name"], &who["is_admin"]), (&json!("admin"), &json!(true)));
    let token = cli.json(&["env"]).await["MLFLOW_TRACKING_TOKEN"].as_str().unwrap().to_owned();
    let env = cli.ok(&["env"]).await;
    assert!(env.contains("unset MLFLOW_TRACKING_USERNAME MLFLOW_TRACKING_PASSWORD"), "{env}");

    // Signing in again replaces the token; the old one is of no use any more.
    sign_in(&cli, "admin", ADMIN_PASSWORD).await;
    assert_eq!(cli.json(&["token", "list"]).await.as_array().unwrap().len(), 1);
    cli.fails(&["whoami", "--token", &token], 4).await;

    let token = cli.json(&["env"]).await["MLFLOW_TRACKING_TOKEN"].as_str().unwrap().to_owned();
    cli.ok(&["logout"]).await;
    cli.fails(&["whoami"], 4).await;
    let said = cli.fails(&["whoami", "--token", &token], 4).await;
    assert!(said.contains("unset LATHE_TOKEN"), "{said}");
    assert!(cli.run(&["logout"]).await.err.contains("no token is stored"));
    let status = cli.run(&["status", "-o", "json"]).await;
    assert_eq!(status.code, 4);
    assert!(status.out.contains("\"mode\": \"login\""), "what is public is told: {}", status.out);
}

#[tokio::test]
async fn a_server_without_login_needs_no_token() {
    let server = TestServer::local(BINARY, Engine::Sqlite).await;
    let cli = Cli::new(&server.url);
    let Ended { code, err, .. } = cli.run(&["login"]).await;
    assert_eq!(code, 0);
    assert!(err.contains("has no login"), "{err}");
    cli.fails(&["token", "create", "laptop"], 5).await;
}

#[tokio::test]
async fn people_projects_members_and_tokens() {
    let server = TestServer::login(BINARY, Engine::Sqlite).await;
    let (admin, alice) = (Cli::new(&server.url), Cli::new(&server.url));
    sign_in(&admin, "admin", ADMIN_PASSWORD).await;
    let made = admin.json(&["user", "create", "alice"]).await;
    let password = made["password"].as_str().unwrap();
    admin.fails(&["user", "create", "alice"], 5).await;
    admin.fails(&["user", "create", "No Name"], 2).await;
    admin.ok(&["project", "create", "fraud", "--description", "who pays"]).await;
    admin.ok(&["member", "set", "alice", "contributor", "--project", "fraud"]).await;
    assert_eq!(
        admin.json(&["member", "list", "-p", "fraud"]).await,
        json!([{ "username": "alice", "role": "contributor" }])
    );
    let users = admin.json(&["user", "list"]).await;
    assert_eq!((&users[0]["username"], &users[1]["username"]), (&json!("admin"), &json!("alice")));

    sign_in(&alice, "alice", password).await;
    let changed =
        alice.run_with(&["user", "password", "--password-stdin"], &format!("{password}\nanother long one\n")).await;
    assert_eq!(changed.code, 0, "{}", changed.err);
    sign_in(&alice, "alice", "another long one").await;
    assert_eq!(alice.json(&["whoami", "-p", "fraud"]).await["role"], "contributor");
    let projects = alice.json(&["project", "list"]).await;
    assert_eq!((&projects[0]["name"], &projects[0]["description"]), (&json!("fraud"), &json!("who pays")));
    for refused in
        [&["user", "list"][..], &["project", "create", "x"], &["member", "list", "-p", "fraud"], &["run", "list"]]
    {
        alice.fails(refused, 4).await;
    }
    let uri = alice.json(&["env", "-p", "fraud"]).await["MLFLOW_TRACKING_URI"].clone();
    assert_eq!(uri, format!("{}/p/fraud", server.url));

    let token = alice.ok(&["token", "create", "laptop", "--expires-in-days", "7", "--read-only"]).await;
    assert!(token.starts_with("lth_") && token.lines().count() == 1, "nothing but the token: {token}");
    assert_eq!(alice.json(&["whoami", "-p", "fraud", "--token", token.trim()]).await["name"], "alice");
    let tokens = alice.json(&["token", "list"]).await;
    let laptop = tokens.as_array().unwrap().iter().find(|token| token["name"] == "laptop").unwrap().clone();
    assert_eq!((&laptop["scope"], &laptop["kind"]), (&json!("read"), &json!("personal")));
    assert!(laptop["expires_at_ms"].is_i64());
    alice.ok(&["token", "revoke", laptop["id"].as_str().unwrap()]).await;
    alice.fails(&["whoami", "-p", "fraud", "--token", token.trim()], 4).await;
    alice.fails(&["token", "create", "ci", "--service", "viewer", "-p", "fraud"], 4).await;
    let service = admin.json(&["token", "create", "ci", "--service", "viewer", "-p", "fraud"]).await;
    let secret = service["token"].as_str().unwrap();
    assert_eq!(alice.json(&["whoami", "-p", "fraud", "--token", secret]).await["kind"], "service");

    admin.ok(&["member", "remove", "alice", "-p", "fraud"]).await;
    alice.fails(&["run", "list", "-p", "fraud"], 4).await;
    let said = admin.fails(&["user", "delete", "alice"], 2).await;
    assert!(said.contains("hint: say it with --yes"), "{said}");
    admin.ok(&["user", "delete", "alice", "--yes"]).await;
    alice.fails(&["whoami"], 4).await;
    admin.fails(&["user", "delete", "alice", "--yes"], 3).await;
    admin.fails(&["user", "delete", "admin", "--yes"], 5).await;
}
