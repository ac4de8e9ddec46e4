"""The operator's file: a problem is told with its line, one in a cell with its column, and one refuses the whole."""

from datetime import date, datetime
from uuid import UUID

import pytest

from hem_etl.errors import UsageError
from hem_etl.pipeline.override_file import TEMPLATE, read_override_file, require_possible

HEADER = "system_id,start,end,metric,value,author,reason\n"
ZONES = {"h": "Europe/Berlin", "nowhere": None}


def rows(*lines: str):
    return read_override_file((HEADER + "\n".join(lines)).encode())


def test_days_and_instants_numbers_and_ignore() -> None:
    one, other = rows(
        "h,2026-03-01,2026-03-02,soc,80,ann,broken",
        'h,2026-03-01T10:00+01:00,2026-03-01T10:30Z,generation,IGNORE,ann,"a, b"',
    )
    assert (one.days, one.instants, one.value) == ((date(2026, 3, 1), date(2026, 3, 2)), None, 80.0)
    assert other.instants == (datetime(2026, 3, 1, 9), datetime(2026, 3, 1, 10, 30))
    assert (other.value, other.reason, other.line) == (None, "a, b", 3)
    assert other.reach == (date(2026, 2, 28), date(2026, 3, 2))


def test_comments_blank_lines_a_byte_order_mark_and_any_order_of_columns_are_read() -> None:
    header = "reason,author,value,metric,end,start,system_id"
    text = f'\ufeff# note, "odd\n\n{header}\n# no\nwhy,ann,1,soc,2026-03-02,2026-03-01,h\n'
    (row,) = read_override_file(text.encode())
    assert (row.line, row.system_id, row.reason) == (5, "h", "why")


def test_a_number_sign_inside_a_quoted_cell_is_text() -> None:
    one, other = rows(
        'h,2026-03-01,2026-03-02,soc,80,ann,"he said ""x"", then', '# more"', "h,2026-03-03,2026-03-03,soc,1,b,c"
    )
    assert one.reason == 'he said "x", then\n# more'
    assert other.line == 4


def test_the_template_is_a_file_without_rows() -> None:
    assert read_override_file(TEMPLATE.encode()) == []
    shown = read_override_file(TEMPLATE.replace("# 4df6f0c1", "4df6f0c1").encode())
    assert len(shown) == 2
    for row in shown:
        UUID(row.system_id)  # a beginning of an id is refused when the file is applied


