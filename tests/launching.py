"""Runs of Dagster launched as the browser does it: by GraphQL, over the code location that the daemon loads."""

from collections.abc import Mapping
from typing import Any

from dagster._core.workspace.context import WorkspaceProcessContext
from dagster_graphql.test.utils import execute_dagster_graphql

from hem_etl.orchestration.schedules import ALL_ASSETS_JOB

MODULE = "hem_etl.orchestration.definitions"
LAUNCH = ("launchPipelineExecution", "executionParams", "ExecutionParams")
RE_EXECUTE = ("launchPipelineReexecution", "reexecutionParams", "ReexecutionParams")


def launch(workspace: WorkspaceProcessContext, asset: str, tags: Mapping[str, str]) -> str:
    """Launch one run of an asset; its id. It is queued."""
    params = {
        "selector": {
            "repositoryLocationName": MODULE,
            "repositoryName": "__repository__",
            "pipelineName": ALL_ASSETS_JOB,
            "assetSelection": [{"path": [asset]}],
        },
        "mode": "default",
        "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
    }
    return _launched(workspace, LAUNCH, params)


def re_execute_from_failure(workspace: WorkspaceProcessContext, run_id: str) -> str:
    """What `Re-execute → From failure` does; the id of the new run, which is queued."""
    return _launched(workspace, RE_EXECUTE, {"parentRunId": run_id, "strategy": "FROM_FAILURE"})


def _launched(workspace: WorkspaceProcessContext, mutation: tuple[str, str, str], params: Mapping[str, Any]) -> str:
    field, argument, params_type = mutation
    query = (
        f"mutation Launch($params: {params_type}!) {{ {field}({argument}: $params) {{ __typename "
        "... on LaunchRunSuccess { run { id } } ... on PythonError { message } } }"
    )
    context = workspace.create_request_context()
    (answer,) = execute_dagster_graphql(context, query, variables={"params": params}).data.values()
    assert answer["__typename"] == "LaunchRunSuccess", answer
    return str(answer["run"]["id"])
