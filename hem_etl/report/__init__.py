"""The report: pages of the fleet and of each home that open offline, made from what is published.

Pictures of facts: every number comes from `facts`, none is computed here but lengths and places in a picture. All text
from outside is escaped by the type of what pages are made of (`markup`). Asks nobody, writes into one folder.
"""

from hem_etl.report.making import REPORT_FOLDER, ReportMade, make_report

__all__ = ["REPORT_FOLDER", "ReportMade", "make_report"]
