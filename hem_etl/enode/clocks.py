"""Our clock against the server's: an HTTP date, and how far ours is ahead of it."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from hem_etl.enode.transfer import Received
from hem_etl.errors import ClockError
from hem_etl.local_day import CLOCK_TOLERANCE


class Clocks:
    """Compares at each answer. Thread-safe."""

    def __init__(self, *, is_checked: bool) -> None:
        """is_checked: whether a wrong clock ends it."""
        self._is_checked = is_checked
        self.seconds_ahead: float | None = None
        """Of ours, at the last answer that told the server's; None before any did."""

    def compare(self, received: Received, at: datetime) -> None:
        """Raises ClockError where ours is wrong: what is fetched would be stamped with an instant that was not.

        An answer without a readable `Date` says nothing. at: when it was received, by our clock.
        """
        theirs = read_http_date(received.date)
        if theirs is None:
            return
        age = received.age or ""
        kept_seconds = int(age) if age.isascii() and age.isdecimal() and len(age) < 9 else 0
        ahead = self.seconds_ahead = (at - theirs).total_seconds() - kept_seconds
        if self._is_checked and abs(ahead) > CLOCK_TOLERANCE.total_seconds():
            side = "ahead of" if ahead > 0 else "behind"
            raise ClockError(
                f"this machine's clock is {timedelta(seconds=round(abs(ahead)))} {side} Enode's: set it "
                "(for example by NTP) and run again. Where a proxy changes the header Date, HEM_ETL_CLOCK_CHECK=off "
                "leaves the comparison out."
            )


def read_http_date(header: str | None) -> datetime | None:
    """The instant that an HTTP date spells; None where it is absent or spells none."""
    try:
        then = parsedate_to_datetime(header) if header else None
        return then if then is None or then.tzinfo is not None else then.replace(tzinfo=UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
