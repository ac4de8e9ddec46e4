"""Commands run as a person runs them: in an empty folder, against a simulator on a real socket."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hem_etl.cli.app import run_app
from hem_etl.settings import OUR_PREFIXES
from hem_etl.simulator import Simulator, serve

TODAY = datetime.now(UTC).date()
Run = Callable[..., int]


@contextmanager
def commands(simulator: Simulator, folder: Path) -> Iterator[Run]:
    """Runs a command with the settings of the served simulator; gives its exit code."""
    level = logging.getLogger("hem_etl").level
    with pytest.MonkeyPatch.context() as patch, serve(simulator) as url:
        for name in [name for name in os.environ if name.startswith(OUR_PREFIXES)]:
            patch.delenv(name)
        patch.chdir(folder)
        patch.setenv("ENODE_API_URL", url)
        patch.setenv("ENODE_OAUTH_URL", f"{url}/oauth2/token")
        patch.setenv("ENODE_CLIENT_ID", "simulator")
        patch.setenv("ENODE_CLIENT_SECRET", "simulator-secret")
        yield lambda *arguments: run_app(list(arguments))
    logging.getLogger("hem_etl").setLevel(level)
