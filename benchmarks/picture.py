"""docs/report.png: what the report of the demo looks like, as a browser shows it.

    make demo && python benchmarks/picture.py

Needs a Chromium on the path.
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browser import browser  # noqa: E402 - of the tests, which drive the same browser

REPORT = ROOT / "hem_demo" / "report"
SIZE = (1000, 860)
LEFT_OUT = "nav, #days > h2, header > p.screen"


def main() -> None:
    """The home with the fullest page, from its day on."""
    page = max(REPORT.glob("home-*.html"), key=lambda file: file.stat().st_size)
    with tempfile.TemporaryDirectory() as profile, browser(Path(profile)) as tab:
        tab.show_as(width=SIZE[0], height=SIZE[1])
        tab.open(page.resolve())
        tab.run(f"document.querySelectorAll('{LEFT_OUT}').forEach(each => each.remove())")
        (ROOT / "docs" / "report.png").write_bytes(tab.picture())


if __name__ == "__main__":
    main()
