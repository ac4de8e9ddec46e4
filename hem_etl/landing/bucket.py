"""Segments in a bucket of S3 or what speaks like it. The only module that knows obstore.

An object is created, never replaced (`If-None-Match`), so two writers cannot hide each other's segment. What a run
fetched is on this machine's disk, in the outbox, before it is sent, and leaves it when it is in the bucket. What was
read lies in a folder of this machine, and is not asked for again: segments never change. That folder may be deleted.
"""

import errno
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from hem_etl.errors import LandingError, SettingsError, disk_trouble
from hem_etl.landing.places import DISTRUSTED, Folder, is_kept, other_bytes, put_in_place
from hem_etl.settings import BUCKET, Settings

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig, S3Credential

T = TypeVar("T")

AT_ONCE: Final = 8
"""Requests at once."""
PROBE: Final = ".doctor"
"""The object by which `prove` tries what a run does."""
RETRY: Final["RetryConfig"] = {
    "max_retries": 6,
    "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=5), "base": 2},
    "retry_timeout": timedelta(minutes=2),
}
"""Some seconds of a store that refuses: what is not sent then is not lost."""
CLIENT: Final["ClientConfig"] = {"connect_timeout": timedelta(seconds=10), "timeout": timedelta(minutes=2)}
MD5: Final = re.compile(r'"?([0-9a-f]{32})"?')
STATUS: Final = re.compile(r"status code: (\d{3}[A-Za-z ]*)")
CODE: Final = re.compile(r"<Code>(\w+)</Code>")


def open_bucket(settings: Settings, place: str, folder: Path, outbox: Path) -> "Bucket":
    """place: `s3://BUCKET/PREFIX`. SettingsError where it is no such, or a key or what speaks S3 is missing."""
    if not BUCKET.fullmatch(place):
        raise SettingsError(f"{place} is neither the path of a folder nor s3://BUCKET/PREFIX")
    try:
        from obstore.store import S3Store
    except ImportError:
        raise SettingsError(
            f"landing in {place} needs what speaks S3: pip install 'hem_etl[lake]', then run again."
        ) from None
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    key_id, secret = settings.s3_keys()

    def keys() -> "S3Credential":
        return {
            "access_key_id": key_id.get_secret_value(),
            "secret_access_key": secret.get_secret_value(),
            "token": None,
            "expires_at": None,
        }

    is_in_host = (settings.s3_url_style or ("path" if settings.s3_endpoint else "vhost")) == "vhost"
    endpoint = str(settings.s3_endpoint or f"https://s3.{settings.s3_region}.amazonaws.com").rstrip("/")
    if is_in_host:
        endpoint = endpoint.replace("://", f"://{bucket}.", 1)
    store = S3Store(
        bucket,
        prefix=prefix or None,
        # each said, so that none is taken from the environment
        aws_endpoint_url_s3=endpoint,
        region=settings.s3_region,
        virtual_hosted_style_request=is_in_host,
        credential_provider=keys,
        client_options={**CLIENT, "allow_http": endpoint.startswith("http://")},
        retry_config=RETRY,
    )
    return Bucket(store, place, folder, outbox)


