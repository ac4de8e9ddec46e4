"""Every `hem-etl` line of the documents names a command and options that there are."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from hem_etl.cli.app import app

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINE = re.compile(r"(?:^\$ |ExecStart=|&& |`|^)(?:\S*/)?hem-etl ([^`\n]*)", re.MULTILINE)


def lines() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for line in LINE.findall(page.read_text(encoding="utf-8")):
            said = re.split(r"\s#|>>|\s\|", line)[0].strip()
            if said and "…" not in said and "|" not in said and "<" not in said:
                found.append((page.name, said))
    return sorted(set(found))


@pytest.mark.parametrize(("page", "line"), lines())
def test_a_documented_command_line_can_be_read(page: str, line: str) -> None:
    words = [word for word in shlex.split(line) if not word.startswith("[")]
    command: Any = typer.main.get_command(app)
    context = command.make_context("hem-etl", [*words], resilient_parsing=True)
    name = words[0]
    if name.startswith("-"):
        return
    assert name in command.commands, f"{page}: there is no command {name!r}"
    command, rest = command.commands[name], words[1:]
    if hasattr(command, "commands") and rest:
        assert rest[0] in command.commands, f"{page}: there is no command {name} {rest[0]!r}"
        command, rest = command.commands[rest[0]], rest[1:]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    known |= {option for parameter in context.command.params for option in parameter.opts} | {"--help"}
    for word in rest:
        if word.startswith("--"):
            assert word.split("=")[0] in known, f"{page}: {line!r} has the option {word}, which {name} does not know"


def test_the_documents_show_command_lines() -> None:
    assert len(lines()) > 20
