"""Pictures of shares and spreads: ratios with their bounds, days by how they compare, a load profile, hours."""

from collections.abc import Sequence
from typing import Any, Final

from markupsafe import Markup

from hem_etl.report.flows import flow_name
from hem_etl.report.language import Language
from hem_etl.report.markup import tag
from hem_etl.report.plot import LEFT, WIDTH, Scale, legend, picture, scale_over, value_axis
from hem_etl.vocabulary import FLOWS

ROW: Final = 22
ON_PAPER: Final = 24
"""Rows that are printed of a picture that grows with the fleet; the style cuts it there."""
NAMES: Final = 210
"""Room for names at the left."""
Row = dict[str, Any]


def ratio_ranges(rows: Sequence[tuple[str, Row, str]], title: str, language: Language) -> Markup:
    """(name, row, ratio): the value as a mark, from the least to the most it can be as a bar."""
    width = WIDTH - NAMES - 150
    drawn: list[Markup] = []
    for tenth in range(0, 11, 2):
        x = NAMES + tenth / 10 * width
        drawn.append(tag("path", d=f"M{x:g} 18V{24 + len(rows) * ROW}", class_="grid"))
        drawn.append(tag("text", f"{tenth * 10} %", x=x, y=12, class_="soft mid"))
    for number, (name, row, ratio) in enumerate(rows):
        y = 24 + number * ROW
        drawn.append(tag("text", name, x=0, y=y + 13))
        value, low, high = row[ratio], row[f"{ratio}_low"], row[f"{ratio}_high"]
        if low is not None and high is not None:
            span = {"x": NAMES + low * width, "width": max((high - low) * width, 2)}
            drawn.append(tag("rect", y=y + 3, height=12, class_="range", **span))
        if value is not None:
            x = NAMES + value * width
            drawn.append(tag("path", d=f"M{x:.1f} {y}v18", class_="mark"))
        told = ratio_told(row, ratio, language) if value is not None else language.say("not known")
        drawn.append(tag("text", told, x=NAMES + width + 8, y=y + 13, font_size=11))
    described = language.say("{count} ratios, each with the range in which it can lie", count=len(rows))
    return picture(title, described, WIDTH, 30 + len(rows) * ROW, drawn)


def ratio_told(row: Row, ratio: str, language: Language) -> str:
    """A ratio never stands without its range, where there is one."""
    value, low, high = row[ratio], row[f"{ratio}_low"], row[f"{ratio}_high"]
    told = language.share(value)
    return (
        told
        if value is None or low is None or high is None
        else f"{told} ({language.share(low)} … {language.share(high)})"
    )


def load_profile(rows: Sequence[Row], title: str, language: Language) -> Markup:
    """Weekdays and weekends side by side: median as steps, from the tenth to the ninetieth percentile as a ribbon."""
    scale, ticks = scale_over([row["p90_kw"] for row in rows], 30, 220)
    wide = (WIDTH - LEFT - 40) / 2
    drawn = [value_axis(scale, ticks, LEFT, WIDTH, "kW", language)]
    for panel, name in enumerate(("Monday to Friday", "Saturday and Sunday")):
        left, step = LEFT + panel * (wide + 40), wide / 24
        by_hour = {row["hour"]: row for row in rows if row["is_weekend"] == bool(panel)}
        drawn.append(tag("text", language.say(name), x=left + wide / 2, y=14, class_="mid"))
        for hour in range(24):
            row = by_hour.get(hour)
            x = left + hour * step
            if hour % 3 == 0:
                drawn.append(tag("text", f"{hour:02d}", x=x, y=236, class_="soft mid"))
            if row is None:
                drawn.append(tag("rect", x=x, y=30, width=step, height=190, class_="hole"))
                continue
            top, bottom = scale.at(row["p90_kw"]), scale.at(row["p10_kw"])
            drawn.append(tag("rect", x=x, y=top, width=step, height=max(bottom - top, 0.5), class_="ribbon"))
            drawn.append(
                tag("path", d=f"M{x:.1f} {scale.at(row['median_kw']):.1f}h{step:.1f}", class_="line-consumption")
            )
    described = language.say("Consumption by hour of the day: median and the span of the middle 80 per cent")
    return picture(title, described, WIDTH, 244, drawn) + legend(
        [
            ("consumption", language.say("median"), None),
            ("ribbon", language.say("10 to 90 per cent of the quarter hours"), None),
            ("hole", language.say("nothing known"), None),
        ]
    )


