//! The command line against a real server without login.

use std::path::Path;
use std::process::Stdio;

use lathe_testkit::{Engine, TestServer};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_lathe");

/// A person with a home folder of their own and a server in their environment.
pub(crate) struct Cli {
    pub(crate) home: TempDir,
    url: String,
}

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Cli {
    pub(crate) fn new(url: &str) -> Self {
        Self { home: tempfile::tempdir().unwrap(), url: url.to_owned() }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(BINARY);
        command.args(arguments).env_clear().current_dir(self.home.path()).stdin(Stdio::null()).kill_on_drop(true);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.home.path());
        command.env("TZ", "UTC").env("LATHE_URL", &self.url);
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        Self::end(self.command(arguments)).await
    }

    /// With something on standard input.
    pub(crate) async fn run_with(&self, arguments: &[&str], input: &str) -> Ended {
        let file = self.home.path().join("input");
        std::fs::write(&file, input).unwrap();
        let mut command = self.command(arguments);
        command.stdin(std::fs::File::open(&file).unwrap());
        Self::end(command).await
    }

    pub(crate) async fn end(mut command: tokio::process::Command) -> Ended {
        let output = command.output().await.unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) async fn ok(&self, arguments: &[&str]) -> String {
        let Ended { code, out, err } = self.run(arguments).await;
        assert_eq!(code, 0, "lathe {arguments:?}\n{out}\n{err}");
        out
    }

    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let out = self.ok(&[arguments, &["-o", "json"]].concat()).await;
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// Asserts the exit code; answers what was said.
    pub(crate) async fn fails(&self, arguments: &[&str], expected: i32) -> String {
        let Ended { code, out, err } = self.run(arguments).await;
        assert_eq!(code, expected, "lathe {arguments:?}\n{out}\n{err}");
        assert!(err.starts_with("error: "), "{err}");
        err
    }
}

async fn mlflow(server: &TestServer, path: &str, body: Value) -> Value {
    let (status, answer) = server.post(&format!("/api/2.0/mlflow/{path}"), &body).await;
    assert!(status.is_success(), "{path}: {status} {answer}");
    answer
}

const STARTED_MS: i64 = 1_767_225_600_000; // 2026-01-01 00:00:00 UTC

/// Two runs of which the second was registered as version 1 of `digits`, and a third of another experiment.
pub(crate) struct World {
    pub(crate) server: TestServer,
    pub(crate) cli: Cli,
    pub(crate) runs: Vec<String>,
}

pub(crate) async fn make_run(server: &TestServer, experiment_id: &str, name: &str, start_ms: i64) -> String {
    let body = json!({ "experiment_id": experiment_id, "run_name": name, "user_id": "ada", "start_time": start_ms });
    let run = mlflow(server, "runs/create", body).await;
    run["run"]["info"]["run_id"].as_str().unwrap().to_owned()
}

async fn log(server: &TestServer, run_id: &str, loss: f64, learning_rate: &str) {
    let body = json!({
        "run_id": run_id,
        "metrics": [{ "key": "loss", "value": loss, "timestamp": STARTED_MS, "step": 0 },
                    { "key": "same", "value": 1.0, "timestamp": STARTED_MS, "step": 0 }],
        "params": [{ "key": "lr", "value": learning_rate }, { "key": "depth", "value": "3" }],
    });
    mlflow(server, "runs/log-batch", body).await;
}

