"""The bytes of a frame's columns, by Arrow's C stream interface: a stable ABI, and no object for each value.

https://arrow.apache.org/docs/format/CStreamInterface.html and CDataInterface.html, next to it
"""

import ctypes
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p
from typing import Final

import polars as pl

WORD: Final = 8


class _Array(Structure):
    pass


_Array._fields_ = [
    *((name, c_int64) for name in ("length", "null_count", "offset", "n_buffers", "n_children")),
    ("buffers", POINTER(c_void_p)),
    ("children", POINTER(POINTER(_Array))),
    ("dictionary", c_void_p),
    ("release", CFUNCTYPE(None, POINTER(_Array))),
    ("private_data", c_void_p),
]


class _Stream(Structure):
    pass


_Stream._fields_ = [
    ("get_schema", c_void_p),
    ("get_next", CFUNCTYPE(c_int, POINTER(_Stream), POINTER(_Array))),
    ("get_last_error", c_void_p),
    ("release", c_void_p),
    ("private_data", c_void_p),
]
_pointer_in = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_in.argtypes, _pointer_in.restype = (ctypes.py_object, c_char_p), c_void_p


def words_of(frame: pl.DataFrame) -> list[bytes]:
    """Of each column its 64-bit numbers, one after another, as they lie in memory. No value may be NULL."""
    assert all(dtype in (pl.Int64, pl.Float64) for dtype in frame.dtypes), "numbers of 64 bits"
    assert not any(column.null_count() for column in frame.iter_columns()), "NULLs have no bytes"
    capsule = frame.__arrow_c_stream__()  # which releases the stream when it is gone
    stream = ctypes.cast(_pointer_in(capsule, b"arrow_array_stream"), POINTER(_Stream))
    columns: list[list[bytes]] = [[] for _ in frame.columns]
    while (batch := _next(stream)).release:
        for column, child in zip(columns, batch.children[: batch.n_children], strict=True):
            begins = child.contents.buffers[1] + WORD * (child.contents.offset + batch.offset)
            column.append(ctypes.string_at(begins, WORD * batch.length))
        batch.release(batch)
    return [b"".join(parts) for parts in columns]


def _next(stream: "ctypes._Pointer[_Stream]") -> _Array:
    """One that cannot be released comes after the last."""
    batch = _Array()
    if stream.contents.get_next(stream, batch):
        raise MemoryError("polars could not give a frame's columns")
    return batch
