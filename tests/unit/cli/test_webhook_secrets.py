"""After a whole round of webhooks no secret, no signature and no link is anywhere but where a person asked for it."""

import hashlib
import hmac
import logging
from collections.abc import Mapping
from pathlib import Path

import pytest
from commands import TODAY, Run
from kept import everything_kept

from hem_etl.settings import load_settings
from hem_etl.simulator import Faults, Simulator
from hem_etl.simulator.chance import stable_hex
from hem_etl.simulator.webhooks import Mischief
from hem_etl.vocabulary import EventName
from hem_etl.webhooks.receiver import answer_here

URL = "https://hem.example/"
SECRET, BEFORE = "a-long-secret-of-the-tests", "the-secret-that-was-before"
BACK = ("--redirect-uri", "https://app.example/back")
MARKER = "marker-of-a-payload"


def test_nothing_secret_is_on_disk_or_in_a_log(
    run: Run,
    simulator: Simulator,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("ENODE_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("ENODE_WEBHOOK_SECRET_BEFORE", BEFORE)
    monkeypatch.setenv("HEM_ETL_START_DATE", f"{TODAY.replace(day=1)}")
    signatures = set[str]()

    def receive(_: str, headers: Mapping[str, str], body: bytes) -> int:
        signatures.add(headers["x-enode-signature"].removeprefix("sha1="))
        return answer_here(load_settings(), headers, body)

    desk = simulator.webhooks
    desk.post = receive
    desk.mischief = Mischief(repeats=1, forgeries=1, malformed=1, unknown=1, splits=1)
    home, dead, *_ = simulator.fleet.homes
    simulator.faults = Faults.pinned({dead.system_id: "relink"})
    assert run("-vv", "webhooks", "subscribe", URL) == 0
    desk.announce(EventName.DISCOVERED, home)
    desk.announce(EventName.DISCOVERED, dead)
    desk.announce(EventName.INVALIDATED, dead, note=MARKER)
    desk.deliver()
    receive("", {"x-enode-signature": "sha1=" + hmac.new(BEFORE.encode(), b"[]", hashlib.sha1).hexdigest()}, b"[]")
    assert run("-vv", "run", "--due") in (0, 3)
    output = tmp_path / "links.csv"
    assert run("-vv", "relink", "--create-links", *BACK, "--csv", str(output)) == 0
    simulator.has_asset_access = False
    before, said = capsys.readouterr()
    assert run("-vv", "relink", "--create-links", *BACK) == 0
    shown, more = capsys.readouterr()

    (by_device, by_session) = sorted(desk.link_tokens, key=lambda token: token in shown)
    assert (by_device in output.read_text(), by_session in shown) == (True, True)
    assert len(signatures) > 5
    kept = everything_kept(tmp_path, but=(output,))
    told = caplog.text + before + said + more
    assert MARKER.encode() in kept, "the delivery itself is kept, so what else is there would be found"
    assert MARKER not in told
    assert "delivery refused" in told
    tokens = [f"sim-{stable_hex(1, 'token', number)}" for number in range(1, simulator.tokens.issued + 1)]
    for secret in (SECRET, BEFORE, "simulator-secret", *tokens, *signatures, *desk.link_tokens):
        assert secret.encode() not in kept
        assert secret not in told