impl World {
    pub(crate) async fn new() -> Self {
        let server = TestServer::local(BINARY, Engine::Sqlite).await;
        let experiment = mlflow(&server, "experiments/create", json!({ "name": "digits" })).await;
        let experiment_id = experiment["experiment_id"].as_str().unwrap();
        let mut runs = Vec::new();
        for (name, loss, learning_rate) in [("first", 0.5, "0.1"), ("second", 0.25, "0.01")] {
            let start_ms = STARTED_MS + i64::try_from(runs.len()).unwrap() * 60_000;
            let run_id = make_run(&server, experiment_id, name, start_ms).await;
            log(&server, &run_id, loss, learning_rate).await;
            let end = json!({ "run_id": run_id, "status": "FINISHED", "end_time": start_ms + 12_300 });
            mlflow(&server, "runs/update", end).await;
            runs.push(run_id);
        }
        let dataset = json!({ "name": "train", "digest": "8f3a", "source_type": "local", "source": "{}" });
        let inputs = json!({ "run_id": runs[1], "datasets": [{ "tags": [], "dataset": dataset }] });
        mlflow(&server, "runs/log-inputs", inputs).await;
        mlflow(&server, "registered-models/create", json!({ "name": "digits" })).await;
        for _ in 0..2 {
            let source = format!("mlflow-artifacts:/{experiment_id}/{}/artifacts/model", runs[1]);
            let body = json!({ "name": "digits", "source": source, "run_id": runs[1] });
            mlflow(&server, "model-versions/create", body).await;
        }
        runs.push(make_run(&server, "0", "other \u{1b}[31m\u{9b}2J", STARTED_MS - 60_000).await);
        let cli = Cli::new(&server.url);
        // Readers of the ledger see sealed events only.
        while cli.json(&["status"]).await["ledger_unsealed"] != 0 {}
        Self { server, cli, runs }
    }
}

#[tokio::test]
async fn every_list_is_an_array_of_objects_in_json() {
    let World { cli, runs, server: _server } = World::new().await;
    let experiments = cli.json(&["exp", "list"]).await;
    assert_eq!(experiments.as_array().unwrap().len(), 2);
    // Both may be of the same millisecond.
    let digits = experiments.as_array().unwrap().iter().find(|experiment| experiment["name"] == "digits").unwrap();
    assert!(digits["created_at_ms"].is_i64());

    let listed = cli.json(&["run", "list"]).await;
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|run| run["run_name"].as_str().unwrap()).collect();
    assert_eq!(names, ["second", "first", "other \u{1b}[31m\u{9b}2J"], "newest first, of all experiments");
    assert_eq!(listed[1]["run_id"], runs[0].as_str());
    assert_eq!(listed[1]["started_at_ms"], STARTED_MS);
    assert_eq!(listed[1]["duration_ms"], 12_300);
    assert_eq!(listed[1]["metrics.loss"], 0.5);
    assert_eq!(listed[1]["params.lr"], "0.1");
    assert_eq!(listed[2]["metrics.loss"], Value::Null);

    let models = cli.json(&["model", "list"]).await;
    assert_eq!(models[0]["name"], "digits");
    assert_eq!(models[0]["latest_version"], 2);
    assert_eq!(models[0]["aliases"], json!({}));

    let projects = cli.json(&["project", "list"]).await;
    assert_eq!(projects[0]["name"], "default");
    let events = cli.json(&["audit", "log", "--action", "version.", "--limit", "1"]).await;
    assert_eq!(events[0]["subject"], "default/model/digits/2");
    assert_eq!(events[0]["action"], "version.created");
    for list in ["user", "token", "member"] {
        assert!(cli.json(&[list, "list"]).await.is_array(), "{list}");
    }
}

#[tokio::test]
async fn the_runs_table_reads_well() {
    let World { cli, runs, server: _server } = World::new().await;
    let mut out = cli.ok(&["run", "list", "--experiment", "digits"]).await;
    for (place, run_id) in runs.iter().enumerate() {
        out = out.replace(run_id, &format!("run-{place}-{}", "0".repeat(26)));
    }
    insta::assert_snapshot!("run_list", out);
}

#[tokio::test]
async fn help_names_every_command() {
    insta::assert_snapshot!("help", Cli::new("http://127.0.0.1:1").ok(&["--help"]).await);
}

