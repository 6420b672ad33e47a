//! The methods of the service.

use std::time::Duration;

use lathe_core::{Code, Ctx, Error, Result};
use lathe_serving::deployments::list_deployments;
use lathe_serving::{Inference, Inputs};
use tonic::{Request, Response, Status};

use super::contents::{read_inputs, read_parameters};
use super::status;
use crate::OipState;
use crate::ask::{self, Asked, find_version, parse_deployment};
use crate::describe::{Description, TensorDescription, describe};
use crate::proto::grpc_inference_service_server::GrpcInferenceService;
use crate::proto::model_infer_response::InferOutputTensor;
use crate::proto::model_metadata_response::TensorMetadata;
use crate::proto::repository_index_response::ModelIndex;
use crate::proto::*;
use crate::protocol::{EXTENSIONS, RequestedOutput, SERVER, check_outputs, select};
use crate::sample::Tags;

/// The service of one call.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) state: OipState,
}

type Answered<T> = std::result::Result<Response<T>, Status>;

/// The caller, whom the route's guard has found.
fn caller<T>(request: &Request<T>) -> Result<Ctx> {
    let ctx = request.extensions().get::<Ctx>().cloned();
    ctx.ok_or_else(|| Error::internal("a method of a model was reached without a caller"))
}

impl Service {
    fn describe(&self, ctx: &Ctx, name: &str, version: &str) -> Result<Description> {
        Ok(describe(&find_version(ctx, &self.state, &parse_deployment(name)?, version)?))
    }

    async fn infer(&self, request: Request<ModelInferRequest>) -> Result<ModelInferResponse> {
        let ctx = caller(&request)?;
        let deadline = deadline(&request);
        let tags = Tags::read(|name| request.metadata().get(name).and_then(|value| value.to_str().ok()))?;
        let mut message = request.into_inner();
        let deployment = parse_deployment(&message.model_name)?;
        let (id, version) = (std::mem::take(&mut message.id), std::mem::take(&mut message.model_version));
        let requested: Vec<RequestedOutput> = std::mem::take(&mut message.outputs)
            .into_iter()
            .map(|output| RequestedOutput { name: output.name, is_binary: None })
            .collect();
        check_outputs(&requested)?;
        let params = read_parameters(std::mem::take(&mut message.parameters));
        let params = ask::for_model(&ctx, &self.state, &deployment, params)?;
        let inputs = Inputs::Tensors(read_inputs(message)?).into();
        let inference = Inference { inputs, params, route_key: None, timeout: None };
        let asked = Asked { version: Some(version).filter(|version| !version.is_empty()), deadline, tags };
        let answer = ask::infer(&ctx, &self.state, &deployment, inference, asked).await?;
        let mut response = ModelInferResponse {
            model_name: deployment.to_string(),
            model_version: answer.version.to_string(),
            id,
            ..ModelInferResponse::default()
        };
        for tensor in select(answer.outputs, &requested)? {
            response.outputs.push(InferOutputTensor {
                name: tensor.name,
                datatype: tensor.datatype.as_str().to_owned(),
                shape: tensor.shape,
                ..InferOutputTensor::default()
            });
            response.raw_output_contents.push(tensor.data);
        }
        Ok(response)
    }
}

