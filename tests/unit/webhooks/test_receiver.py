"""The receiver: only what is rightly signed is kept, exactly, and answered once it is on disk."""

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from starlette.requests import Request

from hem_etl.errors import SettingsError
from hem_etl.settings import GivenSettings
from hem_etl.webhooks.inbox import Delivery, FullError, Inbox, InboxWriter, read_frames
from hem_etl.webhooks.receiver import MOST_BODY_BYTES, Receiver, make_app
from hem_etl.webhooks.signature import is_signed, signature_of, signing_secrets

SECRET = "a-secret-of-the-tests"
BEFORE = "the-secret-that-was-before"
AT = datetime(2026, 3, 29, 12, tzinfo=UTC)


def given(tmp_path: Path, **values: object) -> GivenSettings:
    return GivenSettings(
        HEM_ETL_HOME=tmp_path, **{"ENODE_WEBHOOK_SECRET": SECRET, "ENODE_WEBHOOK_SECRET_BEFORE": BEFORE} | values
    )


def signed(body: bytes, secret: str = SECRET, **headers: str) -> dict[str, str]:
    signature = signature_of(body, SecretStr(secret))
    return {"x-enode-signature": signature, "content-type": "application/json", "x-enode-delivery": "d-1"} | headers


def bodies(folder: Path) -> list[bytes]:
    return [kept.delivery.body for kept in Inbox(folder).untaken()]


def post(receiver: Receiver, *requests: tuple[bytes, dict[str, str]], prefix: str = "") -> list[int]:
    async def all_of_them() -> list[int]:
        app = make_app(receiver, prefix)
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://receiver") as client:
                sent = [client.post(f"{prefix}/", content=body, headers=headers) for body, headers in requests]
                return [answer.status_code for answer in await asyncio.gather(*sent)]

    return asyncio.run(all_of_them())


def test_the_signature_is_that_of_enodes_own_example() -> None:
    body, secret = b'{"payload":"example"}', SecretStr("example-secret")
    assert is_signed(body, "sha1=e417e6fc2e7f8a78c93a35a7b344d36ce179fc8d", [secret])


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "e417e6fc2e7f8a78c93a35a7b344d36ce179fc8d",
        "sha256=e417e6fc2e7f8a78c93a35a7b344d36ce179fc8d",
        "sha1=e417e6fc2e7f8a78c93a35a7b344d36ce179fc8",
        "sha1=e417e6fc2e7f8a78c93a35a7b344d36ce179fc8d ",
        "sha1=e417e6fc2e7f8a78c93a35a7b344d36ce179fc8d\n",
        "sha1=e417e6fc2e7f8a78c93a35a7b344d36ce179fc8e",
        "sha1=" + "é" * 40,
    ],
)
def test_a_signature_of_another_form_or_value_is_none(signature: str | None) -> None:
    assert not is_signed(b'{"payload":"example"}', signature, [SecretStr("example-secret")])


@pytest.mark.parametrize("values", [{"ENODE_WEBHOOK_SECRET": None}, {"ENODE_WEBHOOK_SECRET": "short"}])
def test_without_a_secret_or_with_a_short_one_nothing_starts_and_none_is_repeated(
    tmp_path: Path, values: dict[str, str | None]
) -> None:
    with pytest.raises(SettingsError, match="ENODE_WEBHOOK_SECRET") as told:
        signing_secrets(given(tmp_path, **values))
    assert "'short'" not in str(told.value)
    with pytest.raises(SettingsError, match="ENODE_WEBHOOK_SECRET_BEFORE"):
        signing_secrets(given(tmp_path, ENODE_WEBHOOK_SECRET_BEFORE="tiny"))


def test_what_is_rightly_signed_is_kept_exactly_whether_it_can_be_read_or_not(tmp_path: Path) -> None:
    sent = [b"[]", b"\xff\x00 no JSON", b"", b"x" * MOST_BODY_BYTES, b'{"a":' * 1000]
    odd = {"content-type": "text/plain", "content-encoding": "gzip"}
    receiver = Receiver(given(tmp_path), lambda: AT)
    statuses = post(
        receiver,
        *((body, signed(body)) for body in sent),
        (b"odd", signed(b"odd", **odd)),
        (b"o", signed(b"o", BEFORE)),
    )
    assert statuses == [204] * 7
    kept = [one.delivery for one in Inbox(tmp_path / "inbox").untaken()]
    assert sorted(one.body for one in kept) == sorted([*sent, b"odd", b"o"])
    assert {one.received_at for one in kept} == {AT}
    assert {one.delivery_id for one in kept} == {"d-1"}
    assert receiver.odd_types == 1