#[tokio::test]
async fn runs_are_filtered_ordered_and_paged_and_nothing_is_cut_silently() {
    let World { cli, server: _server, .. } = World::new().await;
    let names = |rows: &Value| -> Vec<String> {
        rows.as_array().unwrap().iter().map(|run| run["run_name"].as_str().unwrap().to_owned()).collect()
    };
    let good = cli.json(&["run", "list", "--filter", "metrics.loss < 0.3 and params.depth = '3'"]).await;
    assert_eq!(names(&good), ["second"]);
    let by_loss = ["run", "list", "-e", "digits", "--order-by", "metrics.loss DESC", "--columns", "metrics.loss"];
    let ordered = cli.json(&by_loss).await;
    assert_eq!(names(&ordered), ["first", "second"]);
    assert!(ordered[0].get("params.lr").is_none(), "only the columns that were asked for");

    let Ended { code, out, err } = cli.run(&["run", "list", "--limit", "2", "-o", "jsonl"]).await;
    assert_eq!((code, out.lines().count()), (0, 2));
    assert_eq!(err, "2 of 3 runs; --all prints the rest\n");
    let quiet = cli.run(&["run", "list", "--limit", "2", "--quiet"]).await;
    assert_eq!(quiet.err, "");
    let csv = cli.ok(&["run", "list", "--all", "-o", "csv"]).await;
    assert!(csv.starts_with("run_id,run_name,experiment,status,user,started_at_ms,duration_ms,"), "{csv}");
    assert_eq!(csv.lines().count(), 4);

    let said = cli.fails(&["run", "list", "--filter", "loss <<"], 2).await;
    assert!(said.contains("'loss', '<<'"), "{said}");
    let said = cli.fails(&["run", "list", "--experiment", "nothing"], 3).await;
    assert!(said.contains("hint: see them all: lathe exp list"), "{said}");
}

#[tokio::test]
async fn what_users_wrote_cannot_command_the_terminal() {
    let World { cli, runs, server: _server } = World::new().await;
    for arguments in [&["run", "list"][..], &["run", "show", &runs[2]], &["run", "list", "-o", "json"]] {
        let out = cli.ok(arguments).await;
        assert!(out.contains("other "), "{out}");
        assert!(!out.contains(['\u{1b}', '\u{9b}']), "{arguments:?}: {out:?}");
    }
    let said = cli.fails(&["run", "show", "\u{1b}[2J"], 3).await;
    assert!(!said.contains('\u{1b}'), "{said:?}");
}

#[tokio::test]
async fn a_run_is_found_by_the_beginning_or_the_end_of_its_id() {
    let World { cli, runs, server: _server } = World::new().await;
    let start = &runs[1][..20];
    for name in [start, &format!("run/{start}"), &runs[1][24..], &runs[1]] {
        let run = cli.json(&["run", "show", name]).await;
        assert_eq!(run["run_id"], runs[1].as_str(), "{name}");
        assert_eq!(run["metrics"], json!({ "loss": 0.25, "same": 1.0 }));
        assert_eq!(run["params"], json!({ "depth": "3", "lr": "0.01" }));
        assert_eq!(run["experiment"], "digits");
        assert_eq!(run["datasets"], json!(["train@8f3a"]));
    }
    let said = cli.fails(&["run", "show", &runs[1][..4]], 2).await;
    assert!(said.contains("several runs begin with") && said.contains("second"), "{said}");
    cli.fails(&["run", "show", "ffffffff"], 3).await;
    cli.fails(&["run", "show", &"f".repeat(32)], 3).await;
}

#[tokio::test]
async fn comparing_runs_shows_what_differs() {
    let World { cli, runs, server: _server } = World::new().await;
    let compared = cli.json(&["run", "compare", &runs[0], &runs[1]]).await;
    let expected = json!([
        { "kind": "metric", "key": "loss", runs[0].clone(): 0.5, runs[1].clone(): 0.25 },
        { "kind": "param", "key": "lr", runs[0].clone(): "0.1", runs[1].clone(): "0.01" },
    ]);
    assert_eq!(compared, expected);
    let all = cli.json(&["run", "compare", &runs[0], &runs[1], "--all"]).await;
    assert_eq!(all.as_array().unwrap().len(), 4);
    let same = cli.run(&["run", "compare", &runs[0], &runs[0]]).await;
    assert_eq!((same.code, same.out.as_str()), (0, ""));
    assert!(same.err.contains("--all"), "{}", same.err);
    assert_eq!(cli.run(&["run", "compare", &runs[0]]).await.code, 2);
}

