"""The OAuth desk: hands out bearer tokens for HTTP Basic credentials, lets them expire by the clock, revokes them."""

import base64
import binascii
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from urllib.parse import parse_qs

from hem_etl.simulator.chance import stable_hex
from hem_etl.simulator.exchange import Refusal, Request, Response

FORM = "application/x-www-form-urlencoded"


class TokenDesk:
    """Thread-safe. Tokens are a function of seed and count, so a run can be repeated."""

    def __init__(
        self, client_id: str, client_secret: str, clock: Callable[[], datetime], expires_in: int, seed: int
    ) -> None:
        self.expires_in = expires_in
        """Lifetime in seconds of the tokens that are granted from now on."""
        self.issued = 0
        self._credentials = f"{client_id}:{client_secret}"
        self._clock, self._seed, self._lock = clock, seed, Lock()
        self._expiry: dict[str, datetime] = {}
        self._uses: dict[str, int] = {}

    def grant(self, request: Request) -> Response:
        """The answer to `POST /oauth2/token`."""
        if _basic_credentials(request.values("authorization")) != self._credentials:
            return _refused(401, "invalid_client", **{"www-authenticate": "Basic"})
        if [value.partition(";")[0].strip().lower() for value in request.values("content-type")] != [FORM]:
            return _refused(400, "invalid_request")
        form = parse_qs(request.body.decode("utf-8", errors="replace"), keep_blank_values=True)
        if form.get("grant_type") != ["client_credentials"]:
            return _refused(400, "unsupported_grant_type" if "grant_type" in form else "invalid_request")
        with self._lock:
            self.issued += 1
            token = f"sim-{stable_hex(self._seed, 'token', self.issued)}"
            now = self._clock()
            self._expiry = {each: expiry for each, expiry in self._expiry.items() if expiry > now}
            self._expiry[token] = now + timedelta(seconds=self.expires_in)
            self._uses = {each: self._uses.get(each, 0) for each in self._expiry}
        answer = {"access_token": token, "expires_in": self.expires_in, "scope": "", "token_type": "bearer"}
        return Response.of_json(answer)

    def check(self, request: Request) -> None:
        """Refuses a request without a token that is valid now."""
        given = request.values("authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        with self._lock:
            expiry = self._expiry.get(token) if scheme.lower() == "bearer" else None
            if expiry is None:
                raise Refusal.unauthorised("The access token is missing, unknown or revoked")
            if expiry <= self._clock():
                raise Refusal.unauthorised("The access token has expired")

    def wear_out(self, request: Request, uses: int) -> None:
        """Counts a use of the request's token; at the `uses`-th all tokens are revoked and the request is refused."""
        token = request.values("authorization")[0].partition(" ")[2]
        with self._lock:
            self._uses[token] = self._uses.get(token, 0) + 1
            if self._uses[token] < uses:
                return
            self._expiry.clear()
            self._uses.clear()
        raise Refusal.unauthorised("The access token was revoked")

    def revoke_all(self) -> None:
        """Every token that was granted so far is refused from now on."""
        with self._lock:
            self._expiry.clear()


def _basic_credentials(headers: list[str]) -> str | None:
    scheme, _, encoded = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _refused(status: int, error: str, **headers: str) -> Response:
    return Response.of_json({"error": error, "error_description": "The token request was refused"}, status, **headers)
