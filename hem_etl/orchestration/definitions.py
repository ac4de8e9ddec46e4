"""The code location that `workspace.yaml` points at: all definitions, put together.

Loading it needs no network, no credentials and no database. Of the settings only the first day and the number of
buckets (they shape the partitions) and the folder of own models are used here; everything else is read when a run
starts.
"""

import dagster as dg

from hem_etl.orchestration.assets import enode_assets
from hem_etl.orchestration.checks import freshness_check, red_check, webhooks_check
from hem_etl.orchestration.maintenance import maintenance_schedule
from hem_etl.orchestration.models import model_assets
from hem_etl.orchestration.own import own_assets
from hem_etl.orchestration.partitions import Scheme
from hem_etl.orchestration.publishing import publish_sensor
from hem_etl.orchestration.report import report_asset
from hem_etl.orchestration.resources import Roads, RoadsBySettings
from hem_etl.orchestration.retention import retention_schedule
from hem_etl.orchestration.schedules import ALL_ASSETS_JOB, daily_schedule
from hem_etl.orchestration.sensors import alert_sensor, new_systems_sensor, webhook_events_sensor
from hem_etl.settings import load_settings
from hem_etl.warehouse import packaged_models


def make_definitions(scheme: Scheme, roads: Roads) -> dg.Definitions:
    """Everything that Dagster knows of us."""
    return dg.Definitions(
        assets=[
            *enode_assets(scheme),
            model_assets(packaged_models()),
            report_asset(),
            *own_assets(roads.settings().own_models),
        ],
        asset_checks=[freshness_check(), red_check(), webhooks_check()],
        schedules=[daily_schedule(scheme, roads), retention_schedule(), maintenance_schedule()],
        sensors=[
            new_systems_sensor(scheme, roads),
            webhook_events_sensor(roads),
            publish_sensor(ALL_ASSETS_JOB),
            alert_sensor(),
        ],
        resources={"roads": roads},
        executor=dg.in_process_executor,
    )


defs = make_definitions(Scheme.of(load_settings()), RoadsBySettings())
