//! What an S3 client needs to reach this server as the caller.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use lathe_access::S3KeyPair;
use lathe_core::{Error, Result};
use lathe_http::{Caller, Failure, credentials};
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::ApiState;

/// Clients want one, and any will do.
pub const REGION: &str = "us-east-1";

/// How clients reach the S3 door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum S3Endpoint {
    /// At this address.
    Url(String),
    /// At this port of the host that they reach the API on.
    Port(u16),
}

impl S3Endpoint {
    fn url(&self, headers: &HeaderMap) -> String {
        match self {
            S3Endpoint::Url(url) => url.clone(),
            S3Endpoint::Port(port) => {
                let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
                let host = host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(host, _)| host);
                // S3 clients put the bucket into a host that is a name, and then nobody finds it.
                let host = if host.eq_ignore_ascii_case("localhost") { "127.0.0.1" } else { host };
                format!("http://{host}:{port}")
            }
        }
    }
}

/// A key pair, and where it is good.
#[derive(Debug, Serialize, ToSchema)]
pub struct S3Credentials {
    /// What clients call `endpoint_url`.
    pub endpoint_url: String,
    /// Any will do; this one is what clients expect.
    pub region: String,
    /// The public part.
    pub access_key_id: String,
    /// The secret part.
    pub secret_access_key: String,
}

/// A key pair alone.
#[derive(Debug, Serialize, ToSchema)]
pub struct S3Keys {
    /// The public part.
    pub access_key_id: String,
    /// The secret part.
    pub secret_access_key: String,
}

impl From<S3KeyPair> for S3Keys {
    fn from(S3KeyPair { access_key_id, secret_access_key }: S3KeyPair) -> Self {
        Self { access_key_id, secret_access_key }
    }
}

/// The caller's S3 key pair in the request's project: its token's, or local mode's.
#[utoipa::path(get, path = "/api/v1/s3-credentials", tag = "server", responses((status = 200, body = S3Credentials)))]
pub(crate) async fn get_s3_credentials(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let endpoint = api
        .s3_endpoint
        .as_ref()
        .ok_or_else(|| Error::not_found("this server has no S3 door").with_hint("start it without --s3-listen off"))?;
    let S3KeyPair { access_key_id, secret_access_key } =
        api.access.s3_key_pair(&credentials(&headers)?, &ctx.project).await?;
    let body = S3Credentials {
        endpoint_url: endpoint.url(&headers),
        region: REGION.to_owned(),
        access_key_id,
        secret_access_key,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_is_the_callers_host_with_another_port() {
        let url =
            |host: &str| S3Endpoint::Port(4401).url(&HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]));
        assert_eq!(url("127.0.0.1:4400"), "http://127.0.0.1:4401");
        assert_eq!(url("localhost:4400"), "http://127.0.0.1:4401");
        assert_eq!(url("lathe.example"), "http://lathe.example:4401");
        assert_eq!(url("[::1]:4400"), "http://[::1]:4401");
        assert_eq!(url("[::1]"), "http://[::1]:4401");
        assert_eq!(S3Endpoint::Url("https://s3.example".to_owned()).url(&HeaderMap::new()), "https://s3.example");
    }
}
