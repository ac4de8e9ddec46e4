"""The client that the settings describe."""

from datetime import UTC, datetime

from hem_etl.enode.client import Connection, EnodeClient
from hem_etl.locks import make_budget, make_turns
from hem_etl.settings import Settings


def utc_now() -> datetime:
    return datetime.now(UTC)


def make_client(
    settings: Settings, *, most_tries: int | None = None, has_clock_check: bool | None = None
) -> EnodeClient:
    """The client that the settings describe; SettingsError where credentials are missing."""
    client_id, client_secret = settings.credentials()
    return EnodeClient(
        Connection(
            api_url=settings.api_url,
            oauth_url=settings.oauth_url,
            client_id=client_id,
            client_secret=client_secret,
            max_in_flight=settings.max_in_flight,
            requests_per_second=settings.requests_per_second,
            read_timeout_seconds=settings.read_timeout_seconds,
            retry_seconds=settings.retry_seconds,
            most_tries=most_tries,
            has_clock_check=settings.clock_check if has_clock_check is None else has_clock_check,
        ),
        turns=make_turns(settings),
        budget=make_budget(settings),
    )
