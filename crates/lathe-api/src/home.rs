//! `/home`: what a person sees first.

use axum::Json;
use axum::extract::State;
use lathe_core::{Action, Ctx, Result};
use lathe_db::ledger::{self, EventFilter};
use lathe_http::{Caller, Failure};
use lathe_models::registered_models;
use lathe_tracking::search;
use serde::Serialize;
use utoipa::ToSchema;

use crate::runs::{RunRow, run_row};
use crate::state::ApiState;

const RECENT_RUNS: i64 = 10;

/// A step of the getting-started list. It ticks itself off: it is done when its event stands in the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub struct GettingStarted {
    /// A stable id.
    pub id: String,
    /// What to do.
    pub title: String,
    /// Whether it was done in this project.
    pub done: bool,
    /// What to copy and run; `{origin}` stands for the server's address.
    pub snippet: String,
}

/// How much there is in the project.
#[derive(Debug, Serialize, ToSchema)]
pub struct Counts {
    /// Active experiments.
    pub experiments: i64,
    /// Active runs.
    pub runs: i64,
    /// Registered models.
    pub models: i64,
    /// Versions of all models.
    pub versions: i64,
}

/// The home page.
#[derive(Debug, Serialize, ToSchema)]
pub struct Home {
    /// First steps.
    pub getting_started: Vec<GettingStarted>,
    /// The newest runs.
    pub recent_runs: Vec<RunRow>,
    /// How much there is.
    pub counts: Counts,
}

struct Step {
    id: &'static str,
    title: &'static str,
    /// Each of them is the step.
    actions: &'static [&'static str],
    snippet: &'static str,
}

const STEPS: [Step; 5] = [
    Step {
        id: "log-run",
        title: "Log your first run",
        actions: &["run.created"],
        snippet: "export MLFLOW_TRACKING_URI={origin}\npython -c \"import mlflow; mlflow.start_run(); mlflow.log_metric('loss', 0.5)\"",
    },
    Step {
        id: "log-artifact",
        title: "Keep a file with a run",
        actions: &["artifact.uploaded"],
        snippet: "mlflow.log_artifact(\"report.html\")",
    },
    Step {
        id: "log-dataset",
        title: "Say which data a run read",
        actions: &["data.read", "run.inputs_logged"],
        snippet: "mlflow.log_input(mlflow.data.from_pandas(frame, name=\"train\"), context=\"training\")",
    },
    Step {
        id: "register-model",
        title: "Register a model version",
        actions: &["version.created"],
        snippet: "mlflow.register_model(f\"runs:/{run_id}/model\", \"my-model\")",
    },
    Step {
        id: "set-alias",
        title: "Name the version to use",
        actions: &["alias.set"],
        snippet: "MlflowClient().set_registered_model_alias(\"my-model\", \"champion\", 1)",
    },
];

/// Recent runs, counts and first steps.
#[utoipa::path(get, path = "/api/v1/home", tag = "runs", responses((status = 200, body = Home)))]
pub(crate) async fn get_home(State(api): State<ApiState>, Caller(ctx): Caller) -> Result<Json<Home>, Failure> {
    let mut getting_started = Vec::with_capacity(STEPS.len());
    for step in &STEPS {
        getting_started.push(GettingStarted {
            id: step.id.to_owned(),
            title: step.title.to_owned(),
            done: has_happened(&ctx, &api, step.actions).await?,
            snippet: step.snippet.to_owned(),
        });
    }
    let recent = search::list_newest_runs(&ctx, &api.tracking, RECENT_RUNS, &[]).await?;
    Ok(Json(Home {
        getting_started,
        recent_runs: recent.into_iter().map(run_row).collect(),
        counts: counts(&ctx, &api).await?,
    }))
}

async fn has_happened(ctx: &Ctx, api: &ApiState, actions: &[&str]) -> Result<bool> {
    for action in actions {
        let filter = EventFilter { action: Some((*action).to_owned()), ..EventFilter::default() };
        if !ledger::list(ctx, &api.db, &filter, None, 1).await?.items.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn counts(ctx: &Ctx, api: &ApiState) -> Result<Counts> {
    ctx.authorize(Action::Read)?;
    let search::Counts { experiments, runs } = search::count_project(ctx, &api.tracking).await?;
    let registered_models::Counts { models, versions } = registered_models::count(ctx, &api.models).await?;
    Ok(Counts { experiments, runs, models, versions })
}
