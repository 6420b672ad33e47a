//! The native door: `/api/v1` for the UI and the command line, described by OpenAPI, and the embedded web UI.
//!
//! What MLflow's own routes serve is not repeated here. Wire types live beside their handlers; rules live in the rooms.

mod data;
mod deployments;
mod events;
mod extract;
mod home;
mod lineage;
mod metrics;
pub mod monitoring;
mod number;
mod openapi;
mod people;
pub mod pipelines;
mod run_credentials;
mod runs;
mod s3;
mod secrets;
mod server;
mod state;
mod tokens;
mod ui;

use lathe_http::permission::{Administer, Manage, Public, Read, Server, SignedIn, Write};
use lathe_http::{Door, problem};

pub use openapi::openapi;
pub use s3::{REGION, S3Endpoint};
pub use server::MLFLOW_VERSION;
pub use state::{ApiState, ReadSignature};
pub use ui::serve as serve_ui;

/// As many labels as one request may bring, with room to spare.
const LABELS_BYTES: usize = 8 * 1024 * 1024;

type Routes = Door<ApiState>;

/// All routes of the native API.
pub fn door() -> Routes {
    let door = Door::new("native", problem)
        .get::<Public, _>("/healthz", server::healthz)
        .get::<Public, _>("/readyz", server::readyz)
        .get::<SignedIn, _>("/metrics", server::metrics)
        .get::<Public, _>("/api/v1/server", server::get_server)
        .get::<Public, _>("/api/v1/openapi.json", openapi::get_openapi);
    pipeline_routes(data_routes(deployment_routes(run_routes(ledger_routes(people_routes(door))))))
}

fn people_routes(door: Routes) -> Routes {
    door.post::<Public, _>("/api/v1/login", people::sign_in)
        .post::<SignedIn, _>("/api/v1/logout", people::sign_out)
        .get::<SignedIn, _>("/api/v1/whoami", people::whoami)
        .put::<SignedIn, _>("/api/v1/password", people::change_password)
        .get::<SignedIn, _>("/api/v1/projects", people::list_projects)
        .post::<Server, _>("/api/v1/projects", people::create_project)
        .get::<SignedIn, _>("/api/v1/projects/{project}/members", people::list_members)
        .put::<SignedIn, _>("/api/v1/projects/{project}/members/{username}", people::set_member)
        .delete::<SignedIn, _>("/api/v1/projects/{project}/members/{username}", people::remove_member)
        .get::<Server, _>("/api/v1/users", people::list_users)
        .post::<Server, _>("/api/v1/users", people::create_user)
        .delete::<Server, _>("/api/v1/users/{username}", people::delete_user)
        .get::<SignedIn, _>("/api/v1/tokens", tokens::list_tokens)
        .post::<SignedIn, _>("/api/v1/tokens", tokens::create_token)
        .delete::<SignedIn, _>("/api/v1/tokens/{id}", tokens::revoke_token)
        .get::<SignedIn, _>("/api/v1/s3-credentials", s3::get_s3_credentials)
}

fn ledger_routes(door: Routes) -> Routes {
    door.get::<Read, _>("/api/v1/home", home::get_home)
        .get::<Read, _>("/api/v1/activity", events::list_activity)
        .get::<Read, _>("/api/v1/audit", events::list_audit)
        .get::<Read, _>("/api/v1/audit/head", events::get_ledger_head)
        .get::<Read, _>("/api/v1/audit/verify", events::verify_audit)
        .get::<Read, _>("/api/v1/events/stream", events::stream_events)
        .get::<Read, _>("/api/v1/lineage", lineage::get_lineage)
}

fn run_routes(door: Routes) -> Routes {
    door.post::<Read, _>("/api/v1/runs/search", runs::search_runs)
        .get::<Read, _>("/api/v1/runs/columns", runs::list_columns)
        .get::<Read, _>("/api/v1/runs/{run_id}/stream", metrics::stream_run)
        .get::<Read, _>("/api/v1/runs/{run_id}/uses", run_credentials::list_run_uses)
        .post::<Write, _>("/api/v1/run-credentials", run_credentials::create_run_credentials)
        .post::<Write, _>("/api/v1/run-credentials/{id}/renew", run_credentials::renew_run_credentials)
        .post::<Read, _>("/api/v1/metrics/series", metrics::read_series)
}

