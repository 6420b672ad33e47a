//! Artifacts: listings, the proxy that uploads and downloads go through, and downloads for browsers.

mod download;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, Method, Uri};
use lathe_core::{Code, Error, Result};
use lathe_http::upload::Upload;
use lathe_http::{Caller, Failure};
use lathe_models::model_versions;
use lathe_tracking::ArtifactPath;
use lathe_tracking::artifacts::{self, ArtifactEntry, ArtifactList};
use lathe_tracking::logged_models::{self, parse_model_id};
use lathe_tracking::runs::{self, parse_run_id};
use serde::Serialize;

use crate::MlflowState;
use crate::errors::not_implemented;
use crate::model_versions::read_version;
use crate::wire::paths::{parse_folder, parse_path, proxied_path};
use crate::wire::{Answer, Captured, Empty, Fields, Form, LATHE_VERSION, Reply, VERSION, empty};

/// A file or a folder in a listing.
#[derive(Debug, Serialize)]
struct FileBody {
    path: String,
    is_dir: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_size: Option<i64>,
}

impl FileBody {
    fn new(path: String, entry: &ArtifactEntry) -> Self {
        // MLflow leaves a size of zero out, and its clients read that as "not known".
        Self { path, is_dir: entry.size_bytes.is_none(), file_size: entry.size_bytes.filter(|size| *size > 0) }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct ListAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    root_uri: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileBody>,
}

impl From<ArtifactList> for ListAnswer {
    fn from(list: ArtifactList) -> Self {
        let files = list.entries.iter().map(|entry| FileBody::new(list.path_of(entry), entry)).collect();
        Self { root_uri: Some(list.root_uri), files }
    }
}

/// `artifacts/list`: a folder of a run.
pub(crate) async fn list_run_artifacts(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<ListAnswer> {
    let run_id = fields.required_run_id()?;
    let folder = parse_folder(fields.text("path")?)?;
    let list = artifacts::list_run_artifacts(&ctx, &state.tracking, &parse_run_id(&run_id)?, folder).await?;
    Ok(Answer(list.into()))
}

/// `logged-models/<id>/artifacts/directories`: a folder of a logged model.
pub(crate) async fn list_logged_model_artifacts(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Captured(model_id): Captured<String>,
    Form(fields): Form,
) -> Reply<ListAnswer> {
    let folder = parse_folder(fields.text("artifact_directory_path")?)?;
    let model_id = parse_model_id(&model_id)?;
    let list = artifacts::list_logged_model_artifacts(&ctx, &state.tracking, &model_id, folder).await?;
    Ok(Answer(list.into()))
}

/// `mlflow-artifacts/artifacts?path=`: a folder of the project's store.
pub(crate) async fn list_artifacts(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<ListAnswer> {
    let folder = parse_folder(fields.text("path")?)?;
    let entries = artifacts::list_artifacts(&ctx, &state.tracking, folder.as_ref()).await?;
    let files = entries.iter().map(|entry| FileBody::new(entry.name.clone(), entry)).collect();
    Ok(Answer(ListAnswer { root_uri: None, files }))
}

/// Downloads by the proxy's URL; what MLflow's clients do.
pub(crate) async fn get_artifact(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let path = proxied_path(&uri)?;
    Ok(download::respond(&ctx, &state.tracking, &path, &method, &headers).await?)
}

/// Uploads by the proxy's URL, streamed.
pub(crate) async fn put_artifact(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    request: Request,
) -> Result<Response, Failure> {
    let path = proxied_path(request.uri())?;
    let upload = Upload::new(request.into_body());
    let stored = artifacts::put_artifact(&ctx, &state.tracking, path, upload.stream()).await;
    upload.settle(stored).await?;
    Ok([(LATHE_VERSION, HeaderValue::from_static(VERSION))].into_response())
}

/// Deletes a file or folder by the proxy's URL. What is not there is gone, as in MLflow.
pub(crate) async fn delete_artifact(State(state): State<MlflowState>, Caller(ctx): Caller, uri: Uri) -> Reply<Empty> {
    match artifacts::delete_artifact(&ctx, &state.tracking, proxied_path(&uri)?).await {
        Err(error) if error.code() != Code::NotFound => Err(error.into()),
        Ok(()) | Err(_) => empty(),
    }
}

/// `/get-artifact`: a file of a run, for browsers.
pub(crate) async fn get_run_artifact(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    method: Method,
    headers: HeaderMap,
    Form(fields): Form,
) -> Result<Response, Failure> {
    let run_id = fields.required_run_id()?;
    let path = parse_path(&fields.required_text("path")?)?;
    let info = runs::get_run_info(&ctx, &state.tracking, &parse_run_id(&run_id)?).await?;
    let path = below(&info.artifact_uri, &path)?;
    Ok(download::respond(&ctx, &state.tracking, &path, &method, &headers).await?)
}

/// `/model-versions/get-artifact`: a file of a version of a registered model.
pub(crate) async fn get_model_version_artifact(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    method: Method,
    headers: HeaderMap,
    Form(fields): Form,
) -> Result<Response, Failure> {
    let (name, version) = (fields.required_text("name")?, read_version(&fields)?);
    let path = parse_path(&fields.required_text("path")?)?;
    let location = model_versions::get_download_uri(&ctx, &state.models, &name, version).await?;
    let path = below(&location, &path)?;
    let response = download::respond(&ctx, &state.tracking, &path, &method, &headers).await?;
    // Before the first byte of it is answered; who asks for the head alone, or for what is not there, reads nothing.
    if method != Method::HEAD && response.status().is_success() {
        model_versions::note_read(&ctx, &state.models, &name, version).await?;
    }
    Ok(response)
}

/// `logged-models/<id>/artifacts/files`: a file of a logged model.
pub(crate) async fn get_logged_model_artifact(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    method: Method,
    headers: HeaderMap,
    Captured(model_id): Captured<String>,
    Form(fields): Form,
) -> Result<Response, Failure> {
    let path = parse_path(&read_artifact_file_path(&fields)?)?;
    let model = logged_models::get_logged_model(&ctx, &state.tracking, &parse_model_id(&model_id)?).await?;
    let path = below(&model.artifact_uri, &path)?;
    Ok(download::respond(&ctx, &state.tracking, &path, &method, &headers).await?)
}

fn read_artifact_file_path(fields: &Fields) -> Result<String> {
    fields
        .text("artifact_file_path")?
        .filter(|path| !path.is_empty())
        .ok_or_else(|| Error::invalid("Request must include the \"artifact_file_path\" query parameter."))
}

fn below(root_uri: &str, path: &ArtifactPath) -> Result<ArtifactPath> {
    artifacts::path_of_uri(root_uri)?.join(path)
}

/// Uploads in parts; the server says that it has none, and clients then send the file whole.
pub(crate) async fn refuse_multipart_upload() -> Response {
    not_implemented("Multipart upload is not supported for the current artifact repository")
}

/// Presigned URLs; as for uploads in parts.
pub(crate) async fn refuse_presigned_download() -> Response {
    not_implemented("Presigned download is not supported for the current artifact repository")
}
