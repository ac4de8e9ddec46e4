"""The client that the settings describe, and which API a home is filled from."""

from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from hem_etl.disk import replacing
from hem_etl.enode.client import Connection, EnodeClient
from hem_etl.errors import SettingsError
from hem_etl.locks import make_budget, make_turns
from hem_etl.settings import Settings

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


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


def require_one_api(settings: Settings) -> None:
    """SettingsError where this home was filled from another API: homes of both would stand in the same sums.

    A simulator on this machine is the same at any port.
    """
    file = settings.api_of_home
    asked = urlsplit(settings.api_url)
    now = "a simulator on this machine" if asked.hostname in LOOPBACK else asked.netloc.rpartition("@")[2]
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as opened:  # several processes may begin at once
            opened.write(now.encode())
    if (before := file.read_text(encoding="utf-8")) != now:
        raise SettingsError(
            f"HEM_ETL_HOME={settings.home} was filled from {before}, and {now} is to be asked: homes of both would "
            f"stand in the same sums. Let HEM_ETL_HOME name a folder for each. If it is the same API, delete {file}."
        )
