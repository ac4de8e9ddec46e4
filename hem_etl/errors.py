"""The error tree, grouped by what a person does next. "No data" is an answer, not an error; it is a row in `core.load`.

    HemEtlError                 exit 1
    ├── UsageError              exit 2   change the command or the request
    │   ├── SettingsError                fix a setting; the message names the variable
    │   ├── ClockError                   set this machine's clock
    │   └── RequestRefusedError          change what Enode refuses: the message says why
    ├── AccessError             exit 2   renew credentials, or ask Enode to enable the feature
    ├── OutOfReachError         exit 3   mend the network, then run again
    ├── WriterBusyError         exit 1   wait for the process that is named, then run again
    ├── TornFileError           exit 1   nothing: a run makes the file again from landing
    ├── WorkerError             exit 1   run again, with fewer workers if it lasts
    ├── StructuralCheckError    exit 1   a check that only our own bug can fail: report it; the old file stays published
    ├── LandingError            exit 1   a landed file could not be written or read: the message says what to do
    └── ModelError              exit 1   a SQL model's header or text is wrong: fix the file that is named

Every message ends with the next step and never holds a secret, a token or a query string with one.
"""

import errno
from typing import Final


def disk_trouble(error: OSError, setting: str | None = None) -> str:
    """What a disk's refusal is, and what to do about it: not every one is a full disk. `setting` names the place."""
    what = error.strerror or str(error) or type(error).__name__  # polars gives a text alone
    step = _DISK_STEPS.get(error.errno or 0, "check the disk and the path")
    return f"{what}: {step}" + (f", or let {setting} name another place" if setting else "")


def told_of_this_machine(error: Exception) -> str | None:
    """What to do where a disk is full, not writable, failing or not this user's, which no program could have known.

    None: it is something else.
    """
    if not isinstance(error, OSError) or error.errno not in _OF_THIS_MACHINE:
        return None
    return f"{error.filename or 'the disk'}: {disk_trouble(error)}, then run again."


_OF_THIS_MACHINE: Final = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.EIO)
)
_DISK_STEPS: Final = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room"),
    errno.EROFS: "mount it writable",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "give this user access"),
    **dict.fromkeys(
        (errno.ENOTDIR, errno.EEXIST, errno.EISDIR), "a file or folder stands where the other should: move it"
    ),
    errno.ENOENT: "make the folder",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EIO: "the disk is failing: look at the system's log",
}


class HemEtlError(Exception):
    """Base of all errors we raise on purpose."""

    exit_code = 1


class UsageError(HemEtlError):
    """The command was asked for something that cannot be done."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is missing, unknown or malformed."""


class ClockError(UsageError):
    """This machine's clock and Enode's, or what is landed, disagree: when something was known could not be said."""


class RequestRefusedError(UsageError):
    """Enode refuses a request that is no look, such as a subscription."""

    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        super().__init__(f"Enode refuses that: {detail}. Change it, and try again.")


class AccessError(HemEtlError):
    """Enode refuses the credentials or the feature: nothing can be asked until a person acts."""

    exit_code = 2


SOME_FAILED: Final = 3
"""Exit code where something failed that a later try may repair."""


class OutOfReachError(HemEtlError):
    """No answer at all came from Enode: the network, a proxy, a certificate. Nothing was asked; run again later."""

    exit_code = SOME_FAILED


class WriterBusyError(HemEtlError):
    """Another process holds the writer's file. What was fetched is landed and will be loaded by the next run."""

    def __init__(self, holder: str, waited_seconds: float) -> None:
        self.holder = holder
        super().__init__(
            f"the warehouse is being written by {holder}; gave up after {waited_seconds:.0f} s. "
            "Nothing is lost: run again when it has ended, landed data are loaded without asking the API."
        )


class TornFileError(HemEtlError):
    """The writer's file is damaged, as a machine that dies may leave it. The road sets it aside and makes it anew."""


class WorkerError(HemEtlError):
    """A worker process died or failed. What was committed stays; the rest is loaded by the next run."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"a worker process {why}. Nothing is lost: run again, what is landed is loaded without asking. If it "
            "lasts: HEM_ETL_WORKERS=1 prepares in one process and needs the least memory."
        )


class StructuralCheckError(HemEtlError):
    """A structural check found rows. The published file stays the last good one."""

    def __init__(self, failures: list[tuple[str, int, str]]) -> None:
        self.failures = failures
        """(check name, failing rows, sample as text) of each failed check."""
        failed = "; ".join(f"{name}: {rows} rows, e.g. {sample}" for name, rows, sample in failures)
        super().__init__(
            f"structural checks failed, so nothing was published: {failed}. "
            "This is a bug of hem_etl: please report it with these rows; `hem-etl rebuild` may help meanwhile."
        )


class LandingError(HemEtlError):
    """A landing segment could not be written or read."""


class ModelError(HemEtlError):
    """A SQL model is not as its header says, or cannot run."""
