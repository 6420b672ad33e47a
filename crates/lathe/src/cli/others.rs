//! Environment variables that would send a client of MLflow or S3 elsewhere than to Lathe, or as somebody else, whatever else is set.

/// What MLflow prefers to the server and the token.
pub const OF_MLFLOW: &[&str] = &[
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_AUTH",
    "MLFLOW_TRACKING_AWS_SIGV4",
    "MLFLOW_REGISTRY_URI",
    "MLFLOW_S3_ENDPOINT_URL",
    "MLFLOW_WORKSPACE",
];
/// What S3 clients prefer to the address and the key pair, or send along with it.
pub const OF_AWS: &[&str] = &[
    "AWS_ENDPOINT_URL_S3",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
];
