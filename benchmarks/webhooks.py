"""Webhooks under load: a receiver that is killed while deliveries come, and how fast one answers with and without disk.

    python benchmarks/webhooks.py [--deliveries 10000] [--kills 5] [--home DIR]

The storm sends deliveries of 1 to 100 events, some forged, repeated or malformed, kills the receiver at random and
starts it again; then a load, and every delivery that was answered 2XX must stand in core.event exactly once, none that
was refused. The pace compares the answers of our receiver with those of one that keeps nothing, in the same run, and
tells whether what it holds in memory grows.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import httpx
from pydantic import SecretStr

from hem_etl.pipeline import Road
from hem_etl.settings import GivenSettings
from hem_etl.warehouse import open_warehouse
from hem_etl.webhooks.signature import signature_of

SECRET = SecretStr("a-secret-of-the-benchmark")
SENDERS = 8
IN_MEMORY = """
import asyncio, sys, uvicorn
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})
options = {"http": "h11", "loop": "asyncio", "lifespan": "off", "log_level": "critical", "access_log": False}
uvicorn.run(app, port=int(sys.argv[1]), **options)
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def start(command: list[str], port: int, home: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"HEM_ETL_HOME": str(home), "ENODE_WEBHOOK_SECRET": SECRET.get_secret_value()}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.05)
    return process


def receiver(port: int, home: Path) -> subprocess.Popen[bytes]:
    return start([sys.executable, "-m", "hem_etl", "webhooks", "serve", "--port", str(port)], port, home)


def body_of(chance: random.Random, number: int) -> bytes:
    events = [
        {
            "event": chance.choice(["user:hem-system:updated", "system:heartbeat", "user:vehicle:updated"]),
            "createdAt": "2026-11-22T12:00:00Z",
            "user": {"id": f"user-{chance.randrange(1000)}"},
            "hemSystem": {"id": f"system-{chance.randrange(1000)}"},
            "number": f"{number}-{place}",
        }
        for place in range(chance.randint(1, 100))
    ]
    return json.dumps(events).encode()


async def storm(deliveries: int, kills: int, home: Path) -> tuple[Counter[bytes], set[bytes], int]:
    """Bodies that were answered 2XX, with how often; those that were refused; events in them."""
    chance, port = random.Random(1), free_port()
    answered, refused = Counter[bytes](), set[bytes]()
    numbers = iter(range(deliveries))
    process = receiver(port, home)
    done = 0

    async def send(client: httpx.AsyncClient) -> None:
        nonlocal done
        for number in numbers:
            own = random.Random(number)
            body = b'{"events": [%d' % number if own.random() < 0.01 else body_of(own, number)
            is_forged = own.random() < 0.02
            headers = {"x-enode-signature": signature_of(b"other" if is_forged else body, SECRET)}
            headers |= {"content-type": "application/json", "x-enode-delivery": f"d-{number}"}
            for _ in range(2 if own.random() < 0.05 else 1):
                while True:
                    try:
                        status = (
                            await client.post(f"http://127.0.0.1:{port}/", content=body, headers=headers)
                        ).status_code
                        break
                    except httpx.HTTPError:
                        await asyncio.sleep(0.05)
                if status < 300:
                    answered[body] += 1
                elif status == 401:
                    refused.add(body)
            done += 1

    async def kill() -> None:
        nonlocal process
        for at in sorted(chance.sample(range(deliveries), kills)):
            while done < at:
                await asyncio.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
            process = await asyncio.to_thread(receiver, port, home)

    async with httpx.AsyncClient(timeout=30) as client:
        await asyncio.gather(kill(), *(send(client) for _ in range(SENDERS)))
    process.terminate()
    process.wait()
    return answered, refused, done


