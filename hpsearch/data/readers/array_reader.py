"""Readers of files that hold arrays: NPZ and IDX. Nothing is ever unpickled."""

import math
import zipfile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.data.tables.raw_table import (
    Source,
    Table,
    check_size,
    listed,
    read_bytes,
    regular_file,
    shown,
)
from workers.errors import InputError

_X_NAMES = ("x", "features", "data", "images")
_Y_NAMES = ("y", "labels", "label", "target", "targets")
_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_npz(source: Source) -> Table:
    """Read the arrays ``x`` and ``y`` (or features and labels, ...) of a NumPy archive.

    ``target`` names the array of labels where it is called otherwise. Features of more
    than two axes are flattened to (rows, features).
    """
    path = regular_file(source.path)
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_archive(archive, source)
    except InputError:
        raise
    except Exception as error:  # a damaged archive makes zipfile and NumPy raise almost anything
        raise _damaged(source.path, "an NPZ file of plain arrays", shown(error)) from None


def read_idx(source: Source) -> Table:
    """Read an IDX file (first axis: rows) and the labels from a second one.

    The format of http://yann.lecun.com/exdb/mnist: two zero bytes, a type, the number
    of axes, their lengths as big-endian 32-bit numbers, the values.
    """
    if source.target is not None and source.features is None:
        raise InputError(
            "an IDX file has no target column", repr(source.target), "leave target out"
        )
    x = _parse_idx(source.path)
    if not source.labelled:
        return array_table(x, None, source, "label")
    if source.labels is None:
        raise InputError(
            "an IDX file needs its labels in a second file",
            f"{shown(source.path)} alone",
            "add labels: FILE beside source",
        )
    return array_table(x, _parse_idx(source.labels), source, "label")


def array_table(x: NDArray[Any], y: NDArray[Any] | None, source: Source, target: str) -> Table:
    """Return the table of two arrays, after checking their types and shapes."""
    where = shown(source.path)
    if source.beside:
        raise InputError(
            f"{where} must have columns with names",
            f"none for {listed(source.beside)}",
            "save a CSV",
        )
    if x.ndim == 0 or x.dtype.kind not in "biuf":
        raise InputError(
            "features must be an array of real numbers",
            f"{x.dtype} with {x.ndim} axes in {where}",
            "convert it",
        )
    x = x.reshape(len(x), math.prod(x.shape[1:]))
    wanted = source.features
    if wanted is not None and x.shape[1] != len(wanted):
        raise InputError(
            f"{where} must have {len(wanted)} features", f"{x.shape[1]}", "give the same columns"
        )
    names = tuple(str(column) for column in range(x.shape[1]))
    return Table(x, None if y is None else _labels(x, y, source), wanted or names, target)


def _labels(x: NDArray[Any], y: NDArray[Any], source: Source) -> NDArray[Any]:
    where = shown(source.labels or source.path)
    if y.ndim == 0 or len(y) != len(x):
        rows = "a single value" if y.ndim == 0 else f"{len(y)} labels"
        raise InputError(
            f"{where} must have one label for each row", f"{rows} and {len(x)} rows", "match them"
        )
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim > (2 if source.task == "regression" else 1) or y.dtype.kind not in "biufUSO":
        raise InputError(
            "labels must be one number or text for each row",
            f"{y.dtype} of shape {y.shape} in {where}",
            "give class labels, not one-hot rows",
        )
    return y.astype(str).astype(object) if y.dtype.kind in "US" else y


def _read_archive(archive: zipfile.ZipFile, source: Source) -> Table:
    names = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    check_size(source.path, sum(info.file_size for info in archive.infolist()))
    x_name = _pick(list(names), _X_NAMES, "features", source)
    x = _read_array(archive, names[x_name])
    if not source.labelled:
        return array_table(x, None, source, "y")
    y_name = source.target if isinstance(source.target, str) else None
    if y_name not in names:
        if y_name is not None or source.target is not None:
            raise InputError(
                f"target must name an array of {shown(source.path)}",
                repr(source.target),
                f"choose one of {listed(list(names))}",
            )
        y_name = _pick(list(names), _Y_NAMES, "labels", source)
    return array_table(x, _read_array(archive, names[y_name]), source, y_name)


def _pick(names: list[str], known: tuple[str, ...], what: str, source: Source) -> str:
    found = [name for name in names if name.lower() in known and name != source.target]
    if len(found) != 1:
        raise InputError(
            f"an NPZ file must have exactly one array of {what}, called {', '.join(known)}",
            f"{listed(names) or 'no arrays'} in {shown(source.path)}",
            "rename the arrays",
        )
    return found[0]


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    """Read one member, after checking that its header's size is what is stored."""
    with archive.open(info) as stream:
        shape, dtype = _read_header(stream)
        if dtype.hasobject:
            raise ValueError(f"array {info.filename!r} holds Python objects")
        if math.prod(shape) * dtype.itemsize != info.file_size - stream.tell():
            raise ValueError(f"array {info.filename!r} is not as long as its header says")
    with archive.open(info) as stream:
        return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"array format {version} is unknown")
    one, two = np.lib.format.read_array_header_1_0, np.lib.format.read_array_header_2_0
    shape, _, dtype = (one if version == (1, 0) else two)(stream)
    return shape, dtype


def _parse_idx(path: str) -> NDArray[Any]:
    data = read_bytes(path)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _IDX_TYPES or not 1 <= data[3] <= 8:
        raise _damaged(path, "an IDX file", f"first bytes {data[:4].hex(' ')}")
    start, dtype = 4 + 4 * data[3], np.dtype(_IDX_TYPES[data[2]])
    shape = tuple(int(n) for n in np.frombuffer(data[4:start], ">u4", len(data[4:start]) // 4))
    expected = start + math.prod(shape) * dtype.itemsize
    if len(shape) != data[3] or len(data) != expected:
        found = f"shape {shape} for {len(data)} bytes"
        raise _damaged(path, "an IDX file as long as its header says", found)
    return np.frombuffer(data, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def _damaged(path: str, rule: str, found: str) -> InputError:
    return InputError(f"{shown(path)} must be {rule}", found, "replace it or correct format")
