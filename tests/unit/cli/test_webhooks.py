"""`hem-etl webhooks` and `hem-etl relink`, as an operator uses them."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from commands import TODAY, Run

from hem_etl.errors import OutOfReachError
from hem_etl.settings import load_settings
from hem_etl.simulator import Faults, Simulator
from hem_etl.simulator.exchange import Effect, Refusal, Request, Response
from hem_etl.simulator.serving import Ticket
from hem_etl.webhooks.receiver import answer_here

URL = "https://hem.example/"
SECRET = "a-long-secret-of-the-tests"
BACK = ("--redirect-uri", "https://app.example/back")


def receive(url: str, headers: Mapping[str, str], body: bytes) -> int:
    """What our receiver answers."""
    return answer_here(load_settings(), headers, body)


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch, run: Run, tmp_path: Path) -> Path:
    """A home with a secret, and the folder in which the receiver keeps what comes."""
    monkeypatch.setenv("ENODE_WEBHOOK_SECRET", SECRET)
    folder = load_settings().inbox
    folder.mkdir(parents=True)
    return folder


def only_id(run: Run, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert run("webhooks", "list", "--json") == 0
    (listed,) = json.loads(capsys.readouterr().out)
    return str(listed["id"])


def test_without_a_secret_one_is_made_and_shown_once(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("webhooks", "subscribe", URL) == 0
    out, err = capsys.readouterr()
    secret = out.partition("ENODE_WEBHOOK_SECRET=")[2].strip()
    assert len(secret) >= 32
    assert secret not in err
    run("webhooks", "list")
    assert secret not in "".join(capsys.readouterr())


def test_a_url_without_encryption_and_a_second_subscription_are_refused(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("webhooks", "subscribe", "http://hem.example/") == 2
    assert "https" in capsys.readouterr().err
    assert run("webhooks", "subscribe", URL) == 0
    assert run("webhooks", "subscribe", URL) == 2
    assert "there already" in capsys.readouterr().err


def test_some_events_alone_can_be_subscribed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["system:heartbeat", "user:hem-system:discovered"]
    assert run("webhooks", "subscribe", URL, *(part for name in names for part in ("--event", name))) == 0
    capsys.readouterr()
    run("webhooks", "list", "--json")
    assert json.loads(capsys.readouterr().out)[0]["events"] == ", ".join(names)
    assert run("webhooks", "subscribe", f"{URL}other", "--event", "user:toaster:updated") == 2


def test_where_the_names_are_not_known_every_event_is_subscribed(
    run: Run, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    simulator.webhooks.knows_hem_events = False
    assert run("webhooks", "subscribe", URL) == 0
    assert "every event" in capsys.readouterr().err
    run("webhooks", "list", "--json")
    assert json.loads(capsys.readouterr().out)[0]["events"] == "*"


def test_a_test_shows_what_our_receiver_answers(
    run: Run, simulator: Simulator, inbox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("webhooks", "subscribe", URL)
    name = only_id(run, capsys)
    assert run("webhooks", "test", name) == 1
    assert "no answer" in capsys.readouterr().err
    simulator.webhooks.post = receive
    assert run("webhooks", "test", name) == 0
    assert "answer 204" in capsys.readouterr().err
    assert run("webhooks", "delete", name) == 0
    assert run("webhooks", "test", name) == 2


def test_a_home_is_discovered_by_event_and_its_days_are_there(
    run: Run, simulator: Simulator, inbox: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEM_ETL_START_DATE", f"{TODAY.replace(day=1)}")
    simulator.webhooks.post = receive
    run("webhooks", "subscribe", URL)
    home = simulator.fleet.homes[0]
    simulator.webhooks.announce("user:hem-system:discovered", home)
    assert simulator.webhooks.deliver() == 1
    assert run("run", "--due") == 0
    capsys.readouterr()
    run("sql", "--json", "select distinct system_id from core.load where interval_kind = 'day'")
    assert json.loads(capsys.readouterr().out) == [{"system_id": home.system_id}]


def test_due_stands_alone(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "--due", "--yesterday") == 2
    assert "leave the other options out" in capsys.readouterr().err


def test_reactivating_makes_up_for_what_was_lost(
    run: Run, simulator: Simulator, inbox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulator.webhooks.post = receive
    run("webhooks", "subscribe", URL)
    assert run("webhooks", "reactivate", only_id(run, capsys)) == 0
    assert "fleet is listed" in capsys.readouterr().err


def test_users_who_must_link_again_are_listed_and_get_links_that_are_kept_nowhere(
    run: Run, simulator: Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulator.faults = Faults.parse("relink", seed=3)
    day = f"{TODAY.replace(day=1)}"
    run("run", "--start", day, "--end", day, "--no-months")
    capsys.readouterr()
    assert run("relink", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    if not listed:
        pytest.fail("the fault made nobody link again")
    assert all(row["lost_days"] >= 1 and "credentials" in row["reason"] for row in listed)

    assert run("relink", "--create-links") == 2
    output = tmp_path / "links.csv"
    assert run("relink", "--create-links", *BACK, "--csv", str(output)) == 0
    (token, *_) = simulator.webhooks.link_tokens
    assert token in output.read_text()
    assert output.stat().st_mode & 0o077 == 0
    out, err = capsys.readouterr()
    assert token not in out + err
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path != output]
    assert not any(token.encode() in path.read_bytes() for path in kept)


def test_links_are_made_for_a_file_that_can_be_written_and_replace_it_when_all_are_made(
    run: Run, simulator: Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file was emptied before the first link."""
    simulator.faults = Faults.parse("relink", seed=3)
    day = f"{TODAY.replace(day=1)}"
    run("run", "--start", day, "--end", day, "--no-months")
    assert run("relink", "--create-links", *BACK, "--csv", str(tmp_path / "none/links.csv")) == 2
    assert "links.csv: No such file or directory: make the folder" in capsys.readouterr().err
    assert not simulator.webhooks.link_tokens

    output = tmp_path / "links.csv"
    output.write_text("links of yesterday")
    before = sorted(tmp_path.iterdir())

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hem_etl.cli.relink._link", interrupted)
    assert run("relink", "--create-links", *BACK, "--csv", str(output)) == 130
    assert (output.read_text(), sorted(tmp_path.iterdir())) == ("links of yesterday", before)


