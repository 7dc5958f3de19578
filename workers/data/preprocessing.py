"""Preprocessing fitted on the training rows only: a chain of steps.

Each step is fitted on what the steps before it return, and the chain is stored as named
arrays in each checkpoint.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
from numpy.typing import NDArray

from workers.data.column_statistics import Array
from workers.data.preprocessors import PREPROCESSORS
from workers.data.steps import Step
from workers.errors import CheckpointError, InputError

__all__ = ["PREPROCESSORS", "Preprocessing", "fit"]

_BLOCK_VALUES = 1 << 21


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """A fitted chain, made by :func:`fit`; ``features`` counts the raw columns it takes."""

    chain: tuple[str, ...]
    steps: tuple[Step, ...]

    def outputs(self, columns: int) -> int:
        """Return how many columns the chain makes of so many raw ones."""
        return self.steps[-1].columns()[1] if self.steps else columns

    def rows_at_once(self, columns: int) -> int:
        """Return how many rows of so many raw columns are transformed at a time."""
        return max(1, _BLOCK_VALUES // max(1, columns))

    def transform(self, x: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return the preprocessed rows, (rows, features) to C-contiguous (rows, outputs)."""
        result = np.empty((len(x), self.outputs(x.shape[1])), np.float32)
        start = 0
        with np.errstate(over="ignore", invalid="ignore"):
            for block in _transformed(x, self.steps):
                result[start : start + len(block)] = block
                start += len(block)
        return result

    def to_arrays(self) -> dict[str, Array]:
        """Return the arrays by name: ``0.standardize.shift``, ``0.standardize.factor``, ..."""
        return {
            f"{number}.{name}.{part}": array
            for number, (name, step) in enumerate(zip(self.chain, self.steps, strict=True))
            for part, array in step.arrays().items()
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "Preprocessing":
        """Return what :meth:`to_arrays` named; no arrays make the empty chain.

        Raises
        ------
        CheckpointError
            If names, shapes or values are not those of a chain.
        """
        order = sorted({tuple(name.split(".")[:2]) for name in arrays}, key=_position)
        steps = [_restore(arrays, number, *key) for number, key in enumerate(order)]
        _check_joints(steps)
        if len(arrays) != sum(len(step.arrays()) for step in steps):
            raise CheckpointError(f"preprocessing has arrays of no step: {sorted(arrays)[:6]}")
        return cls(tuple(key[1] for key in order), tuple(steps))


def fit(chain: Sequence[str], x: NDArray[np.generic]) -> Preprocessing:
    """Fit each step of ``chain`` on the training rows ``x`` (rows, features).

    Raises
    ------
    InputError
        For a name that PREPROCESSORS lacks, and for features that never vary where a
        rotation needs a direction.
    """
    steps: list[Step] = []
    for name in chain:
        if name not in PREPROCESSORS:
            names = ", ".join(PREPROCESSORS)
            raise InputError(f"preprocess must name steps out of {names}", repr(name), "rename it")
        with np.errstate(over="ignore", invalid="ignore"):
            steps.append(PREPROCESSORS[name].fit(partial(_transformed, x, tuple(steps))))
    return Preprocessing(tuple(chain), tuple(steps))


def _doubles(x: NDArray[np.generic]) -> Array:
    return x.astype(np.float64)


def _transformed(x: NDArray[np.generic], steps: Sequence[Step]) -> Iterator[Array]:
    """Yield the transformed rows in blocks, so that no float64 copy of all is made."""
    rows = max(1, _BLOCK_VALUES // max(1, x.shape[1]))
    for start in range(0, len(x), rows):
        block = _doubles(x[start : start + rows])
        for step in steps:
            block = step.apply(block)
        yield block


def _position(key: tuple[str, ...]) -> int:
    return int(key[0]) if key[0].isdecimal() and len(key[0]) < 4 else -1


def _restore(arrays: Mapping[str, NDArray[np.generic]], number: int, *key: str) -> Step:
    if len(key) != 2 or key[0] != str(number) or key[1] not in PREPROCESSORS:
        raise CheckpointError(f"preprocessing has no step {'.'.join(key)[:60]!r} at {number}")
    kind = PREPROCESSORS[key[1]].kind
    try:
        parts = [arrays[f"{number}.{key[1]}.{field.name}"] for field in fields(kind)]
    except KeyError as error:
        raise CheckpointError(f"preprocessing lacks the array {error}") from None
    if any(part.dtype != np.float64 or not np.isfinite(part).all() for part in parts):
        raise CheckpointError("preprocessing arrays must be finite float64 numbers")
    return kind(*(np.asarray(part, np.float64) for part in parts))


def _check_joints(steps: Sequence[Step]) -> None:
    width: int | None = None
    for number, step in enumerate(steps):
        try:
            inputs, outputs = step.columns()
        except ValueError as error:
            raise CheckpointError(f"preprocessing step {number} must have {error}") from None
        if width not in (None, inputs):
            raise CheckpointError(f"preprocessing step {number} does not fit the one before it")
        width = outputs