def test_what_is_refused_is_not_kept(tmp_path: Path) -> None:
    long, forged = b"x" * (MOST_BODY_BYTES + 1), b"[{}]"
    requests = [
        (forged, {}),
        (forged, signed(forged, "another-secret-of-somebody")),
        (forged, signed(b"[{ }]")),
        (long, signed(long)),
    ]
    assert post(Receiver(given(tmp_path)), *requests) == [401, 401, 401, 413]
    assert bodies(tmp_path / "inbox") == []


def test_a_body_without_a_length_is_cut_off_while_it_is_read(tmp_path: Path) -> None:
    pieces_read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal pieces_read
        while True:
            pieces_read += 1
            yield b"x" * 100_000

    async def send() -> int:
        app = make_app(Receiver(given(tmp_path)))
        async with app.router.lifespan_context(app):
            messages = endless()

            async def receive() -> dict[str, object]:
                return {"type": "http.request", "body": await anext(messages), "more_body": True}

            answers: list[dict[str, object]] = []

            async def answer(message: dict[str, object]) -> None:
                answers.append(message)

            scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
            await app(scope, receive, answer)
            return int(str(answers[0]["status"]))

    assert asyncio.run(send()) == 413
    assert pieces_read == MOST_BODY_BYTES // 100_000 + 1


def test_a_full_disk_hands_the_delivery_back_and_the_next_one_is_kept(tmp_path: Path) -> None:
    calls = 0

    def sync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(28, "No space left on device")
        os.fsync(descriptor)

    receiver = Receiver(given(tmp_path))
    receiver.writer = InboxWriter(tmp_path / "inbox", sync=sync)

    async def one_after_the_other() -> list[int]:
        app = make_app(receiver)
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://receiver") as client:
                return [
                    (await client.post("/", content=body, headers=signed(body))).status_code
                    for body in (b"1", b"2", b"3")
                ]

    assert asyncio.run(one_after_the_other()) == [204, 503, 204]
    assert bodies(tmp_path / "inbox") == [b"1", b"3"]


def no_room(_: object) -> None:
    raise OSError(28, "No space left on device")


def fails_once(patch: pytest.MonkeyPatch) -> None:
    """The folder's own flush."""

    def refuse(folder: Path) -> None:
        patch.undo()
        no_room(folder)

    patch.setattr("hem_etl.webhooks.inbox.sync_folder", refuse)


def test_a_disk_that_stays_full_is_not_filled_with_empty_files(tmp_path: Path) -> None:
    with InboxWriter(tmp_path, sync=no_room) as writer:
        for _ in range(20):
            assert isinstance(writer.keep(Delivery(b"x", AT)).exception(10), OSError)
        assert list(tmp_path.glob("*.frames")) == []


def test_nothing_is_kept_in_a_file_whose_name_may_not_be_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hem_etl.webhooks.inbox.FILE_BYTES", 1)
    with InboxWriter(tmp_path) as writer:
        writer.keep(Delivery(b"first", AT)).result(10)
        with monkeypatch.context() as patch:
            fails_once(patch)
            assert isinstance(writer.keep(Delivery(b"second", AT)).exception(10), OSError)
        writer.keep(Delivery(b"third", AT)).result(10)
    assert bodies(tmp_path) == [b"first", b"third"]


def test_a_sender_that_gives_up_or_an_odd_error_does_not_end_the_thread_that_keeps(tmp_path: Path) -> None:
    calls = iter([None, None, ValueError("odd"), None])
    may_sync = threading.Event()

    def sync(_: int) -> None:
        assert may_sync.wait(10)
        if error := next(calls):
            raise error

    with InboxWriter(tmp_path, sync=sync) as writer:
        given_up = writer.keep(Delivery(b"1", AT))
        assert not given_up.cancel()
        may_sync.set()
        given_up.result(10)
        writer.keep(Delivery(b"2", AT)).result(10)
        assert isinstance(writer.keep(Delivery(b"3", AT)).exception(10), ValueError)
        writer.keep(Delivery(b"4", AT)).result(10)


def test_more_than_memory_shall_hold_of_unknown_senders_is_handed_back_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hem_etl.webhooks.receiver.MOST_READING_BYTES", 10)
    receiver = Receiver(given(tmp_path))
    long = b"longer than ten bytes"
    assert post(receiver, (long, signed(long))) == [503]
    assert receiver.reading_bytes == 0
    receiver.writer = InboxWriter(receiver.inbox.folder)
    assert post(receiver, (b"[]", signed(b"[]")), (b"forged", {})) == [204, 401]
    assert receiver.reading_bytes == 0


@pytest.mark.parametrize("length", ["²", "9" * 5000, "-1", "1e3", ""])
def test_a_length_that_is_none_is_too_long(tmp_path: Path, length: str) -> None:
    receiver = Receiver(given(tmp_path))
    headers = [(b"content-length", length.encode("latin-1"))]
    request = Request({"type": "http", "method": "POST", "headers": headers})
    assert asyncio.run(receiver.receive(request)).status_code == 413


