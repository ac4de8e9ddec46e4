"""Where to ask, as whom, and how hard: what a client is made of."""

from dataclasses import dataclass, field

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class Connection:
    """Where to ask, as whom, and how hard."""

    api_url: str
    oauth_url: str
    client_id: str = field(repr=False)
    client_secret: SecretStr = field(repr=False)
    max_in_flight: int = 16
    requests_per_second: float = 0
    """Budget over all requests of this client, repeated ones and tokens included; 0: none."""
    read_timeout_seconds: float = 90
    retry_seconds: float = 300
    """After five tries, no wait ends later than this after the first; and the longest `Retry-After` that is obeyed."""
    most_tries: int | None = None
    """Of one request; None: as `retry` says."""
    has_clock_check: bool = True
    """Whether each answer's `Date` is compared with the clock."""
