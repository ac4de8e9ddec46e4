"""Landing: the append-only raw store. Exact bytes once per content, one receipt for every look, changed or not.

A segment is one Parquet file that holds receipts together with the bodies that are new in it. It is written under a
temporary name, flushed to disk and renamed, so a segment is whole or absent, whatever dies when. Landing is a folder,
or a bucket of S3: there a segment is created once it is whole on this machine's disk, and stays on that until it is.
Any number of processes may write at once: names never collide and nothing is ever changed. Ids are values in columns,
never parts of a path. Landing knows nothing of the warehouse and does not parse what it keeps.

It is the users' only backup, so segments of every format ever written are read (`FORMAT`), what a newer version wrote
is refused whole, and nothing in between is guessed.

formats   what a segment looks like on disk
places    where segments are kept, and a folder as such a place
bucket    the same for a bucket of S3
writer    answers → segments
store     segments → receipts and bodies
copying   one place → another, verified
index     which segment holds what: so that ten thousand segments cost no more than a hundred. May be lost at any time
"""

from hem_etl.landing.copying import Copied, copy_landing
from hem_etl.landing.formats import FORMAT, RECEIPT_SCHEMA, SEGMENT_SCHEMA
from hem_etl.landing.places import DISTRUSTED
from hem_etl.landing.store import Landing, open_landing, open_place, waiting_segments
from hem_etl.landing.writer import SegmentWriter

__all__ = [
    "DISTRUSTED",
    "FORMAT",
    "RECEIPT_SCHEMA",
    "SEGMENT_SCHEMA",
    "Copied",
    "Landing",
    "SegmentWriter",
    "copy_landing",
    "open_landing",
    "open_place",
    "waiting_segments",
]
