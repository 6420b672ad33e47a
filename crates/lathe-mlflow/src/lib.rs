//! The MLflow door: MLflow 3.17's REST API, as its clients speak it, in front of the rooms.
//!
//! A file is one resource, a function one endpoint with the room's own verb: `runs::search_runs` here calls
//! `lathe_tracking::search::search_runs`. The wire format (`wire`) and the error dialect (`errors`) live here; rules do not.
//! Every route is served below `/api` and, for MLflow's own UI, below `/ajax-api`.
//!
//! **Invariant:** a path or a text of a client is decoded once, here, and checked once, into a type of the rooms; no client
//! can name a place that this server then opens.

mod artifacts;
mod batches;
mod errors;
mod experiments;
mod inputs;
mod logged_models;
mod metrics;
mod model_versions;
mod origin;
mod registered_models;
mod runs;
mod server;
mod wire;

use lathe_http::Door;
use lathe_http::permission::{Manage, Public, Read, Write};
use lathe_models::Models;
use lathe_tracking::Tracking;

pub use errors::{refuse, refuse_unserved};
pub use server::MLFLOW_VERSION;

/// The rooms behind the door. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MlflowState {
    /// Experiments, runs, logged models and their artifacts.
    pub tracking: Tracking,
    /// The model repository.
    pub models: Models,
}

/// Adds routes below both prefixes: `get Read "/2.0/…" => handler;`.
macro_rules! routes {
    ($door:expr; $($method:ident $need:ident $path:literal => $handler:path;)*) => {
        $door$(
            .$method::<$need, _>(concat!("/api", $path), $handler)
            .$method::<$need, _>(concat!("/ajax-api", $path), $handler)
        )*
    };
}

/// All routes of MLflow's API that Lathe serves. Bodies are bounded by their readers, see `wire`.
pub fn door() -> Door<MlflowState> {
    let door = Door::new("mlflow", errors::render)
        .get::<Public, _>("/health", server::get_health)
        .get::<Public, _>("/version", server::get_version)
        .get::<Read, _>("/get-artifact", artifacts::get_run_artifact)
        .get::<Read, _>("/model-versions/get-artifact", artifacts::get_model_version_artifact);
    let door = routes! { door; get Public "/3.0/mlflow/server-info" => server::get_server_info; };
    registry_routes(artifact_routes(logged_model_routes(run_routes(experiment_routes(door)))))
}

fn experiment_routes(door: Door<MlflowState>) -> Door<MlflowState> {
    routes! { door;
        post Write "/2.0/mlflow/experiments/create" => experiments::create_experiment;
        post Read "/2.0/mlflow/experiments/search" => experiments::search_experiments;
        get Read "/2.0/mlflow/experiments/search" => experiments::search_experiments;
        get Read "/2.0/mlflow/experiments/get" => experiments::get_experiment;
        get Read "/2.0/mlflow/experiments/get-by-name" => experiments::get_experiment_by_name;
        post Manage "/2.0/mlflow/experiments/delete" => experiments::delete_experiment;
        post Manage "/2.0/mlflow/experiments/restore" => experiments::restore_experiment;
        post Write "/2.0/mlflow/experiments/update" => experiments::update_experiment;
        post Write "/2.0/mlflow/experiments/set-experiment-tag" => experiments::set_experiment_tag;
        post Write "/2.0/mlflow/experiments/delete-experiment-tag" => experiments::delete_experiment_tag;
    }
}

fn run_routes(door: Door<MlflowState>) -> Door<MlflowState> {
    routes! { door;
        post Write "/2.0/mlflow/runs/create" => runs::create_run;
        get Read "/2.0/mlflow/runs/get" => runs::get_run;
        post Write "/2.0/mlflow/runs/update" => runs::update_run;
        post Manage "/2.0/mlflow/runs/delete" => runs::delete_run;
        post Manage "/2.0/mlflow/runs/restore" => runs::restore_run;
        post Read "/2.0/mlflow/runs/search" => runs::search_runs;
        post Write "/2.0/mlflow/runs/log-metric" => metrics::log_metric;
        post Write "/2.0/mlflow/runs/log-parameter" => runs::log_param;
        post Write "/2.0/mlflow/runs/set-tag" => runs::set_tag;
        post Write "/2.0/mlflow/runs/delete-tag" => runs::delete_tag;
        post Write "/2.0/mlflow/runs/log-batch" => batches::log_batch;
        post Write "/2.0/mlflow/runs/log-inputs" => inputs::log_inputs;
        post Write "/2.0/mlflow/runs/outputs" => inputs::log_outputs;
        post Write "/2.0/mlflow/runs/log-model" => runs::record_logged_model;
        get Read "/2.0/mlflow/metrics/get-history" => metrics::get_history;
        get Read "/2.0/mlflow/metrics/get-history-bulk" => metrics::get_history_bulk;
        get Read "/2.0/mlflow/metrics/get-history-bulk-interval" => metrics::sample_history;
    }
}