def links(run: Run, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, str | None]], str]:
    """Exit code, the rows that --create-links prints, and what it says besides."""
    capsys.readouterr()
    code = run("relink", "--create-links", *BACK, "--json")
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def paths_of(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that are posted to from here on."""
    paths: list[str] = []
    answer = simulator.answer

    def noted(request: Request, ticket: Ticket) -> Response:
        if request.method == "POST" and "oauth2" not in request.path:
            paths.append(request.path)
        return answer(request, ticket)

    monkeypatch.setattr(simulator, "answer", noted)
    return paths


@pytest.fixture
def dead(run: Run, simulator: Simulator) -> Run:
    """A fleet of whose users every one must link again."""
    simulator.faults = Faults.pinned({home.system_id: "relink" for home in simulator.fleet.homes})
    day = f"{TODAY.replace(day=1)}"
    run("run", "--start", day, "--end", day, "--no-months")
    return run


def test_an_account_is_linked_again_by_a_device_that_enode_cannot_reach(
    dead: Run, simulator: Simulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    posted = paths_of(simulator, monkeypatch)
    code, rows, _ = links(dead, capsys)
    assert code == 0
    assert len(rows) == 4
    assert posted == [f"/assets/{row['asset_id']}/relink" for row in rows]
    assert {str(row["link_url"]).rpartition("/")[2] for row in rows} == simulator.webhooks.link_tokens


def test_where_no_device_is_known_or_enode_refuses_it_the_user_gets_a_session(
    dead: Run, simulator: Simulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator.has_asset_access = False  # the published list still names the devices
    posted = paths_of(simulator, monkeypatch)
    code, rows, err = links(dead, capsys)
    assert code == 0
    assert posted[1::2] == [f"/users/{row['user_id']}/link" for row in rows]
    assert err.count("A session of the user is tried") == len(rows)
    assert all(row["link_url"] for row in rows)


def test_links_that_were_made_before_enode_was_out_of_reach_are_not_lost(
    dead: Run, simulator: Simulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    relink = simulator.webhooks.relink

    def once(request: Request, asset_id: str) -> Response:
        if simulator.webhooks.link_tokens:
            return Response(status=200, body=b"", effect=Effect.RESET)
        return relink(request, asset_id)

    monkeypatch.setattr(simulator.webhooks, "relink", once)
    code, rows, err = links(dead, capsys)
    assert code == OutOfReachError.exit_code
    assert "no answer from Enode" in err
    assert [row["link_url"] is not None for row in rows] == [True, False, False, False]


def test_a_user_whom_enode_refuses_holds_no_other_up(
    dead: Run, simulator: Simulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator.has_asset_access = False
    link = simulator.webhooks.link

    def refuse_one(request: Request, user_id: str) -> Response:
        if not simulator.webhooks.link_tokens:
            simulator.webhooks.link_tokens.add("none")
            raise Refusal.unknown("The user")
        return link(request, user_id)

    monkeypatch.setattr(simulator.webhooks, "link", refuse_one)
    code, rows, err = links(dead, capsys)
    assert code == 3
    assert [row["link_url"] is not None for row in rows] == [False, True, True, True]
    assert "no link (Enode refuses that" in err


def findings(run: Run, capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str]]:
    capsys.readouterr()
    run("doctor", "--json")
    return {each["what"]: (each["status"], each["finding"]) for each in json.loads(capsys.readouterr().out)}


def test_the_doctor_says_nothing_of_webhooks_where_none_are_wanted(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not {"webhooks", "inbox", "heartbeats"} & findings(run, capsys).keys()


def test_the_doctor_finds_a_subscription_that_is_not_there_or_sleeps_and_what_waits(
    run: Run, simulator: Simulator, inbox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "nothing is subscribed" in findings(run, capsys)["webhooks"][1]
    run("webhooks", "subscribe", URL)
    assert findings(run, capsys)["webhooks"] == ("ok", "1 subscriptions are active")
    simulator.webhooks.post = receive
    simulator.webhooks.deliver()
    assert "--due" in findings(run, capsys)["inbox"][1]
    simulator.webhooks.forget_success()
    status, finding = findings(run, capsys)["webhooks"]
    assert status == "FAIL"
    assert "reactivate" in finding
