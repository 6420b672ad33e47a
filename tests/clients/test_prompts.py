"""Prompts: MLflow's clients keep them as registered models with tags."""

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException


def test_a_prompt_is_registered_loaded_and_found(client: MlflowClient, server_url: str, unique) -> None:
    name = unique("prompt")
    first = mlflow.genai.register_prompt(name=name, template="Hello {{name}}", commit_message="first", tags={"team": "a"})
    mlflow.genai.register_prompt(name=name, template="Bye {{name}}")
    mlflow.genai.set_prompt_alias(name, "production", 1)
    assert first.version == 1
    assert mlflow.genai.load_prompt(f"prompts:/{name}/2").format(name="you") == "Bye you"
    assert mlflow.genai.load_prompt(f"prompts:/{name}@production").format(name="you") == "Hello you"
    assert mlflow.genai.load_prompt(f"prompts:/{name}/1").commit_message == "first"
    assert [found.name for found in mlflow.genai.search_prompts(f"name = '{name}'")] == [name]
    assert client.search_registered_models(f"name = '{name}'") == []


def test_a_prompt_has_no_source_of_its_own(client: MlflowClient, model_name: str) -> None:
    tags = {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": "x"}
    with pytest.raises(MlflowException) as refused:
        client.create_model_version(model_name, "s3://bucket/x", tags=tags)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    with pytest.raises(MlflowException) as refused:
        client.create_model_version(model_name, "dummy-source")
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
