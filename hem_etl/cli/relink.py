"""`hem-etl relink`: who must link again, and the links for it."""

import csv
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hem_etl.cli.options import Json
from hem_etl.cli.output import print_line, print_rows, say

if TYPE_CHECKING:
    import polars as pl


def relink(
    create_links: Annotated[
        bool, typer.Option("--create-links", help="Make a link for each: single use, 24 hours, a secret.")
    ] = False,
    redirect_uri: Annotated[str | None, typer.Option(help="Where the user comes back to.")] = None,
    language: Annotated[str, typer.Option(help="Of the pages that the user sees, e.g. de-DE.")] = "browser",
    output: Annotated[
        Path | None, typer.Option(help="Write CSV there, readable by you alone, and not to the terminal.")
    ] = None,
    is_json: Json = False,
) -> None:
    """Users who must link their account again, with reason and days lost, by the published file."""
    from hem_etl import facts
    from hem_etl.errors import UsageError
    from hem_etl.settings import load_settings
    from hem_etl.warehouse import open_warehouse

    if create_links and redirect_uri is None:
        raise UsageError("--create-links needs --redirect-uri: where the user comes back to after linking")
    rows = facts.read_relink(open_warehouse(load_settings()))
    if create_links:
        rows = _with_links(rows, str(redirect_uri), language)
    if output is not None:
        _write_privately(output, rows.write_csv())
        say(f"{rows.height} users written to {output}.")
    elif create_links and not is_json:
        print_line(_as_csv(rows.select("user_id", "vendor", "reason", "link_url")))
    else:
        print_rows(rows, is_json=is_json)
    if not rows.height:
        say("Nobody must link again.")


def _with_links(rows: "pl.DataFrame", redirect_uri: str, language: str) -> "pl.DataFrame":
    """A link for each row that names a user; the others say why there is none."""
    import polars as pl

    from hem_etl.enode.subscriptions import open_link_session
    from hem_etl.pipeline import make_client
    from hem_etl.settings import load_settings

    links: list[str | None] = []
    with make_client(load_settings()) as client:
        for user_id, vendor in rows.select("user_id", "vendor").iter_rows():
            if user_id is None:
                say("A system names no user: no link can be made for it.")
                links.append(None)
                continue
            session = open_link_session(client, user_id, redirect_uri=redirect_uri, language=language, vendor=vendor)
            links.append(session.link_url.get_secret_value())
    return rows.with_columns(link_url=pl.Series(links, dtype=pl.String))


def _as_csv(rows: "pl.DataFrame") -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows.columns)
    writer.writerows(rows.iter_rows())
    return text.getvalue().rstrip()


def _write_privately(path: Path, text: str) -> None:
    from hem_etl.errors import UsageError, disk_trouble

    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
    except OSError as error:
        raise UsageError(f"cannot write {path} ({disk_trouble(error)}).") from error
