"""What is asked of the server itself."""

from ..steps import Step, get, post

STEPS = [
    get("health", "/health"),
    get("version", "/version"),
    get("server-info", "/api/3.0/mlflow/server-info"),
    get("server-info for the UI", "/ajax-api/3.0/mlflow/server-info"),
    get("unknown route", "bogus/endpoint"),
    get("GET on a POST route", "runs/create"),
    Step("PUT on a POST route", "PUT", "runs/create", {}),
    post("POST on a GET route", "experiments/get", {"experiment_id": "0"}),
    get("the default experiment", "experiments/get", experiment_id="0"),
]
