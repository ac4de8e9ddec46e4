"""What a status and its body mean: one function from both to the outcome, and the one line of text that is kept of it.

Enode documents neither the slugs nor the texts of HEM problems, so the reading is tolerant and lives in this one place.
An outcome that is final (`before_installation`, `unsupported`) needs a positive sign; everything unknown is `refused`.
"""

import re
from collections.abc import Iterable
from typing import Final

from hem_etl.answer import STATISTICS_KINDS
from hem_etl.enode.wire import read_problem
from hem_etl.vocabulary import Outcome

ANSWERED_STATUSES: Final = frozenset({200, 202})
RETRYABLE_STATUSES: Final = frozenset({408, 425, 429, *range(500, 600)})
DETAIL_CHARACTERS: Final = 200
SHORTEST_SECRET: Final = 4
"""Anything shorter keeps no secret and would tear words apart."""
TEXT_BYTES_READ: Final = 2_000
"""Of a body that is no problem document (a gateway's HTML page), so much is looked at for its detail."""

RELINK_SIGNS: Final = re.compile(
    r"credential|relink|\b(re link|re ?authenticat|re ?connect|re ?authori[sz]|log ?in|password|consent)"
    r"|link (again|the account)|invalid ?user(?! ?id)|(access|refresh) ?token"
    r"|user.*(authenticat|authori[sz])|(authenticat|authori[sz]).*user"
)
"""The vendor no longer accepts the user's credentials. Looked for first: unlike the other reading it is not final."""
INSTALLATION_SIGNS: Final = re.compile(r"(?<!un)(?<!re)install(ation|ed)")

_SECRET_SHAPES: Final = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), r"\1 [redacted]"),
    (
        re.compile(
            r"(?i)(access_?token|refresh_?token|id_?token|client_?secret|api_?key|secret|password|authorization)"
            r"""(["']?\s*[:=]\s*["']?)(?!bearer \[|basic \[)[^\s"',;&}]+"""
        ),
        r"\1\2[redacted]",
    ),
    (re.compile(r"\beyJ[\w-]+(\.[\w-]+)*"), "[redacted]"),
    (re.compile(r"(?<![\w/.+~=-])(?=[\w+~=.-]*\d)(?=[\w+~=.-]*[A-Za-z])[\w+~=.-]{40,}"), "[redacted]"),
)


def classify(
    status: int, body: bytes | None, kind: str, *, secrets: Iterable[str] = ()
) -> tuple[Outcome | None, str | None]:
    """Outcome and detail of a complete answer to a look of `kind` (see `Answer.kind`).

    200 and 202 give (None, None): what they hold is read elsewhere. A 404 is `refused` here; that a system is gone
    takes more evidence than one answer. 401 never comes here from a look that can still be repeated.
    """
    if status in ANSWERED_STATUSES:
        return None, None
    problem = read_problem(body)
    if problem is None:
        text: str | None = _text_of(body)
        signs = ""
    else:
        text = ": ".join(filter(None, (problem.title, problem.detail, *problem.issues))) or problem.type
        signs = _words(problem.type, problem.title, problem.detail, *problem.issues)
    return _outcome(status, signs, kind), one_line(f"{status} {text or ''}", secrets)


def _outcome(status: int, signs: str, kind: str) -> Outcome:
    is_statistics = kind in STATISTICS_KINDS
    if status in RETRYABLE_STATUSES:
        return Outcome.UNREACHABLE
    if 200 <= status < 300:
        return Outcome.UNREADABLE
    if status == 403:
        return Outcome.FORBIDDEN
    if status == 422 and is_statistics:
        return Outcome.UNSUPPORTED
    if status == 400 and RELINK_SIGNS.search(signs):
        return Outcome.RELINK_NEEDED
    if status == 400 and is_statistics and INSTALLATION_SIGNS.search(signs):
        return Outcome.BEFORE_INSTALLATION
    return Outcome.REFUSED


def one_line(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` as one line of at most 200 characters, without control characters, `secrets` and what looks like one."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            line = line.replace(secret, "[redacted]")
    for shape, instead in _SECRET_SHAPES:
        line = shape.sub(instead, line)
    return line if len(line) <= DETAIL_CHARACTERS else line[: DETAIL_CHARACTERS - 1] + "…"


def _words(*texts: str | None) -> str:
    """All of it in lower case, a slug's hyphens and a URL's slashes as spaces."""
    return " ".join(re.sub(r"[^a-z0-9]+", " ", text.lower()) for text in texts if text)


def _text_of(body: bytes | None) -> str:
    """The readable text of a body that is no problem document."""
    text = (body or b"")[:TEXT_BYTES_READ].decode("utf-8", "replace").replace("\N{REPLACEMENT CHARACTER}", " ")
    return re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", text)
