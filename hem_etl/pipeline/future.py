"""Looks from the future: a machine whose clock ran ahead has stamped them, and nothing honest would outrank them."""

import logging
from collections.abc import Sequence
from datetime import datetime

from hem_etl.answer import Kind
from hem_etl.errors import ClockError
from hem_etl.landing import Landing
from hem_etl.local_day import CLOCK_TOLERANCE, naive_utc
from hem_etl.warehouse import Writer

LOG = logging.getLogger(__name__)


def holds_the_future(writer: Writer, now: datetime) -> bool:
    """Whether the tables know a look that was made later than now: a clock had run ahead, and nothing outranks it."""
    newest = writer.read(
        "select max(at_utc) as at_utc from "
        "(select max(fetched_at_utc) as at_utc from core.load union all select max(listed_at_utc) from core.system)"
    ).item()
    return newest is not None and newest > naive_utc(now) + CLOCK_TOLERANCE


def leave_out_the_future(landing: Landing, segments: Sequence[str], now: datetime, is_clock_right: bool) -> None:
    """Never believe these segments' looks from after now, where our clock is known to be right; else ClockError."""
    future = [
        receipt
        for receipt in landing.read_receipts(segments)
        if receipt.fetched_at_utc > now + CLOCK_TOLERANCE
        and receipt.kind is not Kind.OVERRIDES  # those come after all that is landed
    ]
    if not future:
        return
    newest = future[-1].fetched_at_utc
    if not is_clock_right:
        raise ClockError(
            f"looks of {newest:%Y-%m-%d %H:%M} UTC are landed, and this machine's clock says {now:%Y-%m-%d %H:%M}: set "
            "the clock. If it is right, `hem-etl run` compares it with Enode's and leaves those looks out."
        )
    for segment in sorted({receipt.segment for receipt in future}):
        landing.distrust(segment, now + CLOCK_TOLERANCE)
    LOG.warning(
        "looks=%d newest=%s left out for good: they come from the future, from a machine whose clock ran ahead; their "
        "intervals are asked again",
        len(future),
        newest,
    )
