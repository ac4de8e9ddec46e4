"""Small tables as Dagster's pages show them."""

from collections.abc import Sequence
from typing import Any, Final

import dagster as dg

ROWS_SHOWN: Final = 20


def markdown(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dg.MarkdownMetadataValue:
    """A small table; the first rows of a large one."""
    lines = [names, ["---"] * len(names), *rows[:ROWS_SHOWN]]
    text = "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)
    more = len(rows) - ROWS_SHOWN
    return dg.MetadataValue.md(text + (f"\n\n… and {more} more" if more > 0 else ""))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return " ".join(text.replace("|", "\\|").split())[:200]
