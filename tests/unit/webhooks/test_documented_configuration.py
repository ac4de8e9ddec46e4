"""The files that docs/webhooks.md shows for other programs are read by those programs without a complaint."""

import os
import re
import shutil
import ssl
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from receivers import free_port, receiver, signed

from hem_etl.webhooks.inbox import Inbox
from hem_etl.webhooks.receiver import MOST_BODY_BYTES

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text(encoding="utf-8")
PATIENCE_SECONDS = 300


def block(language: str) -> str:
    """The page's one block in this language."""
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(text)


def tool(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed, so its file in docs/webhooks.md is not checked")
    return found


def replaced(text: str, parts: dict[str, str]) -> str:
    """What belongs to another machine gives way to what is on this one; each part stands there."""
    for part, ours in parts.items():
        assert part in text, part
        text = text.replace(part, ours)
    return text


def complaints(file: Path, *command: str, **environment: str) -> str:
    """What the program says on its standard error of this file, and all of it where it refuses it."""
    ran = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    of_file = "".join(line for line in ran.stderr.splitlines(keepends=True) if file.name in line)
    return ran.stderr or "refused" if ran.returncode else of_file


def nginx_file(folder: Path, server: str, port: int) -> Path:
    """The page's server with a certificate and a port that may be had, in a whole configuration."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=hem.example"]
    command = [tool("openssl"), "req", *options, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, capture_output=True, timeout=PATIENCE_SECONDS, check=True)
    server = replaced(
        server,
        {
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "/etc/letsencrypt/live/hem.example/fullchain.pem": str(certificate),
            "/etc/letsencrypt/live/hem.example/privkey.pem": str(key),
        },
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    file = folder / "nginx.conf"
    file.write_text(f"pid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{places}{server}}}\n")
    return file


def test_nginx_takes_its_file(tmp_path: Path) -> None:
    nginx, file = tool("nginx"), nginx_file(tmp_path, block("nginx"), free_port())
    command = [nginx, "-t", "-q", "-p", str(tmp_path), "-e", "stderr", "-c", str(file)]
    assert complaints(file, *command) == ""
    file.write_text(file.read_text().replace("deny all;", "deny everybody;"))
    assert complaints(file, *command) != ""


def test_behind_nginx_as_the_page_says_a_delivery_arrives_and_nothing_else_is_passed_on(tmp_path: Path) -> None:
    port, receiver_port = free_port(), free_port()
    parts = {"192.0.2.0/24": "127.0.0.1", "127.0.0.1:8788": f"127.0.0.1:{receiver_port}"}
    nginx, file = tool("nginx"), nginx_file(tmp_path, replaced(block("nginx"), parts), port)
    command = [nginx, "-p", str(tmp_path), "-e", "stderr", "-c", str(file), "-g", "daemon off; master_process off;"]
    url, trusted = f"https://127.0.0.1:{port}", ssl.create_default_context(cafile=tmp_path / "certificate.pem")
    trusted.check_hostname = False
    with (
        receiver(tmp_path, receiver_port),
        httpx.Client(verify=trusted, timeout=PATIENCE_SECONDS) as client,
        subprocess.Popen(command) as process,
    ):
        try:
            while process.poll() is None:
                with suppress(httpx.ConnectError):
                    assert client.get(f"{url}/healthz").text == "ok\n"
                    break
            assert client.post(url, content=b"[]", headers=signed(b"[]")).status_code == 204
            assert client.post(url, content=b"[]").status_code == 401
            long = b"x" * (MOST_BODY_BYTES + 100_000)
            assert client.post(url, content=long, headers=signed(long)).status_code == 413
            assert {client.get(f"{url}{path}").status_code for path in ("/metrics", "/readyz")} == {404}
        finally:
            process.terminate()
    assert [kept.delivery.body for kept in Inbox(tmp_path / "inbox").untaken()] == [b"[]"]


def test_caddy_takes_its_file(tmp_path: Path) -> None:
    file = tmp_path / "Caddyfile"
    file.write_text(block("caddyfile"))
    command = [tool("caddy"), "adapt", "--adapter", "caddyfile", "--config", str(file), "--validate"]
    own = {name: str(tmp_path) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    assert complaints(file, *command, **own) == ""
    file.write_text(file.read_text().replace("max_size", "size_max"))
    assert complaints(file, *command, **own) != ""


def test_systemd_takes_its_unit(tmp_path: Path) -> None:
    name = re.search(r"^# /etc/systemd/system/(\S+)$", block("ini"), re.MULTILINE)
    assert name is not None
    file = tmp_path / name[1]
    file.write_text(replaced(block("ini"), {"/opt/hem_etl/bin/hem-etl": sys.executable}))
    command = [tool("systemd-analyze"), "verify", "--man=no", str(file)]
    assert complaints(file, *command) == ""
    file.write_text(file.read_text().replace("Restart=always", "Restart=perhaps"))
    assert complaints(file, *command) != ""