fn deployment_routes(door: Routes) -> Routes {
    door.get::<Read, _>("/api/v1/deployments", deployments::list_deployments)
        .post::<Manage, _>("/api/v1/deployments", deployments::create_deployment)
        .get::<Read, _>("/api/v1/deployments/{deployment}", deployments::get_deployment)
        .delete::<Manage, _>("/api/v1/deployments/{deployment}", deployments::delete_deployment)
        .post::<Manage, _>("/api/v1/deployments/{deployment}/canary", deployments::start_canary)
        .put::<Manage, _>("/api/v1/deployments/{deployment}/canary", deployments::set_weight)
        .post::<Manage, _>("/api/v1/deployments/{deployment}/shadow", deployments::start_shadow)
        .delete::<Manage, _>("/api/v1/deployments/{deployment}/shadow", deployments::end_shadow)
        .post::<Manage, _>("/api/v1/deployments/{deployment}/promote", deployments::promote)
        .post::<Manage, _>("/api/v1/deployments/{deployment}/rollback", deployments::rollback)
        .post::<Manage, _>("/api/v1/deployments/{deployment}/follow", deployments::follow)
        .get::<Read, _>("/api/v1/deployments/{deployment}/monitoring", monitoring::settings::get_settings)
        .put::<Write, _>("/api/v1/deployments/{deployment}/monitoring", monitoring::settings::set_settings)
        .get::<Read, _>("/api/v1/deployments/{deployment}/traffic", monitoring::reports::get_traffic)
        .get::<Read, _>("/api/v1/deployments/{deployment}/drift", monitoring::reports::get_drift)
        .get::<Read, _>("/api/v1/deployments/{deployment}/quality", monitoring::reports::get_quality)
        .get::<Read, _>("/api/v1/deployments/{deployment}/reference", monitoring::references::get_reference)
        .put::<Write, _>("/api/v1/deployments/{deployment}/reference", monitoring::references::set_reference)
        .post_sized::<Write, _>("/api/v1/deployments/{deployment}/labels", LABELS_BYTES, monitoring::labels::add_labels)
        .get::<Read, _>("/api/v1/deployments/{deployment}/alert-rules", monitoring::rules::list_rules)
        .post::<Write, _>("/api/v1/deployments/{deployment}/alert-rules", monitoring::rules::create_rule)
        .delete::<Write, _>("/api/v1/deployments/{deployment}/alert-rules/{rule}", monitoring::rules::delete_rule)
        .get::<Read, _>("/api/v1/deployments/{deployment}/alerts", monitoring::alerts::list_deployment_alerts)
        .post::<Write, _>("/api/v1/deployments/{deployment}/check", monitoring::alerts::check)
        .get::<Read, _>("/api/v1/alerts", monitoring::alerts::list_alerts)
}

