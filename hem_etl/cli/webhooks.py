"""`hem-etl webhooks`: receive what Enode sends, and tell Enode where to send it."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hem_etl.cli.options import Json
from hem_etl.cli.output import print_json, print_line, print_table, say

if TYPE_CHECKING:
    from pydantic import SecretStr

    from hem_etl.enode.client import EnodeClient
    from hem_etl.enode.wire import Subscription, Trial

SECRET_BYTES: Final = 32

webhooks = typer.Typer(
    no_args_is_help=True, help="Receive Enode's webhooks, each of which says that something is worth a look."
)

Id = Annotated[str, typer.Argument(help="The subscription, as `hem-etl webhooks list` shows it.")]


@webhooks.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on.")] = 8788,
) -> None:
    """Verify deliveries, keep their bytes in the inbox, answer. `hem-etl run --due` acts on them. Ends with SIGTERM."""
    from hem_etl.settings import load_settings
    from hem_etl.webhooks.receiver import serve as serve_receiver
    from hem_etl.webhooks.signature import signing_secrets

    settings = load_settings()
    signing_secrets(settings)  # what is wrong with them is told before anything else
    say(f"Receiving on http://{host}:{port}{settings.webhook_path}/ into {settings.home}. Ctrl-C ends it.")
    serve_receiver(settings, host, port)


@webhooks.command()
def subscribe(
    url: Annotated[str, typer.Argument(help="Where Enode shall send: https, what your reverse proxy passes on.")],
    event: Annotated[list[str] | None, typer.Option(help="Only events of this name; repeatable.")] = None,
    is_json: Json = False,
) -> None:
    """Tell Enode to send events there, signed with ENODE_WEBHOOK_SECRET; where that is not set a secret is made."""
    from hem_etl.enode.subscriptions import EVENTS
    from hem_etl.enode.subscriptions import subscribe as subscribe_at

    with _client() as client:
        secret, is_new = _secret()
        made = subscribe_at(client, url, secret, event or EVENTS)
    if is_json:
        print_json(_facts(made.subscription))
    else:
        say(f"Subscribed: {made.subscription.id}. `hem-etl webhooks test {made.subscription.id}` tries it.")
    if made.is_fallback:
        say("Enode does not know the names of the HEM events, so it will send every event (*); others are recorded.")
    if is_new:
        _show_secret(secret)


@webhooks.command("list")
def list_all(is_json: Json = False) -> None:
    """The subscriptions of this client; one that is not active gets nothing."""
    from hem_etl.enode.subscriptions import subscriptions

    with _client() as client:
        found = subscriptions(client)
    if is_json:
        print_json([_facts(each) for each in found])
        return
    names = ["id", "url", "is_active", "last_success", "events"]
    print_table(names, [tuple(_facts(each)[name] for name in names) for each in found])
    for each in found:
        if each.is_active is False:
            say(f"{each.id} is not active: `hem-etl webhooks reactivate {each.id}`.")


@webhooks.command()
def test(subscription: Id) -> None:
    """Let Enode deliver a test now, and show what our receiver answered."""
    from hem_etl.enode.subscriptions import try_out

    with _client() as client:
        trial = try_out(client, subscription)
    _tell(trial)


@webhooks.command()
def update(
    subscription: Id,
    url: Annotated[str | None, typer.Option(help="Send there from now on.")] = None,
    secret: Annotated[bool, typer.Option("--secret", help="Sign with ENODE_WEBHOOK_SECRET from now on.")] = False,
) -> None:
    """Change where a subscription sends, or its secret. Receivers need the old one in ENODE_WEBHOOK_SECRET_BEFORE."""
    from hem_etl.enode.subscriptions import update as update_one
    from hem_etl.errors import UsageError

    changes: dict[str, object] = {} if url is None else {"url": url}
    with _client() as client:
        if secret:
            given, is_new = _secret()
            if is_new:
                raise UsageError("set ENODE_WEBHOOK_SECRET to the new secret, and the old one as _BEFORE; then update")
            changes["secret"] = given.get_secret_value()
        if not changes:
            raise UsageError("nothing to change: name --url or --secret")
        update_one(client, subscription, **changes)
    say(f"Updated {subscription}.")


@webhooks.command()
def reactivate(
    subscription: Id,
    catch_up: Annotated[bool, typer.Option(help="List the fleet and ask for what is due, as events were lost.")] = True,
) -> None:
    """Make a subscription active again, and make up for what Enode deleted meanwhile."""
    from hem_etl.cli.progress import TerminalProgress
    from hem_etl.cli.reports import print_report
    from hem_etl.enode.subscriptions import try_out
    from hem_etl.pipeline import Road
    from hem_etl.settings import load_settings

    with _client() as client:
        _tell(try_out(client, subscription))
        if not catch_up:
            return
        say("Events older than 24 hours are lost: the fleet is listed and everything that is not settled is asked.")
        with TerminalProgress() as progress:
            report = Road(load_settings(), client=client, progress=progress).run_late()
    print_report(report, is_json=False)
    raise typer.Exit(report.exit_code)


@webhooks.command()
def delete(subscription: Id) -> None:
    """End a subscription. What it sent stays."""
    from hem_etl.enode.subscriptions import delete as delete_one

    with _client() as client:
        delete_one(client, subscription)
    say(f"Deleted {subscription}: Enode sends nothing there any more.")


@contextmanager
def _client() -> Iterator["EnodeClient"]:
    from hem_etl.pipeline import make_client
    from hem_etl.settings import load_settings

    with make_client(load_settings()) as client:
        yield client


def _secret() -> tuple["SecretStr", bool]:
    """The secret that is set, or one made here; and whether it was made here."""
    from pydantic import SecretStr

    from hem_etl.settings import load_settings
    from hem_etl.webhooks.signature import signing_secrets

    settings = load_settings()
    if settings.webhook_secret is None:
        return SecretStr(secrets.token_urlsafe(SECRET_BYTES)), True
    return signing_secrets(settings)[0], False


def _show_secret(secret: "SecretStr") -> None:
    say("Its secret is shown once, here, and kept nowhere. Store it where the receiver reads its settings:")
    print_line(f"ENODE_WEBHOOK_SECRET={secret.get_secret_value()}")


def _tell(trial: "Trial") -> None:
    answer = "no answer" if trial.response.code is None else f"answer {trial.response.code}"
    say(f"{trial.status}: {trial.description or 'no reason given'} ({answer} from our receiver)")
    if not trial.is_good:
        say("Is the receiver running, and does the proxy pass its path on? A 401 means another secret.")
        raise typer.Exit(1)


def _facts(subscription: "Subscription") -> dict[str, object]:
    return {
        "id": subscription.id,
        "url": subscription.url,
        "is_active": subscription.is_active,
        "last_success": subscription.last_success,
        "events": ", ".join(subscription.events),
    }