class Bucket:
    """A Place. Any number of threads, processes and machines may use one at once."""

    def __init__(self, store: "ObjectStore", name: str, folder: Path, outbox: Path) -> None:
        self.name = name
        self.folder = folder
        self.outbox = outbox
        self.folders: Mapping[Path, str | None] = dict.fromkeys((outbox, folder), "HEM_ETL_HOME")
        self._store = store
        self._marks: dict[str, str] | None = None
        """What each mark says, as of the newest listing."""

    def listed(self) -> dict[str, str | None]:
        with self._asking("listed"):
            objects = self._store.list_with_delimiter()["objects"]
        kept = {each["path"]: _told(each["e_tag"]) for each in objects if is_kept(each["path"])}
        self._marks = {name: self._text(name, tag) for name, tag in kept.items() if name.endswith(DISTRUSTED)}
        return kept

    def _text(self, mark: str, tag: str | None) -> str:
        known = (self._marks or {}).get(mark)
        return known if known is not None and md5(known.encode()) == tag else self.read(mark).decode()

    def read(self, name: str) -> bytes:
        with self._asking("read"):
            return bytes(self._store.get(name).bytes())

    def create(self, name: str, content: bytes) -> str | None:
        from obstore.exceptions import AlreadyExistsError

        with self._asking("written to"):
            try:
                return _told(self._store.put(name, content, mode="create")["e_tag"])
            except AlreadyExistsError:
                pass
        if self.read(name) != content:  # else a try before, whose answer was lost, or another process sent the same
            raise LandingError(other_bytes(name, self.name))
        return None

    def send(self) -> None:
        self._make_folder()  # the index lies in it, too
        try:
            for name in waiting(self.outbox):
                self._send(name)
        except LandingError as error:
            raise LandingError(
                f"{error} Nothing is lost: what was fetched waits in {self.outbox}, and the next run sends it."
            ) from None

    def _send(self, name: str) -> None:
        try:
            content = (self.outbox / name).read_bytes()
            self.create(name, content)
            _move(self.outbox / name, self.folder / name)
        except FileNotFoundError:
            return  # another process has sent it
        except OSError as error:
            raise LandingError(f"{self.outbox / name} could not be sent ({disk_trouble(error)}).") from error

    def bring(self, segments: Iterable[str]) -> None:
        wanted = [name for name in segments if not (self.folder / name).exists()]
        if not wanted:
            return
        self._make_folder()
        in_parallel(self._bring, wanted)

    def _bring(self, name: str) -> None:
        content = self.read(name)
        try:
            put_in_place(self.folder / name, content)
        except OSError as error:
            raise self._refusal(error) from error

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: OSError) -> LandingError:
        return LandingError(f"cannot write to {self.folder} ({disk_trouble(error, self.folders[self.folder])}).")

    def mark_of(self, segment: str) -> str | None:
        if self._marks is None:
            self.listed()
        return (self._marks or {}).get(f"{segment}{DISTRUSTED}")

    def mark(self, segment: str, text: str) -> None:
        name = f"{segment}{DISTRUSTED}"
        with self._asking("written to"):
            self._store.put(name, text.encode(), mode="overwrite")
        if self._marks is not None:  # else others' are still to be listed
            self._marks = self._marks | {name: text}

    def prove(self) -> None:
        """Creates one small object, twice: the second time has to be refused."""
        from obstore.exceptions import AlreadyExistsError

        self.listed()
        for _ in range(2):
            with self._asking("written to"):
                try:
                    self._store.put(PROBE, b"hem_etl", mode="create")
                except AlreadyExistsError:
                    return
        raise LandingError(
            f"the store of {self.name} replaces an object that it was told to create (it ignores If-None-Match): two "
            "machines could hide each other's segments. Take a store that keeps to it, or a folder."
        )

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Tells in our words what the store refuses; its own may repeat the key's id."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            raise LandingError(f"{self.name} cannot be {what} ({_why(error)}): {_step(error)}") from None


def _move(sent: Path, cached: Path) -> None:
    try:
        sent.replace(cached)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        sent.unlink()  # the cache was put on another disk: it is read from the bucket


def waiting(outbox: Path) -> list[str]:
    """Names of segments that are still to be sent, oldest first."""
    return sorted(Folder(outbox).listed())


def in_parallel(
    work: Callable[[str], T], names: Iterable[str], on_done: Callable[[int], None] = lambda done: None
) -> list[T]:
    """What the work gives of each name, AT_ONCE of them; the first error ends it."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="bucket") as pool:
        doing = [pool.submit(work, name) for name in names]
        try:
            for done, each in enumerate(doing, 1):
                each.result()
                on_done(done)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [each.result() for each in doing]


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()  # as stores tell it: against damage, not forgery


def _told(tag: str | None) -> str | None:
    """What a store says of an object is the MD5 of its bytes, unless it came in parts or is encrypted by a key."""
    found = MD5.fullmatch(tag or "")
    return found[1] if found else None


def _why(error: Exception) -> str:
    text = str(error)
    found = [part[1].strip() for part in (STATUS.search(text), CODE.search(text)) if part]
    return ", ".join(found) or type(error).__name__


def _step(error: Exception) -> str:
    status = STATUS.search(str(error))
    return STEPS.get(status[1][:3] if status else "", "check HEM_ETL_S3_ENDPOINT and the network, then run again.")


STEPS: Final = {
    "301": "let HEM_ETL_S3_REGION name the bucket's region.",
    "400": "let HEM_ETL_S3_REGION name the bucket's region.",
    "403": "check the keys HEM_ETL_S3_…, and that they may list, read and write there.",
    "404": "make the bucket, or restore what is missing in it.",
}
"""By HTTP status."""