#[tokio::test]
async fn lineage_takes_short_names_and_draws_a_tree() {
    let World { cli, runs, server: _server } = World::new().await;
    cli.ok(&["model", "alias", "digits", "champion", "1"]).await;
    let expected = format!(
        "model digits/1\n└─ registered from run {} \"second\" FINISHED\n   └─ read dataset train@8f3a\n",
        runs[1]
    );
    for name in ["digits/1", "model/digits/1", "default/model/digits/1", "digits@champion", "models:/digits/1"] {
        assert_eq!(cli.ok(&["lineage", "why", name]).await, expected, "{name}");
    }
    let start = &runs[1][..20];
    for name in [start, &format!("run/{start}"), &format!("default/run/{}", runs[1])] {
        let graph = cli.json(&["lineage", "why", name]).await;
        assert_eq!(graph["center"], format!("default/run/{}", runs[1]), "{name}");
        assert_eq!(graph["edges"].as_array().unwrap().len(), 1);
    }
    let out = cli.ok(&["lineage", "impact", "train@8f3a", "-o", "csv"]).await;
    assert_eq!(out.lines().next(), Some("from,kind,to"));
    assert!(out.contains("default/model/digits/2"), "{out}");

    let alone = cli.run(&["lineage", "why", &runs[0]]).await;
    assert_eq!(alone.code, 0, "a run without lineage exists all the same");
    assert!(alone.err.contains("nothing is recorded"), "{}", alone.err);
    for missing in ["digits/9", "nothing", "default/model/digits/9", "dataset/none@0", "run/ffff"] {
        cli.fails(&["lineage", "why", missing], 3).await;
    }
    cli.fails(&["lineage", "why", "nowhere/model/digits/1"], 3).await;
}

#[tokio::test]
async fn an_alias_is_set_moved_and_removed_and_says_what_it_pointed_to() {
    let World { cli, server: _server, .. } = World::new().await;
    let moves = |version: Value, before: Value| json!({ "model": "digits", "alias": "champion", "version": version, "previous_version": before });
    let alias = ["model", "alias", "digits", "champion"];
    cli.fails(&alias, 3).await;
    assert_eq!(cli.json(&[&alias[..], &["1"]].concat()).await, moves(json!(1), Value::Null));
    assert_eq!(cli.json(&[&alias[..], &["2"]].concat()).await, moves(json!(2), json!(1)));
    assert_eq!(cli.json(&alias).await, moves(json!(2), Value::Null));
    assert_eq!(cli.json(&["model", "alias", "digits"]).await, json!([{ "alias": "champion", "version": 2 }]));
    assert_eq!(cli.json(&["model", "show", "digits@champion"]).await["version"], 2);
    let model = cli.json(&["model", "show", "digits"]).await;
    assert_eq!(model["aliases"], json!({ "champion": 2 }));
    assert_eq!(model["versions"][0]["version"], 2);
    assert_eq!(model["versions"][0]["aliases"], json!(["champion"]));
    assert_eq!(cli.json(&[&alias[..], &["--remove"]].concat()).await, moves(Value::Null, json!(2)));
    cli.fails(&[&alias[..], &["--remove"]].concat(), 3).await;
    cli.fails(&[&alias[..], &["9"]].concat(), 3).await;
    let said = cli.fails(&["model", "show", "nothing"], 3).await;
    assert!(said.contains("hint: see the models: lathe model list"), "{said}");
}

#[tokio::test]
async fn audit_verify_names_a_rewritten_event() {
    let World { cli, server, .. } = World::new().await;
    let found = cli.json(&["audit", "verify"]).await;
    assert_eq!(found["verified"], true);
    assert_eq!(found["head"].as_str().unwrap().len(), 64);

    let db = lathe_db::Db::open(server.database_url(), &lathe_db::DbOptions::default()).await.unwrap();
    let rewrite = lathe_db::query("UPDATE events SET actor_name = 'somebody else' WHERE position = 3");
    db.write(|tx| lathe_db::FutureExt::boxed(async move { tx.execute(rewrite).await })).await.unwrap();
    db.close().await;
    let Ended { code, out, err } = cli.run(&["audit", "verify", "-o", "json"]).await;
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 1, "{err}");
    assert_eq!(found["broken_position"], 3);
    assert!(err.contains("at position 3"), "{err}");
}

#[tokio::test]
async fn audit_log_is_filtered_and_says_when_it_is_cut() {
    let World { cli, runs, server: _server } = World::new().await;
    let of_run = cli.json(&["audit", "log", "--subject", &runs[0], "--since", "1h", "--actor", "local"]).await;
    let actions: Vec<_> = of_run.as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(actions.last(), Some(&"run.created"), "{actions:?}");
    let none = cli.run(&["audit", "log", "--until", "2020-01-01"]).await;
    assert_eq!((none.code, none.out.as_str(), none.err.as_str()), (0, "", "no events\n"));
    let cut = cli.run(&["audit", "log", "-n", "2"]).await;
    assert_eq!(cut.err, "the newest 2 events; --all prints the older ones too\n");
    assert_eq!(cli.run(&["audit", "log", "--since", "yesterday"]).await.code, 2);
}