fn logged_model_routes(door: Door<MlflowState>) -> Door<MlflowState> {
    routes! { door;
        post Write "/2.0/mlflow/logged-models" => logged_models::create_logged_model;
        post Read "/2.0/mlflow/logged-models/search" => logged_models::search_logged_models;
        get Read "/2.0/mlflow/logged-models/{model_id}" => logged_models::get_logged_model;
        patch Write "/2.0/mlflow/logged-models/{model_id}" => logged_models::finalize_logged_model;
        delete Manage "/2.0/mlflow/logged-models/{model_id}" => logged_models::delete_logged_model;
        patch Write "/2.0/mlflow/logged-models/{model_id}/tags" => logged_models::set_logged_model_tags;
        delete Write "/2.0/mlflow/logged-models/{model_id}/tags/{*tag_key}" => logged_models::delete_logged_model_tag;
        post Write "/2.0/mlflow/logged-models/{model_id}/params" => logged_models::log_logged_model_params;
        get Read "/2.0/mlflow/logged-models/{model_id}/artifacts/directories" => artifacts::list_logged_model_artifacts;
        get Read "/2.0/mlflow/logged-models/{model_id}/artifacts/files" => artifacts::get_logged_model_artifact;
    }
}

fn artifact_routes(door: Door<MlflowState>) -> Door<MlflowState> {
    routes! { door;
        get Read "/2.0/mlflow/artifacts/list" => artifacts::list_run_artifacts;
        get Read "/2.0/mlflow-artifacts/artifacts" => artifacts::list_artifacts;
        get Read "/2.0/mlflow-artifacts/artifacts/{*path}" => artifacts::get_artifact;
        put Write "/2.0/mlflow-artifacts/artifacts/{*path}" => artifacts::put_artifact;
        delete Manage "/2.0/mlflow-artifacts/artifacts/{*path}" => artifacts::delete_artifact;
        post Write "/2.0/mlflow-artifacts/mpu/create/{*path}" => artifacts::refuse_multipart_upload;
        post Write "/2.0/mlflow-artifacts/mpu/complete/{*path}" => artifacts::refuse_multipart_upload;
        post Write "/2.0/mlflow-artifacts/mpu/abort/{*path}" => artifacts::refuse_multipart_upload;
        get Read "/2.0/mlflow-artifacts/presigned/{*path}" => artifacts::refuse_presigned_download;
    }
}

fn registry_routes(door: Door<MlflowState>) -> Door<MlflowState> {
    routes! { door;
        post Write "/2.0/mlflow/registered-models/create" => registered_models::create_registered_model;
        get Read "/2.0/mlflow/registered-models/get" => registered_models::get_registered_model;
        post Write "/2.0/mlflow/registered-models/rename" => registered_models::rename_registered_model;
        patch Write "/2.0/mlflow/registered-models/update" => registered_models::update_registered_model;
        delete Manage "/2.0/mlflow/registered-models/delete" => registered_models::delete_registered_model;
        get Read "/2.0/mlflow/registered-models/search" => registered_models::search_registered_models;
        post Read "/2.0/mlflow/registered-models/get-latest-versions" => registered_models::get_latest_versions;
        get Read "/2.0/mlflow/registered-models/get-latest-versions" => registered_models::get_latest_versions;
        post Write "/2.0/mlflow/registered-models/set-tag" => registered_models::set_registered_model_tag;
        delete Write "/2.0/mlflow/registered-models/delete-tag" => registered_models::delete_registered_model_tag;
        post Manage "/2.0/mlflow/registered-models/alias" => registered_models::set_registered_model_alias;
        delete Manage "/2.0/mlflow/registered-models/alias" => registered_models::delete_registered_model_alias;
        get Read "/2.0/mlflow/registered-models/alias" => registered_models::get_version_by_alias;
        post Write "/2.0/mlflow/model-versions/create" => model_versions::create_model_version;
        get Read "/2.0/mlflow/model-versions/get" => model_versions::get_model_version;
        patch Write "/2.0/mlflow/model-versions/update" => model_versions::update_model_version;
        post Manage "/2.0/mlflow/model-versions/transition-stage" => model_versions::transition_stage;
        delete Manage "/2.0/mlflow/model-versions/delete" => model_versions::delete_model_version;
        get Read "/2.0/mlflow/model-versions/search" => model_versions::search_model_versions;
        post Write "/2.0/mlflow/model-versions/set-tag" => model_versions::set_model_version_tag;
        delete Write "/2.0/mlflow/model-versions/delete-tag" => model_versions::delete_model_version_tag;
        get Read "/2.0/mlflow/model-versions/get-download-uri" => model_versions::get_download_uri;
    }
}
