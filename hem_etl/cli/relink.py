"""`hem-etl relink`: who must link again, and the links for it."""

import csv
import io
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hem_etl.cli.exporting import writing
from hem_etl.cli.options import Json
from hem_etl.cli.output import print_line, print_rows, printable, say

if TYPE_CHECKING:
    import polars as pl

    from hem_etl.enode.client import EnodeClient
    from hem_etl.errors import HemEtlError


def relink(
    create_links: Annotated[
        bool, typer.Option("--create-links", help="Make a link for each: single use, 24 hours, a secret.")
    ] = False,
    redirect_uri: Annotated[str | None, typer.Option(help="Where the user comes back to.")] = None,
    language: Annotated[str, typer.Option(help="Of the pages that the user sees, e.g. de-DE.")] = "browser",
    csv_file: Annotated[
        Path | None, typer.Option("--csv", help="Write there, readable by you alone, and not to the terminal.")
    ] = None,
    is_json: Json = False,
) -> None:
    """Users who must link their account again, with reason and days lost, by the published file."""
    from hem_etl import facts
    from hem_etl.errors import SOME_FAILED, UsageError
    from hem_etl.settings import load_settings
    from hem_etl.warehouse import open_warehouse

    if create_links and redirect_uri is None:
        raise UsageError("--create-links needs --redirect-uri: where the user comes back to after linking")
    rows = facts.read_relink(open_warehouse(load_settings()))
    failure = None
    with nullcontext() if csv_file is None else writing(csv_file, is_private=True) as file:  # before a link is made
        if create_links:
            rows, failure = _with_links(rows, str(redirect_uri), language)
        if file is not None:
            file.write(rows.write_csv().encode())
    if csv_file is not None:
        say(f"{rows.height} users written to {csv_file}.")
    elif create_links and not is_json:
        print_line(_as_csv(rows.select("user_id", "vendor", "reason", "link_url")))
    else:
        print_rows(rows, is_json=is_json)
    if not rows.height:
        say("Nobody must link again.")
    if failure is not None:
        raise failure
    if create_links and rows["link_url"].null_count():
        raise typer.Exit(SOME_FAILED)


def _with_links(rows: "pl.DataFrame", redirect_uri: str, language: str) -> tuple["pl.DataFrame", "HemEtlError | None"]:
    """The rows with a link each, and what ended that before its end: links that were made by then are not lost."""
    import polars as pl

    from hem_etl.errors import HemEtlError
    from hem_etl.pipeline import make_client
    from hem_etl.settings import load_settings

    links: list[str | None] = []
    failure = None
    with make_client(load_settings()) as client:
        for row in rows.iter_rows(named=True):
            try:
                links.append(_link(client, row, redirect_uri, language))
            except HemEtlError as error:
                failure = error
                break
    links += [None] * (rows.height - len(links))
    return rows.with_columns(link_url=pl.Series(links, dtype=pl.String)), failure


def _link(client: "EnodeClient", row: dict[str, Any], redirect_uri: str, language: str) -> str | None:
    """By a device whose account Enode lost, where one is known; else by a session of the user, which asks for scopes.

    None, and a line that says why, where Enode refuses it or nobody is named.
    """
    from hem_etl.enode.subscriptions import open_link_session, open_relink_session
    from hem_etl.errors import RequestRefusedError

    who = f"{row['vendor'] or 'an unknown vendor'} of user {row['user_id'] or 'unknown'}"
    if row["asset_id"] is not None:
        try:
            session = open_relink_session(client, row["asset_id"], redirect_uri=redirect_uri, language=language)
            return session.link_url.get_secret_value()
        except RequestRefusedError as error:
            say(printable(f"{who}: no link by a device ({error}) A session of the user is tried."))
    if row["user_id"] is None:
        say(printable(f"{who}: the systems name no user, so no link can be made."))
        return None
    try:
        session = open_link_session(
            client, row["user_id"], redirect_uri=redirect_uri, language=language, vendor=row["vendor"]
        )
    except RequestRefusedError as error:
        say(printable(f"{who}: no link ({error})"))
        return None
    return session.link_url.get_secret_value()


def _as_csv(rows: "pl.DataFrame") -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows.columns)
    writer.writerows(["" if cell is None else printable(cell) for cell in row] for row in rows.iter_rows())
    return text.getvalue().rstrip()
