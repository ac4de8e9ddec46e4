"""`hem-etl webhooks`: receive what Enode sends."""

from typing import Annotated

import typer

from hem_etl.cli.output import say

webhooks = typer.Typer(no_args_is_help=True, help="Receive what Enode sends by webhook, and keep it.")


@webhooks.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on.")] = 8788,
) -> None:
    """Verify deliveries, keep their bytes in the inbox, answer. `hem-etl run` reads them. Ends with SIGTERM."""
    from hem_etl.settings import load_settings
    from hem_etl.webhooks.receiver import serve as serve_receiver

    settings = load_settings()
    say(f"Receiving on http://{host}:{port}{settings.webhook_path}/ into {settings.home}. Ctrl-C ends it.")
    serve_receiver(settings, host, port)
