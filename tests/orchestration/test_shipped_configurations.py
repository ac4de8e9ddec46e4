"""`celery.yaml` and `kubernetes.yaml` as the packages that they name read them."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.instance.ref import InstanceRef

SHIPPED = Path(__file__).parents[2] / "hem_etl" / "orchestration"
IMAGE = "registry.example/hem_etl:0.1.0"

pytestmark = pytest.mark.services


def reference(name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> InstanceRef:
    """The instance of the shipped file, every part of it valid."""
    for variable, value in (
        ("DAGSTER_POSTGRES_URL", "postgresql+psycopg2://dagster:p@127.0.0.1:1/dagster"),
        ("DAGSTER_CELERY_BROKER", "redis://127.0.0.1:1/0"),
        ("DAGSTER_K8S_IMAGE", IMAGE),
        ("DAGSTER_K8S_NAMESPACE", "energy"),
        ("DAGSTER_K8S_SERVICE_ACCOUNT", "dagster"),
    ):
        monkeypatch.setenv(variable, value)
    (home / "dagster.yaml").write_text((SHIPPED / name).read_text(encoding="utf-8"), encoding="utf-8")
    found = InstanceRef.from_dir(str(home))
    # Dagster validates each part when it is made; of storage, that needs no server
    assert found.compute_logs_data.rehydrate(as_type=object) is not None
    return found


def launcher_of(found: InstanceRef) -> Any:
    assert found.run_launcher_data is not None
    return found.run_launcher_data.rehydrate(as_type=object)


def test_celery_launches_by_redis_and_keeps_no_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = pytest.importorskip("hem_etl.orchestration.celery_runs")
    launcher = launcher_of(reference("celery.yaml", tmp_path, monkeypatch))
    assert isinstance(launcher, runs.WatchedCeleryRunLauncher)
    told = launcher.celery.conf
    assert told.broker_url == "redis://127.0.0.1:1/0"
    assert (told.result_backend, told.task_ignore_result) == ("disabled://", True)
    assert (told.worker_disable_prefetch, told.worker_max_tasks_per_child) == (True, 1)


def test_a_job_of_kubernetes_gets_secrets_settings_and_a_home_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubernetes = pytest.importorskip("kubernetes")
    from dagster_k8s.container_context import K8sContainerContext
    from dagster_k8s.job import construct_dagster_k8s_job

    monkeypatch.setattr(kubernetes.config, "load_incluster_config", lambda: None)  # there is no cluster here
    launcher = launcher_of(reference("kubernetes.yaml", tmp_path, monkeypatch))

    @dg.job
    def nothing() -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(nothing)
    context = K8sContainerContext.create_for_run(run, launcher, include_run_tags=True)
    made = construct_dagster_k8s_job(
        job_config=context.get_k8s_job_config(job_image=None, run_launcher=launcher),
        args=["dagster"],
        job_name="a-run",
        user_defined_k8s_config=context.run_k8s_config,
    ).to_dict()
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == IMAGE
    assert pod["service_account_name"] == "dagster"
    assert [next(filter(None, each.values()))["name"] for each in container["env_from"]] == ["hem-etl", "hem-etl"]
    given = {each["name"]: each["value"] for each in container["env"]}
    assert given["DAGSTER_HOME"] == "/opt/dagster/home"
    mounted = {each["mount_path"]: each["name"] for each in container["volume_mounts"]}
    assert mounted[given["HEM_ETL_HOME"]] == "home-of-a-run"
    assert made["spec"]["backoff_limit"] == 0
    assert made["spec"]["ttl_seconds_after_finished"] == 86400


@pytest.mark.parametrize("name", ["celery.yaml", "kubernetes.yaml"])
def test_they_differ_from_postgres_in_what_launches_and_watches_runs_only(name: str) -> None:
    """And in what a tag limits nothing of: how many runs there are at once."""
    ours, postgres = (yaml.safe_load((SHIPPED / each).read_text()) for each in (name, "postgres.yaml"))
    for each in (ours, postgres):
        for part in ("run_launcher", "run_monitoring", "run_retries", "compute_logs"):
            each.pop(part, None)
        each["concurrency"]["runs"].pop("max_concurrent_runs")
    assert ours == postgres