def test_deliveries_that_come_together_share_one_flush_and_none_is_done_before_it(tmp_path: Path) -> None:
    first_is_here, may_sync = threading.Event(), threading.Event()

    def sync(_: int) -> None:
        first_is_here.set()
        assert may_sync.wait(10)

    with InboxWriter(tmp_path, sync=sync) as writer:
        first = writer.keep(Delivery(b"first", AT))
        assert first_is_here.wait(10)
        others = [writer.keep(Delivery(str(n).encode(), AT)) for n in range(50)]
        assert not first.done()
        may_sync.set()
        for future in (first, *others):
            future.result(10)
        assert writer.syncs == 2
    assert bodies(tmp_path) == [b"first", *(str(n).encode() for n in range(50))]


def test_more_than_memory_shall_hold_is_handed_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hem_etl.webhooks.inbox.WAITING_BYTES", 10)
    with InboxWriter(tmp_path) as writer, pytest.raises(FullError):
        writer.keep(Delivery(b"longer than ten bytes", AT))


def test_a_file_that_was_cut_anywhere_gives_every_whole_delivery_and_nothing_else(tmp_path: Path) -> None:
    with InboxWriter(tmp_path) as writer:
        for n in range(3):
            writer.keep(Delivery(f"body {n}".encode(), AT, "an id", {"content-type": "application/json"})).result(10)
    (path,) = tmp_path.glob("*.frames")
    whole = path.read_bytes()
    ends = [kept.end for kept in read_frames(path)]
    assert ends[-1] == len(whole)
    for length in range(len(whole)):
        path.write_bytes(whole[:length] + b"\0" * (len(whole) - length))
        found = [kept.delivery.body for kept in read_frames(path)]
        assert found == [f"body {n}".encode() for n in range(3) if ends[n] <= length or whole[length : ends[n]] == b""]


def test_what_was_taken_is_not_given_again_and_its_file_goes_once_nobody_writes_to_it(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    with InboxWriter(tmp_path) as writer:
        writer.keep(Delivery(b"1", AT)).result(10)
        (kept,) = inbox.untaken()
        inbox.take({kept.position.split("/")[0] + ".frames": kept.end})
        assert list(inbox.untaken()) == []
        assert inbox.backlog_bytes() == 0
        writer.keep(Delivery(b"2", AT)).result(10)
        assert bodies(tmp_path) == [b"2"]
        assert len(inbox.files()) == 1, "its receiver lives"
    (kept,) = inbox.untaken()
    inbox.take({kept.position.split("/")[0] + ".frames": kept.end})
    assert [path.name for path in tmp_path.iterdir()] == []


def test_receivers_beside_each_other_lose_nothing(tmp_path: Path) -> None:
    with InboxWriter(tmp_path) as one, InboxWriter(tmp_path) as other:
        for n in range(20):
            (one if n % 2 else other).keep(Delivery(str(n).encode(), AT)).result(10)
    assert sorted(map(int, bodies(tmp_path))) == list(range(20))


def test_the_paths_tell_health_readiness_and_numbers_behind_a_prefix(tmp_path: Path) -> None:
    async def look() -> dict[str, httpx.Response]:
        app = make_app(Receiver(given(tmp_path), lambda: AT), "/enode")
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://receiver/enode") as client:
                await client.post("/", content=b"[]", headers=signed(b"[]"))
                await client.post("/", content=b"[]")
                return {path: await client.get(path) for path in ("/healthz", "/readyz", "/metrics")}

    found = asyncio.run(look())
    assert found["/healthz"].status_code == 200
    ready = found["/readyz"].json()
    assert ready["is_writable"]
    assert ready["newest_received_at"] == AT.isoformat()
    assert ready["backlog_bytes"] > 0
    assert 'hem_etl_webhook_deliveries_total{status="204"} 1' in found["/metrics"].text
    assert 'hem_etl_webhook_deliveries_total{status="401"} 1' in found["/metrics"].text


def test_neither_secret_nor_signature_nor_payload_reaches_disk_beside_the_body_or_a_log_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "hem_etl")
    body = b'[{"event": "marker-of-the-payload"}]'
    post(Receiver(given(tmp_path)), (body, signed(body)), (body, {"x-enode-signature": "sha1=" + "0" * 40}))
    signature = signature_of(body, SecretStr(SECRET)).removeprefix("sha1=")
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for kept_out in (SECRET, BEFORE, signature, "0" * 40):
        assert kept_out.encode() not in written
        assert kept_out not in caplog.text
    assert "marker-of-the-payload" not in caplog.text
    assert "delivery kept" in caplog.text
