"""A request and an answer as values, and the refusals in between: words of serving, transport and server."""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl, unquote

API_VERSION = "2024-10-01"
PROBLEM_TYPE = "https://developers.enode.com/api/problems/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`path` and `query` as they stand in the request line, percent-encoded; header names in lower case."""

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def values(self, header: str) -> list[str]:
        return [value for name, value in self.headers if name == header]

    def segments(self) -> list[str] | None:
        """The decoded parts of the path, each decoded exactly once; None where they cannot be decoded."""
        try:
            return [unquote(part, errors="strict") for part in self.path.removeprefix("/").split("/")]
        except UnicodeDecodeError:
            return None

    def parameters(self, allowed: frozenset[str]) -> dict[str, str]:
        """The query's parameters; refuses unknown, repeated and malformed ones."""
        try:
            pairs = parse_qsl(self.query, keep_blank_values=True, strict_parsing=bool(self.query), errors="strict")
        except ValueError:
            raise Refusal.of_query("the query string is malformed") from None
        names = [name for name, _ in pairs]
        if unknown := sorted(set(names) - allowed):
            raise Refusal.of_query(f"unknown query parameter {unknown[0]!r}")
        if len(set(names)) != len(names):
            raise Refusal.of_query("a query parameter is given more than once")
        return dict(pairs)


class Effect(StrEnum):
    """What happens to the answer on its way, besides its status and body."""

    RESET = "reset"
    """The connection is reset before a byte is sent."""
    TRUNCATED = "truncated"
    """The connection closes in the middle of the body."""
    SLOW = "slow"
    """The answer comes after a delay that a client need not wait for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    effect: Effect | None = None

    @classmethod
    def of_json(cls, content: object, status: int = 200, **headers: str) -> "Response":
        body = json.dumps(content, ensure_ascii=False).encode()
        return cls(status=status, body=body, headers={"content-type": "application/json"} | headers)


class Refusal(Exception):
    """An answer other than the one that was asked for: a problem body (RFC 7807)."""

    def __init__(self, status: int, slug: str, title: str, detail: str, headers: dict[str, str] | None = None) -> None:
        self.status, self.slug, self.title, self.detail = status, slug, title, detail
        self.headers = headers or {}
        super().__init__(f"{status} {slug}: {detail}")

    @classmethod
    def of_query(cls, detail: str) -> "Refusal":
        return cls(400, "validation-error", "Bad Request", detail)

    @classmethod
    def unknown(cls, what: str) -> "Refusal":
        return cls(404, "not-found", "Not Found", f"{what} was not found")

    @classmethod
    def unauthorised(cls, detail: str) -> "Refusal":
        return cls(401, "unauthorized", "Unauthorized", detail, {"www-authenticate": "Bearer"})

    @classmethod
    def before_installation(cls) -> "Refusal":
        detail = "No data available for dates before the installation date of the HEM system"
        return cls(400, "bad-request", "Bad Request", detail)

    @classmethod
    def unsupported(cls, detail: str) -> "Refusal":
        return cls(422, "unprocessable-entity", "Statistics not supported", detail)

    @classmethod
    def too_many(cls, detail: str, retry_after: str | None = None) -> "Refusal":
        headers = {} if retry_after is None else {"retry-after": retry_after}
        return cls(429, "too-many-requests", "Too Many Requests", detail, headers)

    @property
    def response(self) -> Response:
        problem = {"type": PROBLEM_TYPE + self.slug, "title": self.title, "detail": self.detail}
        headers = {"content-type": "application/problem+json"} | self.headers
        return Response(status=self.status, body=json.dumps(problem).encode(), headers=headers)
