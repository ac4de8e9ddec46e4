"""The report as an asset: pages to look at, made of what is published, after the models."""

import dagster as dg

from hem_etl.orchestration.resources import Roads, told_plainly
from hem_etl.orchestration.sql_checks import model_key
from hem_etl.report import REPORT_FOLDER, make_report
from hem_etl.warehouse import open_warehouse, packaged_models

FLEET_REPORT = dg.AssetKey("fleet_report")


def report_asset() -> dg.AssetsDefinition:
    """Makes it anew each time; asks nobody."""

    @dg.asset(
        key=FLEET_REPORT,
        group_name="report",
        kinds={"python", "html"},
        deps=[model_key(model.relation) for model in packaged_models().views if model.schema == "marts"],
        description="Pages of the fleet and of its homes over the newest 90 days, as `hem-etl report` makes them: they "
        "open offline in any browser. The path is in the metadata.",
    )
    def fleet_report(roads: dg.ResourceParam[Roads]) -> dg.MaterializeResult[None]:
        with told_plainly():
            settings = roads.settings()
            made = make_report(open_warehouse(settings), settings.home / REPORT_FOLDER)
        return dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(str(made.index.resolve())),
                "start": str(made.start),
                "end": str(made.end),
                "homes": made.homes,
                "pages": made.pages,
                "largest_bytes": made.largest_bytes,
            }
        )

    return fleet_report
