"""What Enode is told, not asked: subscriptions of webhooks, and link sessions for users who must link again.

A subscription's secret and a session's URL are secrets: both are given to the caller and kept nowhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from hem_etl.enode.client import API_VERSION, EnodeClient
from hem_etl.enode.wire import LinkSession, M, Subscription, Trial, WireError, read_json, read_model
from hem_etl.errors import HemEtlError, RequestRefusedError, UsageError
from hem_etl.vocabulary import EventName

EVENTS: Final = tuple(name.value for name in EventName)
EVERY_EVENT: Final = "*"
"""What Enode's own client knows in place of the names of HEM events."""
SCOPES: Final = ("inverter:read:data", "battery:read:data", "meter:read:data")
"""What a HEM system needs of its user."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A subscription that was made, and whether it had to name every event."""

    subscription: Subscription
    is_fallback: bool


def subscribe(client: EnodeClient, url: str, secret: SecretStr, events: Sequence[str] = EVENTS) -> Subscribed:
    """Subscribe for these events; for all there are where Enode does not know a name that its documentation has.

    Raises UsageError for a URL without encryption, RequestRefusedError e.g. where the URL is subscribed already.
    """
    if not url.lower().startswith("https://"):
        raise UsageError(
            f"{url!r} is not https: Enode delivers over https only; put a reverse proxy with TLS before it"
        )
    try:
        return Subscribed(_subscribe(client, url, secret, events), is_fallback=False)
    except RequestRefusedError as error:
        if error.status != 400 or "event" not in str(error).lower() or not set(events) <= set(EVENTS):
            raise
        return Subscribed(_subscribe(client, url, secret, [EVERY_EVENT]), is_fallback=True)


def subscriptions(client: EnodeClient) -> list[Subscription]:
    """All subscriptions of this client."""
    content = read_json(client.manage("GET", "webhooks") or b"")
    items = content.get("data", content) if isinstance(content, dict) else content
    if not isinstance(items, list):
        raise HemEtlError("Enode's list of subscriptions cannot be read: it is no list. Look at Enode's own console.")
    return [read_model(Subscription, item, "subscription") for item in items]


def update(client: EnodeClient, subscription_id: str, **changes: object) -> Subscription:
    """Change what is named: url, secret, events."""
    return _read(Subscription, client.manage("PATCH", "webhooks", subscription_id, content=changes), "subscription")


def try_out(client: EnodeClient, subscription_id: str) -> Trial:
    """Let Enode deliver a test now. A good one makes an inactive subscription active again."""
    return _read(Trial, client.manage("POST", "webhooks", subscription_id, "test"), "test of a subscription")


def delete(client: EnodeClient, subscription_id: str) -> None:
    client.manage("DELETE", "webhooks", subscription_id)


def open_link_session(
    client: EnodeClient,
    user_id: str,
    *,
    redirect_uri: str,
    language: str,
    vendor: str | None = None,
    scopes: Iterable[str] = SCOPES,
) -> LinkSession:
    """A link session for a user, with the vendor chosen beforehand where one is given."""
    content: dict[str, object] = {"scopes": list(scopes), "redirectUri": redirect_uri, "language": language}
    if vendor is not None:
        content["vendor"] = vendor
    return _read(LinkSession, client.manage("POST", "users", user_id, "link", content=content), "link session")


def open_relink_session(client: EnodeClient, asset_id: str, *, redirect_uri: str, language: str) -> LinkSession:
    """A session in which a user gives the credentials of one device's account again; it asks for no scope.

    Raises RequestRefusedError where Enode cannot link that device again.
    """
    content = {"redirectUri": redirect_uri, "language": language}
    return _read(LinkSession, client.manage("POST", "assets", asset_id, "relink", content=content), "link session")


def _subscribe(client: EnodeClient, url: str, secret: SecretStr, events: Sequence[str]) -> Subscription:
    content = {
        "url": url,
        "secret": secret.get_secret_value(),
        "events": list(events),
        "apiVersion": API_VERSION,
    }
    return _read(Subscription, client.manage("POST", "webhooks", content=content), "subscription")


def _read(model: type[M], body: bytes | None, what: str) -> M:
    try:
        return read_model(model, read_json(body or b""), what)
    except WireError as error:
        raise HemEtlError(
            f"Enode's answer cannot be read ({error}): look with the list command what was done."
        ) from None
