"""Arrays and JSON as bytes in the safetensors format, and back with everything checked.

The format: 8 bytes with the header's length, little-endian; a JSON header that maps each
tensor's name to its dtype, shape and offsets; the data. Source: the format section of
the safetensors documentation. Its metadata has the one key ``hpsearch`` here, because
with several keys the bytes vary from save to save. The value is one canonical JSON text
with the number of this format and the SHA-256 digest of everything else, so that a file
vouches for itself.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from workers.errors import CheckpointError

Arrays = Mapping[str, NDArray[Any]]

MAX_HEADER_BYTES = 2**20
MAX_TENSORS = 4000
FORMAT = 1
"""What the metadata's ``format`` says; to be raised when older readers would misread a file."""

_KEY = "hpsearch"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_ITEM_BYTES = {"BOOL": 1, "U8": 1, "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8}
_BAD = (SafetensorError, ValueError, TypeError, KeyError, OverflowError, RecursionError)


def canonical(value: Any) -> str:
    """Return the one JSON text of a value: ASCII, sorted keys, no spaces.

    >>> canonical({"b": [1.0, None], "a": "x"})
    '{"a":"x","b":[1.0,null]}'

    Raises
    ------
    ValueError
        If a number is not finite.
    TypeError
        If a value is no JSON.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def encode(arrays: Arrays, metadata: Mapping[str, Any]) -> bytes:
    """Return the bytes that hold ``arrays`` and ``metadata``, the same ones every time.

    Raises
    ------
    CheckpointError
        If `decode` would not give them back: a dtype or name that is not allowed, a
        number in the metadata that is not finite, a header over `MAX_HEADER_BYTES`.
    """
    arrays = {key: np.asarray(value, order="C") for key, value in arrays.items()}
    try:
        whole = {**metadata, "format": FORMAT}
        text = canonical({**whole, "digest": _digest(arrays, whole)})
        data = bytes(safetensors.save(arrays, metadata={_KEY: text}))
        _check_header(data)
    except _BAD as error:
        raise CheckpointError(f"this can't be written as tensors: {error}") from error
    return data


def decode(data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return the read-only arrays and the metadata that `encode` was given.

    Raises
    ------
    CheckpointError
        If a single bit differs from what `encode` wrote, or something else wrote it, such as
        a later hpsearch with a higher `FORMAT`. A file without a format is of the first one.
    """
    try:
        text = _check_header(data)
        arrays: dict[str, NDArray[Any]] = safetensors.load(data)
        metadata = json.loads(text)
        vouched = metadata.pop("digest") if isinstance(metadata, dict) else None
        written = metadata.get("format", FORMAT) if isinstance(metadata, dict) else FORMAT
        if type(written) is not int or not 1 <= written <= FORMAT:
            raise ValueError(f"its format is {written!r}, and this hpsearch reads up to {FORMAT}")
        good = vouched is not None and vouched == _digest(arrays, metadata)
        good = good and canonical({**metadata, "digest": vouched}) == text
    except _BAD as error:
        raise CheckpointError(str(error) or type(error).__name__) from error
    if not good:
        raise CheckpointError("its content does not match its own digest")
    metadata.pop("format", None)
    return arrays, metadata


def _digest(arrays: Arrays, metadata: Mapping[str, Any]) -> str:
    """Return the SHA-256 digest of everything, in an order of its own."""
    digest = hashlib.sha256(canonical(metadata).encode())
    for key in sorted(arrays):
        array = arrays[key]
        digest.update(canonical([key, array.dtype.name, list(array.shape)]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _check_header(data: bytes) -> str:
    """Return the metadata's text; tensors must follow one another and fill the data."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(len(data) - 8, MAX_HEADER_BYTES):
        raise ValueError("its header is cut off or too long")
    tensors = json.loads(data[8 : 8 + length].decode(), object_pairs_hook=_unique)
    metadata = tensors.pop("__metadata__", None) if isinstance(tensors, dict) else None
    text = metadata.get(_KEY) if isinstance(metadata, dict) and len(metadata) == 1 else None
    if not isinstance(text, str):
        raise TypeError(f"its header's metadata must be one text under {_KEY}")
    if len(tensors) > MAX_TENSORS:
        raise ValueError(f"it has more than {MAX_TENSORS} tensors")
    end = 0
    for begin, stop in sorted(_span(name, entry) for name, entry in tensors.items()):
        if begin != end:
            raise ValueError("its tensors overlap or leave a gap")
        end = stop
    if end != len(data) - 8 - length:
        raise ValueError("its data is longer or shorter than its header says")
    return text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("its header names something twice")
    return result


def _span(name: str, entry: Any) -> tuple[int, int]:
    """Return where a tensor's data begins and ends."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:60]!a} can't be the name of a tensor")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name} must have a dtype, a shape and offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _ITEM_BYTES:
        raise ValueError(f"tensor {name} has a dtype that is not allowed")
    if not (_small_counts(shape, 4) and _small_counts(offsets, 2) and len(offsets) == 2):
        raise ValueError(f"tensor {name} has an impossible shape or place")
    begin, end = offsets
    if end - begin != math.prod(shape) * _ITEM_BYTES[dtype]:
        raise ValueError(f"tensor {name} has not the size that its shape says")
    return begin, end


def _small_counts(value: Any, most: int) -> bool:
    """Tell whether a value is a list of at most ``most`` integers in ``[0, 2**31)``."""
    return (
        isinstance(value, list)
        and len(value) <= most
        and all(type(item) is int and 0 <= item < 2**31 for item in value)
    )