fn data_routes(door: Routes) -> Routes {
    door.get::<Read, _>("/api/v1/repos", data::list_repositories)
        .post::<Write, _>("/api/v1/repos", data::create_repository)
        .get::<Read, _>("/api/v1/repos/{repo}", data::get_repository)
        .delete::<Administer, _>("/api/v1/repos/{repo}", data::delete_repository)
        .get::<Read, _>("/api/v1/repos/{repo}/branches", data::refs::list_branches)
        .post::<Write, _>("/api/v1/repos/{repo}/branches", data::refs::create_branch)
        .delete::<Manage, _>("/api/v1/repos/{repo}/branches/{branch}", data::refs::delete_branch)
        .get::<Read, _>("/api/v1/repos/{repo}/tags", data::refs::list_tags)
        .post::<Write, _>("/api/v1/repos/{repo}/tags", data::refs::create_tag)
        .delete::<Manage, _>("/api/v1/repos/{repo}/tags/{tag}", data::refs::delete_tag)
        .get::<Read, _>("/api/v1/repos/{repo}/refs/{ref}", data::commits::get_commit)
        .get::<Read, _>("/api/v1/repos/{repo}/refs/{ref}/log", data::commits::log)
        .get::<Read, _>("/api/v1/repos/{repo}/refs/{ref}/objects", data::objects::list_objects)
        .get::<Read, _>("/api/v1/repos/{repo}/refs/{ref}/objects/{*path}", data::objects::get_object)
        .put_sized::<Write, _>("/api/v1/repos/{repo}/refs/{ref}/objects/{*path}", usize::MAX, data::objects::put_object)
        .delete::<Write, _>("/api/v1/repos/{repo}/refs/{ref}/objects/{*path}", data::objects::delete_object)
        .post_sized::<Write, _>(
            "/api/v1/repos/{repo}/refs/{ref}/batch",
            data::batches::MAX_BATCH_BYTES,
            data::batches::put_batch,
        )
        .post::<Read, _>("/api/v1/repos/{repo}/refs/{ref}/batch/read", data::batches::read_batch)
        .get::<Read, _>("/api/v1/repos/{repo}/diff", data::changes::diff)
        .get::<Read, _>("/api/v1/repos/{repo}/diff/summary", data::changes::summarize_diff)
        .get::<Read, _>("/api/v1/repos/{repo}/branches/{branch}/changes", data::changes::list_uncommitted)
        .get::<Read, _>("/api/v1/repos/{repo}/branches/{branch}/changes/summary", data::changes::summarize_uncommitted)
        .post::<Write, _>("/api/v1/repos/{repo}/branches/{branch}/commits", data::commits::commit)
        .post::<Write, _>("/api/v1/repos/{repo}/branches/{branch}/copy", data::objects::copy_object)
        .post::<Manage, _>("/api/v1/repos/{repo}/branches/{branch}/discard", data::commits::discard)
        .post::<Write, _>("/api/v1/repos/{repo}/branches/{branch}/merge", data::merges::merge)
        .post::<Write, _>("/api/v1/repos/{repo}/branches/{branch}/revert", data::merges::revert)
}

fn pipeline_routes(door: Routes) -> Routes {
    door.get::<Read, _>("/api/v1/pipelines", pipelines::list_pipelines)
        .post::<Write, _>("/api/v1/pipelines", pipelines::push_pipeline)
        .get::<Read, _>("/api/v1/pipelines/{pipeline}", pipelines::get_pipeline)
        .post::<Write, _>("/api/v1/pipelines/{pipeline}/pause", pipelines::pause_pipeline)
        .post::<Write, _>("/api/v1/pipelines/{pipeline}/resume", pipelines::resume_pipeline)
        .post::<Write, _>("/api/v1/pipelines/{pipeline}/runs", pipelines::create_pipeline_run)
        .get::<Read, _>("/api/v1/code-bundles", pipelines::code::get_bundle)
        .post_sized::<Write, _>("/api/v1/code-bundles", pipelines::code::MAX_BUNDLE_BYTES, pipelines::code::push_bundle)
        .get::<Read, _>("/api/v1/pipeline-runs", pipelines::runs::list_pipeline_runs)
        .get::<Read, _>("/api/v1/pipeline-runs/{id}", pipelines::runs::get_pipeline_run)
        .post::<Write, _>("/api/v1/pipeline-runs/{id}/cancel", pipelines::runs::cancel_pipeline_run)
        .post::<Write, _>("/api/v1/pipeline-runs/{id}/retry", pipelines::runs::retry_pipeline_run)
        .get::<Read, _>("/api/v1/pipeline-runs/{id}/jobs/{job}/attempts", pipelines::jobs::list_attempts)
        .get::<Read, _>("/api/v1/pipeline-runs/{id}/jobs/{job}/logs", pipelines::jobs::read_job_log)
        .post::<Manage, _>("/api/v1/pipeline-runs/{id}/jobs/{job}/approve", pipelines::approvals::approve_job)
        .post::<Manage, _>("/api/v1/pipeline-runs/{id}/jobs/{job}/reject", pipelines::approvals::reject_job)
        .get::<Read, _>("/api/v1/approvals", pipelines::approvals::list_approvals)
        .get::<Write, _>("/api/v1/secrets", secrets::list_secrets)
        .put::<Manage, _>("/api/v1/secrets/{name}", secrets::set_secret)
        .delete::<Manage, _>("/api/v1/secrets/{name}", secrets::delete_secret)
}