def test_the_id_is_of_the_content_and_not_of_the_place() -> None:
    line = "h,2026-03-01,2026-03-02,soc,80,ann,broken"
    assert rows(line)[0].override_id == rows("", line)[0].override_id
    assert rows(line)[0].override_id != rows(line.replace("ann", "bob"))[0].override_id


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (",2026-03-01,2026-03-02,soc,80,ann,why", "line 2, system_id: is empty"),
        ("h,2026-03-01,2026-03-02,soc,80,,why", "line 2, author: is empty"),
        ("h,2026-03-01,2026-03-02,soc,80,ann, ", "line 2, reason: is empty"),
        ("h,2026-03-02,2026-03-01,soc,80,ann,why", "line 2, end: 2026-03-01 lies before"),
        ("h,2026-03-01T10:00Z,2026-03-01T10:00Z,soc,80,ann,why", "line 2, end: is the start"),
        ("h,2026-03-01T10:00,2026-03-01T11:00Z,soc,80,ann,why", "line 2, start: .* has no offset"),
        ("h,2026-03-01,2026-03-01T11:00Z,soc,80,ann,why", "line 2, end: start and end must both be days"),
        ("h,2026-02-30,2026-03-01,soc,80,ann,why", "line 2, start: '2026-02-30' does not exist"),
        ("h,0001-01-01,2026-03-01,soc,80,ann,why", "line 2, start: '0001-01-01' is not in the years 2000 to 2100"),
        ("h,2026-03-01T10:00Z,9999-12-31T00:00Z,soc,80,ann,why", "line 2, end: .* is not in the years 2000 to 2100"),
        ("h,2026-03-01,2026-03-02,soc,１,ann,why", "line 2, value: '１' is neither"),
        ("h,2026-03-01,2026-03-02,soc,80,ann,why\0", "line 2, reason: holds a control character"),
        ("h,2026-03-01,2026-03-02,soc,80,a\x1b[31mnn,why", "line 2, author: holds a control character"),
        ("h,2026-W10-1,2026-03-01,soc,80,ann,why", "line 2, start: '2026-W10-1' is neither"),
        ("h,2026-03-01,2026-03-02,import,80,ann,why", "line 2, metric: 'import' is none of generation"),
        ("h,2026-03-01,2026-03-02,soc,nan,ann,why", "line 2, value: 'nan' is neither"),
        ("h,2026-03-01,2026-03-02,soc,inf,ann,why", "line 2, value: 'inf' is neither"),
        ("h,2026-03-01,2026-03-02,soc,1e999,ann,why", "line 2, value: '1e999' is neither"),
        ("h,2026-03-01,2026-03-02,soc,,ann,why", "line 2, value: '' is neither"),
        ("h,2026-03-01,2026-03-02,soc,1_0,ann,why", "line 2, value: '1_0' is neither"),
        ("h,2026-03-01,2026-03-02,soc,1,5,ann,why", "line 2: has 8 cells, the header 7"),
        ('h,2026-03-01,2026-03-02,soc,1,ann,"why" so', "line 2: is no CSV"),
    ],
)
def test_a_row_that_cannot_be_meant_is_refused(line: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        rows(line)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "has no header"),
        (b"system_id,start\n", "line 1: the columns must be"),
        (b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_what_is_no_such_file_is_refused(body: bytes, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_override_file(body)


def test_every_problem_is_told_up_to_twenty() -> None:
    bad = ["h,2026-03-01,2026-03-02,soc,x,ann,"] * 11
    with pytest.raises(UsageError, match=r"22 problems") as error:
        rows(*bad)
    assert str(error.value).count("\n") == 21
    assert "line 2, reason" in str(error.value)
    assert "2 more" in str(error.value)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["who,2026-03-01,2026-03-01,soc,1,ann,why"], "line 2, system_id: no system 'who' is known"),
        (["h,2026-03-01,2026-03-01,generation,50.1,ann,why"], "line 2, value: 50.1 kW is beyond"),
        (["h,2026-03-01,2026-03-01,generation,-1,ann,why"], "line 2, value: -1 is negative"),
        (["h,2026-03-01,2026-03-01,soc,101,ann,why"], "line 2, value: 101 % is more than full"),
        (
            ["h,2026-03-01,2026-03-05,soc,1,ann,why", "h,2026-03-05,2026-03-06,soc,2,ann,why"],
            "line 3: says something else than line 2 of the same soc",
        ),
        (
            ["h,2026-03-01T22:59Z,2026-03-01T23:30Z,soc,1,ann,why", "h,2026-03-02,2026-03-02,soc,ignore,ann,why"],
            "line 3: says something else than line 2",
        ),
        (
            [
                "h,2026-03-01,2026-03-09,soc,1,ann,why",
                "h,2026-03-02,2026-03-03,soc,1,ann,why",
                "h,2026-03-05,2026-03-05,soc,2,ann,why",
            ],
            "line 4: says something else than line 2",
        ),
    ],
)
def test_what_cannot_be_applied_here_is_refused(lines: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        require_possible(rows(*lines), ZONES, 50.0)


def test_rows_that_touch_agree_or_are_of_other_metrics_stand_side_by_side() -> None:
    fine = rows(
        "h,2026-03-01,2026-03-01,soc,1,ann,why",
        "h,2026-03-02,2026-03-02,soc,2,ann,why",
        "h,2026-03-02,2026-03-03,soc,2,bob,why",
        "h,2026-03-03T23:00Z,2026-03-04T00:00Z,soc,3,ann,why",  # 00:00 in Berlin
        "h,2026-03-01,2026-03-09,generation,50,ann,why",
        "nowhere,2026-03-01,2026-03-09,soc,100,ann,why",
    )
    require_possible(fine, ZONES, 50.0)
