"""Whether a delivery was signed with a secret that we share with Enode. Over raw bytes, in constant time."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Final

from pydantic import SecretStr

from hem_etl.errors import SettingsError
from hem_etl.settings import Settings

LEAST_SECRET_BYTES: Final = 16
"""128 bit. Enode accepts 6 characters; a guessed secret lets anybody make us ask."""
_FORM: Final = re.compile(r"sha1=([0-9a-fA-F]{40})", re.ASCII)


def signing_secrets(settings: Settings) -> tuple[SecretStr, ...]:
    """The secrets that a delivery may be signed with: the present one, and the one before while it is changed.

    Raises SettingsError where there is none, or a short one.
    """
    if settings.webhook_secret is None:
        raise SettingsError(
            "ENODE_WEBHOOK_SECRET is not set, so no delivery could be told from a forged one: set it to the secret of "
            "the subscription (`hem-etl webhooks subscribe URL` makes one), at least 16 characters."
        )
    named = {
        "ENODE_WEBHOOK_SECRET": settings.webhook_secret,
        "ENODE_WEBHOOK_SECRET_BEFORE": settings.webhook_secret_before,
    }
    secrets = {name: secret for name, secret in named.items() if secret is not None}
    for name, secret in secrets.items():
        if len(secret.get_secret_value().encode()) < LEAST_SECRET_BYTES:
            raise SettingsError(
                f"{name} is shorter than {LEAST_SECRET_BYTES} bytes: take a longer one, tell Enode by "
                "`hem-etl webhooks update ID --secret`, and start again."
            )
    return tuple(secrets.values())


def signature_of(body: bytes, secret: SecretStr) -> str:
    """As Enode sends it in `x-enode-signature`."""
    return "sha1=" + hmac.new(secret.get_secret_value().encode(), body, hashlib.sha1).hexdigest()


def is_signed(body: bytes, signature: str | None, secrets: Iterable[SecretStr]) -> bool:
    """Whether one of the secrets gives this signature. Its form is strict: `sha1=` and 40 hex digits."""
    if signature is None or _FORM.fullmatch(signature) is None:
        return False
    sent = signature.lower().encode()
    matches = [hmac.compare_digest(sent, signature_of(body, secret).encode()) for secret in secrets]
    return any(matches)
