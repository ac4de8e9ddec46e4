"""`hem-etl landing`: what is landed, from one place to another."""

from typing import Annotated

import typer

from hem_etl.cli.options import Json
from hem_etl.cli.output import print_json, say
from hem_etl.errors import SOME_FAILED

landing = typer.Typer(no_args_is_help=True, help="What is landed, from which `rebuild` makes everything else.")


@landing.callback()
def _commands() -> None:
    """Keeps the one command there is a command of its own."""


@landing.command()
def copy(
    to: Annotated[str, typer.Option("--to", help="A folder, or s3://BUCKET/PREFIX by the HEM_ETL_S3_… settings.")],
    source: Annotated[str | None, typer.Option("--from", help="Another than HEM_ETL_LANDING says.")] = None,
    is_json: Json = False,
) -> None:
    """Copy what is landed to another place and prove each segment there; again, it copies only what lacks."""
    from dataclasses import asdict

    from hem_etl.cli.progress import TerminalProgress
    from hem_etl.landing import copy_landing, open_landing, open_place
    from hem_etl.settings import load_settings

    settings = load_settings()
    place = open_landing(settings).place if source is None else open_place(settings, source)
    target = open_place(settings, to)
    with TerminalProgress() as progress:

        def tell(done: int, total: int) -> None:
            if done == 1:
                progress.begin("copy", total)
            progress.advance(done)

        copied = copy_landing(place, target, tell)
    if is_json:
        print_json(asdict(copied) | {"is_equal": copied.is_equal})
    else:
        say(str(copied))
    if copied.landed_meanwhile:
        raise typer.Exit(SOME_FAILED)