#[tokio::test]
async fn status_and_whoami_tell_where_one_is() {
    let World { cli, server, .. } = World::new().await;
    let status = cli.json(&["status"]).await;
    assert_eq!(status["url"], server.url.as_str());
    assert_eq!(
        (&status["mode"], &status["database"], &status["project"]),
        (&json!("local"), &json!("sqlite"), &json!("default"))
    );
    assert_eq!((&status["runs"], &status["models"], &status["versions"]), (&json!(3), &json!(1), &json!(2)));
    let verified = cli.json(&["audit", "verify"]).await;
    assert_eq!((&status["ledger_events"], &status["ledger_head"]), (&verified["events"], &verified["head"]));
    assert_eq!(status["ledger_unsealed"], 0);
    assert_eq!(cli.json(&["whoami"]).await["name"], "local");
    let opened = cli.ok(&["open", "digits/1"]).await;
    assert_eq!(opened.trim(), format!("{}/p/default/models/digits/versions/1", server.url));
    cli.fails(&["status", "--project", "nothing"], 3).await;
}

/// What a shell has in a variable after `eval "$(lathe env …)"`.
async fn after_eval(cli: &Cli, arguments: &str, variable: &str) -> String {
    let mut command = tokio::process::Command::new("sh");
    let script = format!("eval \"$({BINARY} env {arguments})\" && printf %s \"${variable}\"");
    command.args(["-euc", &script]).env("HOME", cli.home.path()).env_remove("LATHE_TOKEN").current_dir(cli.home.path());
    let Ended { code, out, err } = Cli::end(command).await;
    assert_eq!(code, 0, "{err}");
    out
}

#[tokio::test]
async fn env_is_safe_to_eval() {
    // No server is asked.
    let cli = Cli::new("http://127.0.0.1:1");
    let url = "--url https://lathe.example";
    assert_eq!(after_eval(&cli, url, "MLFLOW_TRACKING_URI").await, "https://lathe.example");
    assert_eq!(
        after_eval(&cli, &format!("{url} -p fraud"), "MLFLOW_TRACKING_URI").await,
        "https://lathe.example/p/fraud"
    );
    assert_eq!(after_eval(&cli, &format!("{url}/p/fraud"), "LATHE_PROJECT").await, "fraud");
    let token = r#"--token "it's \$(echo unsafe)""#;
    assert_eq!(after_eval(&cli, &format!("{url} {token}"), "MLFLOW_TRACKING_TOKEN").await, "it's $(echo unsafe)");
    let variables = cli.json(&["env", "--token", "lth_x"]).await;
    assert_eq!(variables["MLFLOW_TRACKING_TOKEN"], "lth_x");
    assert_eq!(variables["MLFLOW_TRACKING_URI"], "http://127.0.0.1:1");
}

#[tokio::test]
async fn an_unreachable_server_is_7_with_a_hint_that_can_be_run() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = Cli::new(&format!("http://{free}")).fails(&["run", "list"], 7).await;
    assert!(said.contains(&format!("http://{free} cannot be reached")), "{said}");
    assert!(said.contains("\ncause: Connection refused"), "{said}");
    assert!(said.contains(&format!("\nhint: start a server: lathe serve --listen {free}")), "{said}");
    for wrong in ["ftp://x", "not a url", "http://x/api"] {
        Cli::new(wrong).fails(&["run", "list"], 2).await;
    }
}