def check(home: Path, answered: Counter[bytes], refused: set[bytes]) -> None:
    settings = GivenSettings(HEM_ETL_HOME=home)
    began = time.process_time()
    road = Road(settings, clock=lambda: datetime.now(UTC))
    taken = road.take_deliveries()
    taking = time.process_time() - began
    road.load()
    loading = time.process_time() - began - taking
    road.publish()
    with open_warehouse(settings).reading() as published:
        rows = published.read(
            "select delivery_id, count(*) as n, count(distinct event_id) as ids from core.event group by all"
        )
        events = published.count("core.event")
    by_delivery = {name: n for name, n, ids in rows.iter_rows() if n == ids}
    assert len(by_delivery) == rows.height, "an event_id stands twice"
    wanted = Counter[str]()
    for body, times in answered.items():
        number = _number(body)
        wanted[f"d-{number}"] += times * (len(json.loads(body)) if body.startswith(b"[") else 1)
    lost = {name: n for name, n in wanted.items() if by_delivery.get(name, 0) < n}
    # a delivery whose answer was lost with the receiver is sent again, and both are kept: as Enode does it
    forged = {f"d-{_number(body)}" for body in refused - answered.keys()} & by_delivery.keys()
    assert not lost, f"{len(lost)} answered deliveries are not there, e.g. {next(iter(lost))}"
    assert not forged, f"{len(forged)} refused deliveries are there"
    print(
        f"{taken} deliveries, {events} events: all that were answered are there, none that was refused. "
        f"CPU-s: inbox to landing {taking:.1f}, landing to core.event {loading:.1f} "
        f"({events / loading / 1000:.0f} thousand events/s)"
    )


def _number(body: bytes) -> int:
    if body.startswith(b"["):
        return int(json.loads(body)[0]["number"].partition("-")[0])
    return int(body.rpartition(b"[")[2])


async def pace(port: int, deliveries: int) -> tuple[float, float]:
    """Deliveries per second and the 99th percentile of an answer in ms."""
    bodies = [body_of(random.Random(number), number) for number in range(50)]
    times: list[float] = []
    numbers = iter(range(deliveries))

    async def send(client: httpx.AsyncClient) -> None:
        for number in numbers:
            body = bodies[number % len(bodies)]
            headers = {"x-enode-signature": signature_of(body, SECRET), "content-type": "application/json"}
            began = time.perf_counter()
            answer = await client.post(f"http://127.0.0.1:{port}/", content=body, headers=headers)
            assert answer.status_code == 204
            times.append(time.perf_counter() - began)

    async with httpx.AsyncClient(timeout=30) as client:
        began = time.perf_counter()
        await asyncio.gather(*(send(client) for _ in range(SENDERS)))
        took = time.perf_counter() - began
    times.sort()
    return deliveries / took, 1000 * times[int(len(times) * 0.99)]


def compare(rounds: int, deliveries: int) -> None:
    """Both receivers, one after the other, several times."""
    rates: dict[str, list[tuple[float, float]]] = {"ours": [], "in memory": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for name in rates:
                port = free_port()
                command = [sys.executable, "-c", IN_MEMORY, str(port)]
                process = receiver(port, Path(folder)) if name == "ours" else start(command, port, Path(folder))
                rates[name].append(asyncio.run(pace(port, deliveries)))
                process.terminate()
                process.wait()
    for name, measured in rates.items():
        rate, slowest = (median(column) for column in zip(*measured, strict=True))
        print(f"{name:10} {rate:8.0f} deliveries/s   p99 {slowest:6.1f} ms")
    share = median(rate for rate, _ in rates["ours"]) / median(rate for rate, _ in rates["in memory"])
    print(f"ours / in memory {share:.2f}")


def memory(deliveries: int) -> None:
    """What one receiver holds after a few deliveries, and after many."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        process = receiver(port, Path(folder))
        held = []
        for more in (deliveries // 10, deliveries):
            asyncio.run(pace(port, more))
            status = Path(f"/proc/{process.pid}/status").read_text()
            held.append(int(status.partition("VmRSS:")[2].split()[0]) / 1024)
        process.terminate()
        process.wait()
    print(f"memory after {deliveries // 10} deliveries {held[0]:.0f} MB, after {deliveries} more {held[1]:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    compare(given.rounds, 2_000)
    memory(20_000)
    with tempfile.TemporaryDirectory() as folder:
        home = given.home or Path(folder)
        began = time.perf_counter()
        answered, refused, done = asyncio.run(storm(given.deliveries, given.kills, home))
        print(f"{done} deliveries sent in {time.perf_counter() - began:.0f} s, {given.kills} kills")
        check(home, answered, refused)


if __name__ == "__main__":
    main()