/// How long the client waits: the header `grpc-timeout`, a number and a unit.
fn deadline<T>(request: &Request<T>) -> Option<Duration> {
    let text = request.metadata().get("grpc-timeout")?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "H" => number.checked_mul(3_600).map(Duration::from_secs),
        "M" => number.checked_mul(60).map(Duration::from_secs),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

fn reply<T>(answer: Result<T>) -> Answered<T> {
    answer.map(Response::new).map_err(|error| status(&error))
}

fn tensors(described: Vec<TensorDescription>) -> Vec<TensorMetadata> {
    let one = |tensor: TensorDescription| TensorMetadata {
        name: tensor.name,
        datatype: tensor.datatype.to_owned(),
        shape: tensor.shape,
    };
    described.into_iter().map(one).collect()
}

fn managed(model: &str) -> Status {
    let message = format!("`{model}` is managed as a deployment: models are not loaded by their clients");
    status(&Error::new(Code::Conflict, message))
}

#[tonic::async_trait]
impl GrpcInferenceService for Service {
    async fn server_live(&self, _: Request<ServerLiveRequest>) -> Answered<ServerLiveResponse> {
        Ok(Response::new(ServerLiveResponse { live: true }))
    }

    async fn server_ready(&self, _: Request<ServerReadyRequest>) -> Answered<ServerReadyResponse> {
        Ok(Response::new(ServerReadyResponse { ready: true }))
    }

    async fn server_metadata(&self, _: Request<ServerMetadataRequest>) -> Answered<ServerMetadataResponse> {
        Ok(Response::new(ServerMetadataResponse {
            name: SERVER.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            extensions: EXTENSIONS.map(str::to_owned).to_vec(),
        }))
    }

    async fn model_ready(&self, request: Request<ModelReadyRequest>) -> Answered<ModelReadyResponse> {
        let found = caller(&request).and_then(|ctx| {
            let ModelReadyRequest { name, version } = request.into_inner();
            let deployment = parse_deployment(&name)?;
            find_version(&ctx, &self.state, &deployment, &version)?;
            lathe_serving::check_ready(&ctx, &self.state.serving, &deployment)
        });
        match found {
            Err(error) if error.code() != Code::Unavailable => Err(status(&error)),
            found => Ok(Response::new(ModelReadyResponse { ready: found.is_ok() })),
        }
    }

    async fn model_metadata(&self, request: Request<ModelMetadataRequest>) -> Answered<ModelMetadataResponse> {
        reply(caller(&request).and_then(|ctx| {
            let ModelMetadataRequest { name, version } = request.into_inner();
            let Description { versions, platform, inputs, outputs } = self.describe(&ctx, &name, &version)?;
            let platform = platform.to_owned();
            Ok(ModelMetadataResponse { name, versions, platform, inputs: tensors(inputs), outputs: tensors(outputs) })
        }))
    }

    async fn model_infer(&self, request: Request<ModelInferRequest>) -> Answered<ModelInferResponse> {
        reply(self.infer(request).await)
    }

    async fn model_config(&self, request: Request<ModelConfigRequest>) -> Answered<ModelConfigResponse> {
        reply(caller(&request).and_then(|ctx| {
            let ModelConfigRequest { name, version } = request.into_inner();
            let platform = self.describe(&ctx, &name, &version)?.platform.to_owned();
            let config = ModelConfig { name, backend: platform.clone(), platform, max_batch_size: 0 };
            Ok(ModelConfigResponse { config: Some(config) })
        }))
    }

    async fn model_statistics(&self, request: Request<ModelStatisticsRequest>) -> Answered<ModelStatisticsResponse> {
        reply(caller(&request).and_then(|ctx| {
            let ModelStatisticsRequest { name, version } = request.into_inner();
            let deployment = parse_deployment(&name)?;
            find_version(&ctx, &self.state, &deployment, &version)?;
            let counted = lathe_serving::reconcile::live_statistics(&ctx, &self.state.serving, &deployment)?;
            let of = |count: u64| Some(StatisticDuration { count, ns: 0 });
            let model_stats = counted.into_iter().map(|(version, counted)| {
                let answered = counted.requests.saturating_sub(counted.errors);
                ModelStatistics {
                    name: name.clone(),
                    version: version.to_string(),
                    last_inference: 0,
                    inference_count: answered,
                    execution_count: answered,
                    inference_stats: Some(InferStatistics { success: of(answered), fail: of(counted.errors) }),
                }
            });
            Ok(ModelStatisticsResponse { model_stats: model_stats.collect() })
        }))
    }

    async fn repository_index(&self, request: Request<RepositoryIndexRequest>) -> Answered<RepositoryIndexResponse> {
        let ctx = caller(&request).map_err(|error| status(&error))?;
        let listed = list_deployments(&ctx, &self.state.serving).await.map_err(|error| status(&error))?;
        let models = listed.into_iter().map(|deployment| {
            let ready = lathe_serving::check_ready(&ctx, &self.state.serving, &deployment.name);
            let known = ready.and_then(|()| lathe_serving::metadata(&ctx, &self.state.serving, &deployment.name)).ok();
            ModelIndex {
                name: deployment.name.to_string(),
                version: known.as_ref().map(|known| known.version.to_string()).unwrap_or_default(),
                state: if known.is_some() { "READY" } else { "UNAVAILABLE" }.to_owned(),
                reason: String::new(),
            }
        });
        let only_ready = request.get_ref().ready;
        let models = models.filter(|model| !only_ready || model.state == "READY").collect();
        Ok(Response::new(RepositoryIndexResponse { models }))
    }

    async fn repository_model_load(
        &self,
        request: Request<RepositoryModelLoadRequest>,
    ) -> Answered<RepositoryModelLoadResponse> {
        Err(managed(&request.get_ref().model_name))
    }

    async fn repository_model_unload(
        &self,
        request: Request<RepositoryModelUnloadRequest>,
    ) -> Answered<RepositoryModelUnloadResponse> {
        Err(managed(&request.get_ref().model_name))
    }
}