def agreement(rows: Sequence[Row], title: str, language: Language) -> Markup:
    """For each row (a flow, or a vendor's flow), its days by how our energy compares with the vendor's."""
    kinds = (
        ("match_days", "match", "agree (within 0.1 kWh or 2 %)", None),
        ("explained_days", "explained", "explained by missing time", "partial"),
        ("mismatch_days", "mismatch", "differ", "failed"),
        ("reported_missing_days", "nothing", "vendor reports nothing", "nothing"),
        ("integrated_missing_days", "scant", "only the vendor's value", "partial"),
    )
    width = WIDTH - NAMES - 90
    drawn: list[Markup] = []
    for number, row in enumerate(rows):
        y, x = 4 + number * ROW, float(NAMES)
        bar: list[Markup] = []
        name = flow_name(row["flow"], language)
        if "vendor" in row and row.get("has_vendor_name", True):
            name = f"{row['vendor'] or '?'} · {name}"
        label = tag("text", name, x=0, y=y + 13, font_size=11)
        for column, style, text, pattern in kinds:
            part = row[column] / row["days"] * width if row["days"] else 0
            if part:
                said = f"{name}: {language.say(text)}: {row[column]} / {row['days']}"
                box = {"x": round(x, 1), "y": y + 2, "width": round(part, 1), "height": 14}
                hatch = tag("rect", fill=f"url(#{pattern})", **box) if pattern else None
                bar.append(tag("g", tag("title", said), tag("rect", class_=style, **box), hatch))
                x += part
        days = language.say("{count} days", count=row["days"])
        told = tag("text", days, x=NAMES + width + 8, y=y + 13, font_size=11)
        drawn.append(tag("g", label, bar, told, class_="screen" if number >= ON_PAPER else None))
    described = language.say("{count} bars; their numbers are in the table below", count=len(rows))
    return picture(title, described, WIDTH, 8 + len(rows) * ROW, drawn) + legend(
        [(style, language.say(text), pattern) for _, style, text, pattern in kinds]
    )


def vendor_panels(rows: Sequence[Row], title: str, language: Language) -> Markup:
    """A panel for each flow, a bar for each vendor, with how many homes stand behind it."""
    left, wide = 100, (WIDTH - 100) / len(FLOWS)
    most = max((row[f"{flow}_mean_kwh"] or 0 for row in rows for flow in FLOWS), default=0)
    across = Scale(0, most or 1, 0, wide - 62)
    drawn: list[Markup] = [
        tag("text", flow_name(flow, language), x=left + number * wide, y=12, font_size=11)
        for number, flow in enumerate(FLOWS)
    ]
    for place, row in enumerate(rows):
        y = 20 + place * ROW
        drawn.append(tag("text", row["vendor"] or "?", x=0, y=y + 14, font_size=11))
        for number, flow in enumerate(FLOWS):
            x, value, homes = left + number * wide, row[f"{flow}_mean_kwh"], row[f"{flow}_systems"]
            told = language.say("{energy} · n {homes}", energy=language.number(value), homes=homes)
            length = 0.0 if value is None else max(across.bottom - across.at(value), 0)
            drawn.append(tag("rect", x=x, y=y + 2, width=round(length, 1), height=14, class_=flow))
            drawn.append(tag("text", told, x=x + length + 3, y=y + 13, class_="soft", font_size=10))
    described = language.say("Energy of a home and day in kWh for each vendor and flow; n: homes behind it")
    return picture(title, described, WIDTH, 26 + len(rows) * ROW, drawn)


def settling(rows: Sequence[Row], title: str, language: Language) -> Markup:
    """A dot for each home, a line for each vendor: hours until 95 of 100 days had not changed any more."""
    vendors = sorted({row["vendor"] or "?" for row in rows})
    most = max((row["settle_hours_p95"] for row in rows), default=0) or 1
    width = WIDTH - NAMES - 20
    drawn: list[Markup] = []
    for tick in range(5):
        x = NAMES + tick / 4 * width
        drawn.append(tag("path", d=f"M{x:g} 18V{22 + len(vendors) * ROW}", class_="grid"))
        drawn.append(tag("text", f"{language.number(most * tick / 4, 0)} h", x=x, y=12, class_="soft mid"))
    for place, vendor in enumerate(vendors):
        y = 22 + place * ROW
        drawn.append(tag("text", vendor, x=0, y=y + 13))
        for row in rows:
            if (row["vendor"] or "?") == vendor:
                said = f"{row['system_id']}: {language.number(row['settle_hours_p95'])} h"
                x = NAMES + row["settle_hours_p95"] / most * width
                drawn.append(
                    tag("circle", tag("title", said), cx=round(x, 1), cy=y + 9, r=5, class_="complete link-flow")
                )
    described = language.say("{count} homes; their numbers are in the table below", count=len(rows))
    return picture(title, described, WIDTH, 28 + len(vendors) * ROW, drawn)
