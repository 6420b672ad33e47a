//! The Open Inference Protocol, version 2, over gRPC.
//!
//! tonic reads and writes the messages; the routes stand in a [`Door`] like all others, so that the caller is known and its
//! permission checked before a message is read.

mod contents;
mod service;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use lathe_core::{Code, Error};
use lathe_http::permission::{Infer, Public};
use lathe_http::{Door, Frame};
use tower::ServiceExt as _;

use self::service::Service;
use crate::OipState;
use crate::limits::BINARY_BYTES;
use crate::proto::grpc_inference_service_server::GrpcInferenceServiceServer;

/// The routes of the dialect: a method of the service each.
pub(crate) fn door() -> Door<OipState> {
    Door::new("grpc", render)
        .post_sized::<Public, _>("/inference.GRPCInferenceService/ServerLive", BINARY_BYTES, serve)
        .post_sized::<Public, _>("/inference.GRPCInferenceService/ServerReady", BINARY_BYTES, serve)
        .post_sized::<Public, _>("/inference.GRPCInferenceService/ServerMetadata", BINARY_BYTES, serve)
        .post_sized::<Infer, _>("/inference.GRPCInferenceService/ModelReady", BINARY_BYTES, serve)
        .post_sized::<Infer, _>("/inference.GRPCInferenceService/ModelMetadata", BINARY_BYTES, serve)
        .post_sized::<Infer, _>("/inference.GRPCInferenceService/ModelInfer", BINARY_BYTES, serve)
        .post_sized::<Infer, _>("/inference.GRPCInferenceService/ModelConfig", BINARY_BYTES, serve)
        .post_sized::<Infer, _>("/inference.GRPCInferenceService/ModelStatistics", BINARY_BYTES, serve)
        .post_sized::<Infer, _>("/inference.GRPCInferenceService/RepositoryIndex", BINARY_BYTES, serve)
        .post_sized::<Infer, _>("/inference.GRPCInferenceService/RepositoryModelLoad", BINARY_BYTES, serve)
        .post_sized::<Infer, _>("/inference.GRPCInferenceService/RepositoryModelUnload", BINARY_BYTES, serve)
}

/// The routes with their state.
pub(crate) fn router(state: OipState, frame: &Frame) -> Router {
    door().into_router(state, frame)
}

async fn serve(State(state): State<OipState>, request: Request) -> Response {
    let service = GrpcInferenceServiceServer::new(Service { state })
        .max_decoding_message_size(BINARY_BYTES)
        .max_encoding_message_size(BINARY_BYTES);
    match service.oneshot(request).await {
        Ok(response) => response.map(axum::body::Body::new),
        Err(never) => match never {},
    }
}

/// How gRPC says that something failed: an answer of status 200 whose headers are its trailers.
fn render(error: &Error, _request_id: &str) -> Response {
    status(error).into_http::<axum::body::Body>().into_response()
}

/// The one table from Lathe's codes to gRPC's.
pub(crate) fn status(error: &Error) -> tonic::Status {
    let code = match error.code() {
        Code::InvalidArgument | Code::TooLarge => tonic::Code::InvalidArgument,
        Code::NotFound => tonic::Code::NotFound,
        Code::AlreadyExists => tonic::Code::AlreadyExists,
        Code::Conflict | Code::PreconditionFailed => tonic::Code::FailedPrecondition,
        Code::Unauthenticated => tonic::Code::Unauthenticated,
        Code::PermissionDenied => tonic::Code::PermissionDenied,
        Code::RateLimited | Code::OutOfSpace => tonic::Code::ResourceExhausted,
        Code::MethodNotAllowed => tonic::Code::Unimplemented,
        Code::Unavailable => tonic::Code::Unavailable,
        Code::TimedOut => tonic::Code::DeadlineExceeded,
        Code::Internal | Code::ModelFailed => tonic::Code::Internal,
    };
    tonic::Status::new(code, error.said())
}
