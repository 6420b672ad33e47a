//! The description of the native API.

use axum::Json;
use utoipa::OpenApi;

use crate::{
    data, deployments, events, home, lineage, metrics, monitoring, people, pipelines, run_credentials, runs, s3,
    secrets, server, tokens,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Lathe",
        description = "The native API, for what MLflow's routes do not serve.",
        license(name = "Apache-2.0")
    ),
    paths(
        s3::get_s3_credentials,
        server::get_server,
        get_openapi,
        people::sign_in,
        people::sign_out,
        people::whoami,
        people::change_password,
        people::list_projects,
        people::create_project,
        people::list_members,
        people::set_member,
        people::remove_member,
        people::list_users,
        people::create_user,
        people::delete_user,
        run_credentials::create_run_credentials,
        run_credentials::renew_run_credentials,
        run_credentials::list_run_uses,
        tokens::list_tokens,
        tokens::create_token,
        tokens::revoke_token,
        home::get_home,
        events::list_activity,
        events::list_audit,
        events::get_ledger_head,
        events::verify_audit,
        events::stream_events,
        lineage::get_lineage,
        runs::search_runs,
        runs::list_columns,
        metrics::stream_run,
        metrics::read_series,
        deployments::list_deployments,
        deployments::create_deployment,
        deployments::get_deployment,
        deployments::delete_deployment,
        deployments::start_canary,
        deployments::set_weight,
        deployments::start_shadow,
        deployments::end_shadow,
        deployments::promote,
        deployments::rollback,
        deployments::follow,
        monitoring::settings::get_settings,
        monitoring::settings::set_settings,
        monitoring::reports::get_traffic,
        monitoring::reports::get_drift,
        monitoring::reports::get_quality,
        monitoring::references::get_reference,
        monitoring::references::set_reference,
        monitoring::labels::add_labels,
        monitoring::rules::list_rules,
        monitoring::rules::create_rule,
        monitoring::rules::delete_rule,
        monitoring::alerts::list_deployment_alerts,
        monitoring::alerts::check,
        monitoring::alerts::list_alerts,
        data::list_repositories,
        data::create_repository,
        data::get_repository,
        data::delete_repository,
        data::refs::list_branches,
        data::refs::create_branch,
        data::refs::delete_branch,
        data::refs::list_tags,
        data::refs::create_tag,
        data::refs::delete_tag,
        data::commits::get_commit,
        data::commits::log,
        data::commits::commit,
        data::commits::discard,
        data::objects::list_objects,
        data::objects::get_object,
        data::objects::put_object,
        data::objects::delete_object,
        data::objects::copy_object,
        data::batches::put_batch,
        data::batches::read_batch,
        data::changes::diff,
        data::changes::summarize_diff,
        data::changes::list_uncommitted,
        data::changes::summarize_uncommitted,
        pipelines::list_pipelines,
        pipelines::push_pipeline,
        pipelines::get_pipeline,
        pipelines::pause_pipeline,
        pipelines::resume_pipeline,
        pipelines::create_pipeline_run,
        pipelines::code::get_bundle,
        pipelines::code::push_bundle,
        pipelines::runs::list_pipeline_runs,
        pipelines::runs::get_pipeline_run,
        pipelines::runs::cancel_pipeline_run,
        pipelines::runs::retry_pipeline_run,
        pipelines::jobs::list_attempts,
        pipelines::jobs::read_job_log,
        pipelines::approvals::approve_job,
        pipelines::approvals::reject_job,
        pipelines::approvals::list_approvals,
        secrets::list_secrets,
        secrets::set_secret,
        secrets::delete_secret,
        data::merges::merge,
        data::merges::revert,
    ),
    // Types of query parameters are not found by themselves.
    components(schemas(lineage::Way))
)]
struct Description;

/// The description as a value.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Description::openapi()
}

/// This description.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "server", responses((status = 200, body = Object)))]
pub(crate) async fn get_openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(openapi())
}
