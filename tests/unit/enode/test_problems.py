"""Status and problem → outcome, and the one line that is kept."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hem_etl.enode.problems import classify, one_line
from hem_etl.vocabulary import Outcome

SLUG = "https://developers.enode.com/api/problems/"


def body(kind: str = "", title: str = "", detail: str = "") -> bytes:
    return json.dumps({"type": SLUG + kind if kind else None, "title": title, "detail": detail}).encode()


BEFORE, RELINK, REFUSED = Outcome.BEFORE_INSTALLATION, Outcome.RELINK_NEEDED, Outcome.REFUSED


@pytest.mark.parametrize(
    ("problem", "outcome"),
    [
        (body(detail="No data available for dates before the installation date of the inverter"), BEFORE),
        (body(detail="The interval lies before the system was installed."), BEFORE),
        (body("interval-before-installation", "Bad request"), BEFORE),
        (body("before-installation-date"), BEFORE),
        (body("InstallationDate"), BEFORE),
        (body("x", "Installation date is later than the requested interval"), BEFORE),
        (b'[{"title": "Before installation"}]', BEFORE),
        (b'{"error": {"message": "before installation date"}}', BEFORE),
        (body("invalid-credentials", "Bad request"), RELINK),
        (body("user-credentials-invalid"), RELINK),
        (body("InvalidUserCredentials"), RELINK),
        (body(detail="User credentials are invalid, the user must relink"), RELINK),
        (body(detail="The user needs to re-link the vendor account"), RELINK),
        (body("relink-required"), RELINK),
        (body("userRelinkRequired"), RELINK),
        (body("x", "Invalid user"), RELINK),
        (body("invalid-user"), RELINK),
        (body(detail="Vendor authentication of the user failed"), RELINK),
        (body(detail="User is no longer authorized at the vendor"), RELINK),
        (body(detail="The user has to log in again"), RELINK),
        (body(detail="Password changed"), RELINK),
        (body(detail="Refresh token was revoked by the vendor"), RELINK),
        (body("invalid-credentials", detail="Cannot read the installation: credentials are invalid"), RELINK),
        (body("bad-request", "Bad request", "Invalid query parameter: interval"), REFUSED),
        (body("invalid-user-id", "Invalid user id"), REFUSED),
        (body(detail="Inverters are connected but intervals are linked wrongly in the catalog index"), REFUSED),
        (body(detail="The app was uninstalled"), REFUSED),
        (body(), REFUSED),
        (b"", REFUSED),
        (b"<html><title>400 Bad Request</title> installation credentials</html>", REFUSED),
        (b"\xff\xfe\x00bad", REFUSED),
        (b"[]", REFUSED),
        (b"null", REFUSED),
        (b'"installation"', REFUSED),
        (b'{"title": 7, "detail": ["installation"], "type": {}}', REFUSED),
        (b'{"title": "Bad requ', REFUSED),
    ],
)
@pytest.mark.parametrize("kind", ["day", "month"])
def test_a_400_on_statistics_is_told_apart_by_its_texts(problem: bytes, outcome: Outcome, kind: str) -> None:
    assert classify(400, problem, kind)[0] is outcome


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, None),
        (202, None),
        (204, Outcome.UNREADABLE),
        (206, Outcome.UNREADABLE),
        (301, Outcome.REFUSED),
        (302, Outcome.REFUSED),
        (304, Outcome.REFUSED),
        (401, Outcome.REFUSED),
        (403, Outcome.FORBIDDEN),
        (404, Outcome.REFUSED),
        (405, Outcome.REFUSED),
        (406, Outcome.REFUSED),
        (408, Outcome.UNREACHABLE),
        (409, Outcome.REFUSED),
        (410, Outcome.REFUSED),
        (418, Outcome.REFUSED),
        (422, Outcome.UNSUPPORTED),
        (425, Outcome.UNREACHABLE),
        (429, Outcome.UNREACHABLE),
        (500, Outcome.UNREACHABLE),
        (502, Outcome.UNREACHABLE),
        (503, Outcome.UNREACHABLE),
        (504, Outcome.UNREACHABLE),
        (599, Outcome.UNREACHABLE),
    ],
)
@pytest.mark.parametrize("problem", [b"", None, b"<html>", b"\xff", b"[]", body("x", "installation", "credentials")])
def test_every_other_status_means_the_same_whatever_its_body(
    status: int, outcome: Outcome | None, problem: bytes | None
) -> None:
    found, detail = classify(status, problem, "day")
    assert found is outcome
    assert (detail is None) is (outcome is None)
    assert detail is None or detail.startswith(str(status))


@pytest.mark.parametrize(
    ("issue", "outcome"),
    [
        ({"path": "interval", "message": "before the installation date"}, Outcome.BEFORE_INSTALLATION),
        ({"code": "invalid_user_credentials"}, Outcome.RELINK_NEEDED),
        ("The user must relink", Outcome.RELINK_NEEDED),
        ({"message": ["odd"]}, Outcome.REFUSED),
        (7, Outcome.REFUSED),
    ],
)
def test_what_issues_say_is_read_like_the_detail(issue: object, outcome: Outcome) -> None:
    problem = json.dumps({"title": "Bad Request", "issues": [issue]}).encode()
    found, detail = classify(400, problem, "day")
    assert found is outcome
    assert detail is not None
    assert detail.startswith("400 Bad Request")


@pytest.mark.parametrize("kind", ["systems", "system", "inverters", "token"])
def test_finals_of_statistics_do_not_happen_elsewhere(kind: str) -> None:
    assert classify(400, body("before-installation"), kind)[0] is Outcome.REFUSED
    assert classify(422, body("unsupported"), kind)[0] is Outcome.REFUSED


@pytest.mark.parametrize(
    ("problem", "detail"),
    [
        (body("not-found", "Not found", "No such system"), "404 Not found: No such system"),
        (body("not-found", "Not found"), "404 Not found"),
        (body("not-found"), f"404 {SLUG}not-found"),
        (b"", "404"),
        (None, "404"),
        (b"<html><head><style>p {}</style></head><h1>404</h1>\n<p>nginx</p></html>", "404 404 nginx"),
        (b"\xff\xfe no\x00 such\r\npage", "404 no such page"),
        (b'{"error": "not_found", "error_description": "gone"}', "404 not_found: gone"),
    ],
)
def test_the_detail_is_what_the_problem_says(problem: bytes | None, detail: str) -> None:
    assert classify(404, problem, "day")[1] == detail


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdef123456",
        "authorization=Basic YWJjZGVmMTIzNDU2",
        "token bearer abcdef123456 expired",
        '{"access_token": "abcdef123456"}',
        "client_secret=abcdef123456&x=1",
        "password: abcdef123456",
        "eyJhbGciabcdef123456.eyJzdWIiabcdef123456.abcdef123456",
        "id 0123456789abcdef123456" + "A1" * 20,
    ],
)
def test_what_looks_like_a_secret_is_not_kept(text: str) -> None:
    assert "abcdef123456" not in one_line(text)
    assert "YWJj" not in one_line(text)
    assert "[redacted]" in one_line(text)


@pytest.mark.parametrize(
    "text",
    [
        "no data for 3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "missing_scope_hemsystem:read:statistics",
        "https://developers.enode.com/api/problems/a-very-long-slug-that-describes-the-problem-of-2026",
        "the token expired; the secret is out: read the guide",
        "basic plan bearer of news",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert one_line(text) == text or "secret is out" in text


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=500), st.binary(max_size=500), st.integers(100, 599))
def test_whatever_comes_the_detail_is_one_short_printable_line(text: str, raw: bytes, status: int) -> None:
    for sent in (raw, json.dumps({"title": text}).encode()):
        detail = classify(status, sent, "day")[1]
        assert detail is None or (len(detail) <= 200 and detail.isprintable())


def test_a_secret_that_the_cut_would_split_is_gone_too() -> None:
    assert "hidden" not in one_line("x" * 195 + " hidden-secret", ["hidden-secret"])


def test_a_long_text_is_cut_to_two_hundred_characters() -> None:
    detail = classify(400, body(title="word " * 100), "day")[1] or ""
    assert len(detail) == 200
    assert detail.endswith("…")