#[tokio::test]
async fn settings_come_from_flags_then_variables_then_files() {
    let cli = Cli::new("http://127.0.0.1:1");
    let write = |path: &Path, text: &str| {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let (user_file, project_file) =
        (cli.home.path().join(".config/lathe/config.toml"), cli.home.path().join("lathe.toml"));
    let uri = async |arguments: &[&str], url: Option<&str>| {
        let mut command = cli.command(&[&["env", "-o", "json"], arguments].concat());
        match url {
            Some(url) => command.env("LATHE_URL", url),
            None => command.env_remove("LATHE_URL"),
        };
        let Ended { code, out, err } = Cli::end(command).await;
        assert_eq!(code, 0, "{err}");
        serde_json::from_str::<Value>(&out).unwrap()["MLFLOW_TRACKING_URI"].as_str().unwrap().to_owned()
    };
    assert_eq!(uri(&[], None).await, "http://127.0.0.1:4400");
    write(&user_file, "url = \"http://user.example\"\nproject = \"fraud\"\n");
    assert_eq!(uri(&[], None).await, "http://user.example/p/fraud");
    write(&project_file, "url = \"http://folder.example\"\n");
    assert_eq!(uri(&[], None).await, "http://folder.example/p/fraud");
    assert_eq!(uri(&[], Some("http://variable.example")).await, "http://variable.example/p/fraud");
    assert_eq!(
        uri(&["--url", "http://flag.example"], Some("http://variable.example")).await,
        "http://flag.example/p/fraud"
    );

    // A folder of somebody else must not decide where a token of the environment goes.
    let with_token = |url: Option<&str>| {
        let mut command = cli.command(&["env"]);
        command.env("LATHE_TOKEN", "lth_x");
        match url {
            Some(url) => command.env("LATHE_URL", url),
            None => command.env_remove("LATHE_URL"),
        };
        Cli::end(command)
    };
    let refused = with_token(None).await;
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("http://folder.example") && !refused.out.contains("lth_x"), "{}", refused.err);
    assert_eq!(with_token(Some("http://127.0.0.1:1")).await.code, 0);

    for (text, named) in [
        ("colour = 1", "`colour` is no setting"),
        ("token = 'x'", "`token` is no setting"),
        ("output = 'xml'", "`output`: invalid value 'xml'"),
        ("login = 'x'", "`login`: must be true or false"),
        ("url = ", "lathe.toml"),
    ] {
        write(&project_file, text);
        let said = cli.fails(&["env"], 2).await;
        assert!(said.contains(named) && said.contains("lathe.toml"), "{said}");
    }
}

#[tokio::test]
async fn a_reader_that_leaves_early_is_no_error() {
    let cli = Cli::new("http://127.0.0.1:1");
    let mut command = cli.command(&["completions", "bash"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().await.unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(ended.stderr.is_empty());
    for shell in ["bash", "zsh", "fish"] {
        assert!(cli.ok(&["completions", shell]).await.contains("lineage"), "{shell}");
    }
}

#[tokio::test]
async fn a_damaged_object_is_found_and_what_depends_on_it_is_named() {
    let World { cli, server, runs } = World::new().await;
    let stores = ["--data-dir", &server.data_dir().display().to_string(), "--database-url", server.database_url()];
    let path = format!("/api/2.0/mlflow-artifacts/artifacts/1/{}/artifacts/weights.bin", runs[0]);
    let put = server.request(Method::PUT, &path).body("forty-two bytes of a model that matters much");
    assert!(put.send().await.unwrap().status().is_success());
    let whole = cli.json(&[&["fsck"], &stores[..]].concat()).await;
    assert_eq!((&whole["objects"], &whole["damaged"]), (&json!(1), &json!(0)));
    assert_eq!(cli.json(&[&["gc"], &stores[..]].concat()).await["deleted_objects"], 0);
    cli.ok(&[&["gc"], &stores[..]].concat()).await;

    let object = find_file(&server.data_dir().join("objects")).unwrap();
    let mut bytes = std::fs::read(&object).unwrap();
    bytes[7] ^= 1;
    std::fs::write(&object, bytes).unwrap();
    let Ended { code, out, err } = cli.run(&[&["fsck", "-o", "json"], &stores[..]].concat()).await;
    assert_eq!(code, 1, "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(found["damaged"], 1);
    assert!(found["damages"][0]["dependents"][0].as_str().unwrap().contains("weights.bin"), "{found}");
    assert!(err.contains("hint: "), "{err}");
    let said = cli.fails(&["fsck", "--data-dir", "nowhere"], 3).await;
    assert!(said.contains("there is no Lathe data in nowhere"), "{said}");
    assert!(!cli.home.path().join("nowhere").exists(), "looking makes nothing");
}

fn find_file(folder: &Path) -> Option<std::path::PathBuf> {
    std::fs::read_dir(folder).ok()?.filter_map(Result::ok).find_map(|entry| {
        let path = entry.path();
        if path.is_dir() { find_file(&path) } else { Some(path) }
    })
}
