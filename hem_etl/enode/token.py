"""The access token: fetched by one thread for all, kept in memory, renewed ahead, dropped when the API refuses it.

It is never written anywhere, and no message or `repr` holds it.
"""

import logging
import re
import threading
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pydantic import SecretStr

from hem_etl.enode.gate import Gate
from hem_etl.enode.problems import RETRYABLE_STATUSES, classify, one_line
from hem_etl.enode.retry import Effort, OnWait, send_until_answered
from hem_etl.enode.transfer import CertificateError, Received, Transfer
from hem_etl.enode.wire import WireError, read_json
from hem_etl.errors import AccessError

log = logging.getLogger(__name__)

TOKEN_READ_SECONDS: Final = 30.0
RENEW_AHEAD_SECONDS: Final = 60.0
RENEW_AHEAD_RATIO: Final = 0.1
LIFETIME_IF_NOT_SENT_SECONDS: Final = 300.0
"""Enode sends 3599; an answer without a usable `expires_in` is trusted for so long."""
NO_TOKEN_SECONDS: Final = 30.0
"""After the token endpoint stayed silent for a whole retry budget, nobody asks it again for so long."""
TOKEN_CHARACTERS: Final = re.compile(r"[\x21-\x7e]+")

BETA_NEXT_STEP: Final = (
    "The HEM systems API is in beta: ask Enode's Customer Success Manager to enable it for this client."
)
CREDENTIALS_NEXT_STEP: Final = (
    "Check that ENODE_CLIENT_ID and ENODE_CLIENT_SECRET are whole and belong to ENODE_ENVIRONMENT, "
    "or create new ones in Enode's dashboard."
)


class NoTokenError(Exception):
    """The token endpoint could not be reached. Nothing is wrong with the request that wanted the token."""


@dataclass(frozen=True, slots=True)
class Token:
    value: str = field(repr=False)
    renew_at: float
    """On the monotonic clock."""


class Tokens:
    """Thread-safe. At most one thread fetches; the others wait for it and share what it gets, also its failure."""

    def __init__(
        self,
        oauth_url: str,
        client_id: str,
        client_secret: SecretStr,
        *,
        gate: Gate,
        transfer: Transfer,
        clock: Callable[[], datetime],
        random: Callable[[], float],
        budget_seconds: float,
        most_tries: int | None = None,
        on_wait: OnWait | None = None,
    ) -> None:
        self._oauth_url = oauth_url
        self._client_secret = client_secret
        self._basic = SecretStr(b64encode(f"{client_id}:{client_secret.get_secret_value()}".encode()).decode())
        self._gate = gate
        self._transfer = transfer
        self._clock = clock
        self._random = random
        self._budget_seconds = budget_seconds
        self._most_tries = most_tries
        self._on_wait = on_wait
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._flight: Future[Token] | None = None
        self._silent: NoTokenError | None = None
        self._silent_until = 0.0
        self._known: deque[str] = deque(maxlen=4)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret in use, for redaction."""
        return (self._client_secret.get_secret_value(), self._basic.get_secret_value(), *tuple(self._known))

    def current(self) -> tuple[str, bool]:
        """A token, and whether this very call fetched it.

        Raises AccessError where the credentials are refused, NoTokenError where nobody answers, Stopped.
        """
        with self._lock:
            now = self._gate.monotonic()
            if self._token is not None and now < self._token.renew_at:
                return self._token.value, False
            if self._silent is not None and now < self._silent_until:
                raise NoTokenError(str(self._silent))
            flight = self._flight
            if flight is None:
                ours: Future[Token] = Future()
                self._flight = ours
        if flight is not None:
            return flight.result().value, False
        return self._fly(ours).value, True

    def drop(self, value: str) -> None:
        """Forgets this token; a newer one that another thread has fetched meanwhile stays."""
        with self._lock:
            if self._token is not None and self._token.value == value:
                self._token = None

    def _fly(self, flight: Future[Token]) -> Token:
        try:
            token = self._fetch()
        except BaseException as error:
            with self._lock:
                self._flight = None
                if isinstance(error, NoTokenError):
                    self._silent, self._silent_until = error, self._gate.monotonic() + NO_TOKEN_SECONDS
            flight.set_exception(error if isinstance(error, Exception) else NoTokenError("no token: interrupted"))
            raise
        with self._lock:
            self._token, self._flight, self._silent = token, None, None
            self._known.append(token.value)
        flight.set_result(token)
        return token

    def _fetch(self) -> Token:
        asked_at = self._gate.monotonic()

        def attempt() -> Received:
            nonlocal asked_at
            asked_at = self._gate.monotonic()
            return self._transfer.send(
                "POST",
                self._oauth_url,
                headers={"Authorization": f"Basic {self._basic.get_secret_value()}"},
                form={"grant_type": "client_credentials"},
                read_timeout_seconds=TOKEN_READ_SECONDS,
            )

        effort = send_until_answered(
            attempt,
            what="kind=token",
            gate=self._gate,
            clock=self._clock,
            random=self._random,
            budget_seconds=self._budget_seconds,
            most_tries=self._most_tries,
            on_wait=self._on_wait,
        )
        return self._read(self._answered(effort), asked_at)

    def _answered(self, effort: Effort) -> Received:
        """The endpoint's good answer, or the error that says what its failure means."""
        received = effort.received
        if received is not None and received.status == 200:
            return received
        if received is None:
            detail = one_line(str(effort.failure), self.secrets)
            if isinstance(effort.failure, CertificateError):
                raise AccessError(
                    f"the certificate of Enode's token endpoint is not trusted ({detail}). If a company proxy replaces "
                    "certificates, let SSL_CERT_FILE name the file with the proxy's authority."
                )
            raise NoTokenError(f"no token: {detail}")
        detail = classify(received.status, received.body, "token", secrets=self.secrets)[1] or ""
        if received.status in (400, 401):
            raise AccessError(f"Enode's token endpoint refuses the credentials ({detail}). {CREDENTIALS_NEXT_STEP}")
        if received.status == 403:
            raise AccessError(f"Enode gives this client no token ({detail}). {BETA_NEXT_STEP}")
        if received.status in RETRYABLE_STATUSES:
            raise NoTokenError(f"no token: {detail}")
        raise AccessError(f"the token endpoint answered {detail}. Check ENODE_OAUTH_URL and ENODE_ENVIRONMENT.")

    def _read(self, received: Received, asked_at: float) -> Token:
        try:
            sent: Any = read_json(received.body or b"")
        except WireError:
            sent = None
        value = sent.get("access_token") if isinstance(sent, dict) else None
        if not isinstance(value, str) or not TOKEN_CHARACTERS.fullmatch(value):
            raise AccessError(
                "the token endpoint answered 200 without a token: is something between us and Enode, such as a proxy's "
                "login page? Check ENODE_OAUTH_URL and ENODE_ENVIRONMENT."
            )
        lifetime = sent.get("expires_in")
        if isinstance(lifetime, bool) or not isinstance(lifetime, int | float) or not 0 < lifetime < float("inf"):
            lifetime = LIFETIME_IF_NOT_SENT_SECONDS
        log.info("kind=token renewed=yes lifetime_seconds=%.0f", lifetime)
        return Token(value, asked_at + lifetime - min(RENEW_AHEAD_SECONDS, RENEW_AHEAD_RATIO * lifetime))
