"""A worker process: shards in by its standard input, frames on disk, one short answer per shard by its standard output.

    python -m hem_etl.preparing.worker LANDING FOLDER

It needs no setting and no credential, and is started without them. It ends when its input does, so none outlives the
process that started it, however that one ended; then it takes the folder with it.
"""

import os
import pickle
import shutil
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from hem_etl.errors import LandingError, disk_trouble
from hem_etl.landing import Landing
from hem_etl.preparing.shards import Failure, Shard, write_prepared


def answer_to(shard: Shard, landing: Landing, folder: Path) -> Failure | None:
    """Prepare the shard and leave its frames in the folder; tells why where that fails."""
    try:
        write_prepared(shard.prepared(landing), folder, shard.number)
    except LandingError as error:
        return Failure(str(error), is_of_landing=True)
    except OSError as error:
        return Failure(disk_trouble(error, "HEM_ETL_HOME"))
    except Exception as error:
        # not its text, which may hold what a vendor sent
        at = traceback.extract_tb(error.__traceback__)[-1]
        return Failure(f"{type(error).__name__} in {Path(at.filename).name}, line {at.lineno}")
    return None


def main() -> None:
    landing, folder = Landing(Path(sys.argv[1])), Path(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that gives the shards
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what anything prints is no answer
    with suppress(EOFError, BrokenPipeError):
        while True:
            answer = answer_to(pickle.load(sys.stdin.buffer), landing, folder)  # noqa: S301 - our own parent's
            pickle.dump(answer, answers)
            answers.flush()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # the pipe may be broken: nothing is left to be flushed


if __name__ == "__main__":
    main()
