"""What was measured, as a table for a terminal and as docs/performance.md. Knows the JSON of the bench, no more."""

from collections.abc import Iterator
from typing import Any, Final

Measured = dict[str, Any]

METHOD: Final = """\
# Performance

*Written by `make bench` from what it measured; change `benchmarks/`, not this page.*

Read the ratios: they hold from machine to machine, seconds do not. Every row is a process of its own and is measured in
CPU time, user and system, of that process and all that it starts; wall time and the most memory that one process held
stand beside it. Start-up rows are whole processes; of all others the work is measured, without imports and without what
prepares it, memory included. A round runs every row once, one after the other, and so on (A B C A B C …): what else the
machine does falls on all rows alike. A number is the median of the rounds, with the least and the most behind it; a
ratio is made within each round, and its median is shown. It is CPU time ÷ CPU time (wall ÷ wall where a row says
so), of the first row of a table where the row names no other: 2.0 takes twice as much."""

PEERS: Final = """\
Others are installed in an environment of their own (`[dependency-groups] peers`, pinned in
`benchmarks/constraints.txt`), and each gets the best configuration that we know, said in `benchmarks/peers.py`. After
the rounds their tables are compared with ours: the same number of points, and the same kWh of each flow by system and
day, to 1e-9."""


def rendered(found: Measured) -> str:
    """The page."""
    return "\n".join(_lines(found)) + "\n"


def table(found: Measured) -> str:
    """The same numbers for a terminal."""
    lines = []
    for section in found["sections"]:
        lines += ["", section["title"], f"{'ratio':>22}  {'CPU':>9}  {'wall':>9}  {'MB':>6}  {'rate':>8}"]
        for row in section["rows"]:
            ratio = told_ratio(row["ratio"]) if row["ratio"] else ""
            cpu, wall = told_seconds(row["cpu_seconds"]["median"]), told_seconds(row["wall_seconds"]["median"])
            lines.append(f"{ratio:>22}  {cpu:>9}  {wall:>9}  {row['peak_mb']:6.0f}  {_rate(row):>8}  {row['name']}")
    return "\n".join(lines)


def _lines(found: Measured) -> Iterator[str]:
    machine = found["machine"]
    libraries = ", ".join(f"{name} {number}" for name, number in machine["libraries"].items())
    yield METHOD
    if found["equal_sums"]:
        yield f"\n{PEERS}"
    yield (
        f"\nMeasured in {found['rounds']} round{'s' if found['rounds'] > 1 else ''} ({found['minutes']:g} minutes) on "
        f"{machine['system']}, {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB; Python "
        f"{machine['python']}, {libraries}."
    )
    for section in found["sections"]:
        yield f"\n## {section['title']}\n\n{section['about']}\n"
        yield from _table(section["rows"])
        yield "\nWhat limits each:\n"
        yield from _limits(section["rows"])


def _table(rows: list[Measured]) -> Iterator[str]:
    has_rate = any(row["rate"] for row in rows)
    yield f"| ratio | | CPU | wall | memory |{' M values/s |' if has_rate else ''}"
    yield f"|---:|---|---:|---:|---:|{'---:|' if has_rate else ''}"
    for row in rows:
        names_base = row["compared_with"] not in (None, rows[0]["name"])
        cells = [
            f"**{told_ratio(row['ratio'])}**" if row["ratio"] else "",
            f"{row['name']}{' ÷ *' + row['compared_with'] + '*' if names_base else ''}",
            _spread(row["cpu_seconds"]),
            told_seconds(row["wall_seconds"]["median"]),
            f"{row['peak_mb']:.0f} MB",
            *([_rate(row)] if has_rate else []),
        ]
        yield f"| {' | '.join(cells)} |"


def _limits(rows: list[Measured]) -> Iterator[str]:
    """One sentence for each row; rows of which the same is true share it."""
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row["limit"], []).append(f"*{row['name']}*")
    yield from (f"- {', '.join(named)}: {limit}" for limit, named in names.items())


def told_ratio(ratio: Measured) -> str:
    """Its median, with the least and the most behind it."""
    return f"{_three(ratio['median'])} ({_three(ratio['least'])}–{_three(ratio['most'])})"


def _spread(seconds: Measured) -> str:
    least, most = (told_seconds(seconds[each]) for each in ("least", "most"))
    return f"{told_seconds(seconds['median'])} ({least} – {most})"


def told_seconds(seconds: float) -> str:
    """With their unit."""
    return f"{_three(seconds)} s" if abs(seconds) >= 0.1 else f"{_three(1000 * seconds)} ms"


def _rate(row: Measured) -> str:
    return f"{row['rate'] / 1e6:.3f}" if row["rate"] else ""


def _three(number: float) -> str:
    """Three digits that count, never as a power of ten."""
    size = abs(number)
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 else 3
    return f"{number:.{decimals}f}"
