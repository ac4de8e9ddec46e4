"""The receiver as a process: what dies, what dribbles and what is told to stop costs no answered delivery."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from kept import everything_kept
from receivers import SECRET, environment, free_port, receiver, signed

from hem_etl.simulator import Faults, Simulator, make_fleet, serve
from hem_etl.simulator.webhooks import Mischief
from hem_etl.vocabulary import EventName
from hem_etl.webhooks.inbox import Inbox

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 60
TODAY = datetime.now(UTC).date()


def test_every_answered_delivery_outlives_any_number_of_kills(tmp_path: Path) -> None:
    port, answered, refused = free_port(), set[bytes](), set[bytes]()
    noting, is_over = threading.Lock(), threading.Event()

    def send(sender: int) -> None:
        number = 0
        with httpx.Client() as client:
            while not is_over.is_set():
                number += 1
                body, is_forged = f"[{sender}, {number}]".encode(), number % 50 == 0
                headers = signed(b"another body" if is_forged else body)
                try:
                    status = client.post(f"http://127.0.0.1:{port}/", content=body, headers=headers).status_code
                except httpx.HTTPError:
                    is_over.wait(0.02)
                    continue
                assert status == (401 if is_forged else 204)
                with noting:
                    (refused if is_forged else answered).add(body)

    senders = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for sender in senders:
        sender.start()
    try:
        for wanted in (200, 400, 600):
            with receiver(tmp_path, port) as process:
                until = time.monotonic() + PATIENCE_SECONDS
                while len(answered) < wanted and time.monotonic() < until:
                    time.sleep(0.01)
                process.send_signal(signal.SIGKILL)
                process.wait()
    finally:
        is_over.set()
        for sender in senders:
            sender.join()
    kept = [one.delivery.body for one in Inbox(tmp_path / "inbox").untaken()]
    assert len(answered) >= 600
    assert answered <= set(kept)
    assert refused
    assert not refused & set(kept)
    assert len(kept) == len(set(kept)), "a body that was sent once is kept once"
    assert SECRET.encode() not in (tmp_path / "receiver.log").read_bytes()


def test_senders_that_dribble_or_shout_are_let_go_and_hold_nobody_up(tmp_path: Path) -> None:
    port = free_port()
    with receiver(tmp_path, port), contextlib.ExitStack() as open_ones:
        dribbling = [open_ones.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(50)]
        for connection in dribbling:
            connection.sendall(b"POST / HTTP/1.1\r\nhost: ")
        shouting = open_ones.enter_context(socket.create_connection(("127.0.0.1", port)))
        with contextlib.suppress(OSError):
            shouting.sendall(b"POST / HTTP/1.1\r\nx-long: " + b"x" * 1_000_000)
        status = httpx.post(f"http://127.0.0.1:{port}/", content=b"[]", headers=signed(b"[]")).status_code
        assert status == 204
        for connection in dribbling:
            connection.settimeout(PATIENCE_SECONDS)
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b""


def test_sigterm_ends_it_and_what_was_answered_is_there(tmp_path: Path) -> None:
    port = free_port()
    with receiver(tmp_path, port) as process:
        assert httpx.post(f"http://127.0.0.1:{port}/", content=b"[]", headers=signed(b"[]")).status_code == 204
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) in (0, -signal.SIGTERM)
    assert [one.delivery.body for one in Inbox(tmp_path / "inbox").untaken()] == [b"[]"]


def test_a_whole_round_of_real_processes_leaves_no_secret_on_disk_or_in_a_log(tmp_path: Path) -> None:
    port, signatures = free_port(), set[str]()
    home, links = tmp_path / "home", tmp_path / "links.csv"
    home.mkdir()
    simulator = Simulator(make_fleet(3, today=TODAY))
    dead = simulator.fleet.homes[1]
    simulator.faults = Faults.pinned({dead.system_id: "relink"})

    def post(_: str, headers: Mapping[str, str], body: bytes) -> int | None:
        signatures.add(headers["x-enode-signature"].removeprefix("sha1="))
        with contextlib.suppress(httpx.HTTPError):
            return httpx.post(f"http://127.0.0.1:{port}/", content=body, headers=dict(headers)).status_code
        return None

    desk = simulator.webhooks
    desk.post, desk.mischief = post, Mischief(forgeries=0.5, repeats=0.5, splits=0.5)
    with serve(simulator) as url, (tmp_path / "commands.log").open("ab") as log:
        settings = environment(
            home,
            ENODE_API_URL=url,
            ENODE_OAUTH_URL=f"{url}/oauth2/token",
            ENODE_CLIENT_ID="simulator",
            ENODE_CLIENT_SECRET="simulator-secret",
            HEM_ETL_START_DATE=f"{TODAY - timedelta(days=2)}",
        )

        def command(*arguments: str) -> int:
            line = [sys.executable, "-m", "hem_etl", "-vv", *arguments]
            return subprocess.run(line, env=settings, cwd=home, stdout=log, stderr=log, check=False).returncode

        assert command("webhooks", "subscribe", "https://hem.example/") == 0
        for each in simulator.fleet.homes:
            desk.announce(EventName.DISCOVERED, each)
            with receiver(home, port) as process:
                desk.deliver()
                process.kill()
        desk.announce(EventName.INVALIDATED, dead)
        with receiver(home, port):
            desk.deliver()
        assert command("run", "--due") in (0, 3)
        assert command("doctor") in (0, 1)
        assert command("relink", "--create-links", "--redirect-uri", "https://a.example/", "--csv", str(links)) == 0
    (token,) = desk.link_tokens
    assert token in links.read_text()
    kept = everything_kept(tmp_path, but=(links,))
    assert dead.user_id.encode() in kept
    assert len(signatures) > 3
    for secret in (SECRET, "simulator-secret", token, *signatures):
        assert secret.encode() not in kept
