"""Reads the header of a file of `dbt_like_sql`: comment lines `-- label: text` above the SQL, which go on indented.

What the labels mean, and whether what they say is true, is the business of those who read models and macros.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hem_etl.errors import ModelError

_LISTS: Final = ("parameters", "columns")
_OPTIONAL_LABELS: Final = (
    *("key checked by", "local to", "materialized", "parameters"),
    *("rebuilt by", "reaches", "looks at"),
)


@dataclass(frozen=True, slots=True)
class Column:
    """One line of a header's `columns` or `parameters`. `unit` is `-` where there is none."""

    name: str
    type: str
    unit: str
    meaning: str

    @property
    def comment(self) -> str:
        return self.meaning if self.unit == "-" else f"{self.meaning} [{self.unit}]"


def read_header(file: str, text: str, labels: Sequence[str]) -> tuple[dict[str, str], str]:
    """The header's parts by label (columns and parameters: one line each) and the SQL below it."""
    lines = text.splitlines()
    end = next((number for number, line in enumerate(lines) if not line.startswith("--")), len(lines))
    header: dict[str, str] = {}
    label = ""
    for line in lines[:end]:
        said = line[2:]
        start = said.strip().split(":", 1)
        if not said.startswith("   ") and len(start) == 2 and start[0] in labels and start[0] not in header:
            label = start[0]
            header[label] = start[1].strip()
        elif label and said.startswith("   "):
            header[label] = f"{header[label]}{chr(10) if label in _LISTS else ' '}{said.strip()}".strip()
        else:
            raise ModelError(f"{file}: cannot read the header's line {line!r}; its labels are {', '.join(labels)}")
    if missing := [name for name in labels if not header.get(name) and name not in _OPTIONAL_LABELS]:
        raise ModelError(f"{file}: the header does not say: {', '.join(missing)}")
    sql = "\n".join(lines[end:]).strip().removesuffix(";").rstrip()
    if not sql:
        raise ModelError(f"{file}: there is no statement below the header")
    return header, sql


def read_column(file: str, line: str) -> Column:
    parts = [part.strip() for part in line.split("|", 3)]
    if len(parts) != 4 or not all(parts):
        raise ModelError(f"{file}: a column's line is `name | type | unit or - | meaning`, not {line!r}")
    return Column(*parts)


def quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def quoted_relation(relation: str) -> str:
    return ".".join(map(quoted, relation.split(".", 1)))


def literal(text: str) -> str:
    """For statements that take no parameters (`comment on`, `attach`); the text is of our own files or settings."""
    return "'" + text.replace("'", "''") + "'"
