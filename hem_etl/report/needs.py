"""What a home needs, from whom, and the next step."""

from dataclasses import dataclass
from typing import Any

from hem_etl.facts import STALE_DAYS
from hem_etl.report.language import Language
from hem_etl.report.markup import Child
from hem_etl.report.page import command
from hem_etl.vocabulary import FAILED_OUTCOMES, Outcome


@dataclass(frozen=True, slots=True)
class Need:
    """Why somebody must act, and how."""

    why: str
    step: Child


def need_of(home: dict[str, Any], language: Language) -> Need | None:
    """The first thing to do about a home (a row of `report_homes`); None: nothing."""
    say, system_id = language.say, home["system_id"]
    which = f"--system={system_id}"
    if home["gone_at_utc"] is not None:
        return Need(
            say("gone since {day}", day=language.day(home["gone_at_utc"].date())),
            say("Ask user {user} whether the account was unlinked on purpose.", user=home["user_id"] or "?"),
        )
    if home["relink_reason"] is not None:
        return Need(home["relink_reason"], say("User {user} must link the account again.", user=home["user_id"] or "?"))
    if home["last_outcome"] == Outcome.FORBIDDEN:
        return Need(
            _last(home), say("Access to statistics is not granted: ask Enode's Customer Success Manager to enable it.")
        )
    if home["last_outcome"] in FAILED_OUTCOMES:
        return Need(
            _last(home), [say("Ask again, then look at what it says:"), " ", command("run", "--last", "14d", which)]
        )
    if home["newest_complete_day"] is None and home["last_outcome"] is not None:
        return Need(
            say("no day was ever complete ({outcome})", outcome=_last(home)),
            [say("See what is missing:"), " ", command("gaps", which)],
        )
    if home["lag_days"] is not None and home["lag_days"] > STALE_DAYS:
        return Need(
            say("complete days end {days} days ago", days=home["lag_days"]),
            [say("See what is missing:"), " ", command("gaps", which)],
        )
    if home["is_reachable"] is False:
        return Need(
            say("Enode could not reach the device at its last contact"),
            say("User {user} should check the device's connection.", user=home["user_id"] or "?"),
        )
    return None


def _last(home: dict[str, Any]) -> str:
    return ": ".join(part for part in (home["last_outcome"], home["last_detail"]) if part)
