"""From a config's ``data`` section to preprocessed splits; only the master runs this."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hpsearch.config.sections.data import DataConfig
from hpsearch.data.encoding import encoder_of, in_a_line
from hpsearch.data.labels import Labels, check_same_classes, encode
from hpsearch.data.row_weights import weights_of
from hpsearch.data.splits import Part, source_of, split, told
from hpsearch.data.tables.dialect import dialect_of
from hpsearch.data.tables.raw_table import Table
from workers.data import target_scale
from workers.data.dataset import Dataset
from workers.data.encoder import Encoder, prepared
from workers.data.preprocessing import Preprocessing, fit
from workers.data.target_scale import TargetScale
from workers.errors import InputError


@dataclass(frozen=True, eq=False)
class Split:
    """What a search has: the workers' data set, and the test set, which stays here.

    ``x_validation`` (one for each split of the data set) and ``x_test`` are raw, (rows,
    features), as a model takes them. ``y_train`` (one for each split), ``y_validation`` (one
    split's after the other's) and ``y_test`` are classes, or targets in their own units, as a
    model gives them. The test set is None if the config says ``test: null``. ``notes`` tell what
    the columns are, if they are more than complete numbers, and which were left out.
    """

    dataset: Dataset
    x_validation: tuple[NDArray[Any], ...]
    y_train: tuple[NDArray[Any], ...]
    y_validation: NDArray[Any]
    x_test: NDArray[Any] | None
    y_test: NDArray[Any] | None
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 over the data set's digest and the test set: equal data, equal digest."""
        result = hashlib.sha256(self.dataset.digest.encode())
        for array in (self.x_test, self.y_test):
            if array is not None:
                result.update(repr((array.dtype.str, array.shape)).encode())
                result.update(np.ascontiguousarray(array).data)
        return result.hexdigest()


def load(config: DataConfig, *, seed: int, chains: Collection[tuple[str, ...]] = ()) -> Split:
    """Read, split, check and preprocess what ``config`` names.

    Relative paths count from the current folder. Preprocessing is fitted on the training
    rows only, and random splits follow from the search's ``seed``. The data set's
    alternatives are the ``chains`` beside the config's own.

    Raises
    ------
    InputError
        For anything that can't be used, in one line.
    """
    table, splits = split(config, seed=seed)
    others = sorted(set(chains) - {config.preprocess})
    made: dict[tuple[str, ...], list[Dataset]] = {c: [] for c in (config.preprocess, *others)}
    x_validation, y_train, y_validation = [], [], []
    for parts in splits:
        labels, encoder = encode(parts, table, task=config.task), encoder_of(config, table, parts)
        check_same_classes([one.classes for one in made[config.preprocess]], labels.classes)
        for chain, datasets in made.items():
            datasets.append(_prepare(config, chain, table, parts, labels, encoder))
        x_validation.append(parts["validation"].x)
        y_train.append(labels.y["train"])
        y_validation.append(labels.y["validation"])
    whole = {
        chain: replace(first, further=tuple(further)) for chain, (first, *further) in made.items()
    }
    dataset = replace(whole.pop(config.preprocess), alternatives=whole)
    x_test = parts["test"].x if "test" in parts else None
    y = np.concatenate(y_validation)
    notes = [] if dataset.encoder is None else [in_a_line(table)]
    notes += [f"column left out: {text}" for text in table.left_out]
    notes += told(config, table, parts)
    return Split(
        dataset, tuple(x_validation), tuple(y_train), y, x_test, labels.y.get("test"), tuple(notes)
    )


def _prepare(
    config: DataConfig,
    chain: tuple[str, ...],
    table: Table,
    parts: Mapping[str, Part],
    labels: Labels,
    encoder: Encoder | None,
) -> Dataset:
    """Fit a chain on the training rows and return the data set under it."""
    # One thread, since the last bits of a matrix product depend on their number.
    with threadpool_limits(1):
        numbers = encoder.numbers(parts["train"].x) if encoder else parts["train"].x
        preprocessing = fit(chain, numbers)
        x = {n: _transform(part, encoder, preprocessing, n) for n, part in parts.items()}
    _check_variation(x["train"])
    weights = None if config.weight is None else weights_of(parts["train"], config)
    dataset = _dataset(config, table, x, labels, preprocessing)
    dialect = dialect_of(source_of(config))
    return replace(dataset, encoder=encoder, weights=weights, dialect=dialect)


def _transform(
    part: Part, encoder: Encoder | None, preprocessing: Preprocessing, name: str
) -> NDArray[np.float32]:
    x = prepared(part.x, encoder, preprocessing)
    if not np.isfinite(x).all():
        row, column = np.argwhere(~np.isfinite(x))[0]
        raise InputError(
            "features must be finite in 32-bit floating point after preprocessing",
            f"{x[row, column]} in the {name} rows, column {column}",
            "scale them down, or preprocess with standardize",
        )
    return x


def _check_variation(x: NDArray[np.float32]) -> None:
    if (x == x[0]).all():
        raise InputError(
            "at least one feature must vary over the training rows",
            f"{len(x)} equal rows after preprocessing",
            "check the source and its columns",
        )


def _dataset(
    config: DataConfig,
    table: Table,
    x: dict[str, NDArray[np.float32]],
    labels: Labels,
    preprocessing: Preprocessing,
) -> Dataset:
    y_train, y_validation = labels.y["train"], labels.y["validation"]
    scale: TargetScale | None = None
    if config.task == "regression" and config.scale_targets:
        scale = target_scale.fit(y_train)
        y_train, y_validation = scale.apply(y_train), scale.apply(y_validation)
    return Dataset(
        task=config.task,
        x_train=x["train"],
        y_train=y_train,
        x_validation=x["validation"],
        y_validation=y_validation,
        classes=labels.classes,
        class_type=labels.class_type,
        feature_names=table.feature_names,
        target=table.target,
        preprocessing=preprocessing,
        target_scale=scale,
    )
