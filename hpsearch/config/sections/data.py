"""The section ``data``: the source, its splits and the preprocessing."""

from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, Len
from pydantic import Field, model_validator

from hpsearch.config.sections.base import Count, Section, Share
from workers.training.cross_validation import MOST as MOST_SPLITS

FileFormat = Literal["csv", "parquet", "jsonl", "feather", "xlsx", "npz", "idx"]

_Mark = Annotated[str, Len(1, 1)]

ColumnKind = Literal["number", "category", "date", "drop"]


class CategoryConfig(Section):
    """Which values of a category count by themselves, and which columns become codes.

    Values of ``min_frequency`` training rows or more count, the ``max_categories`` most frequent
    of them; the others share one. A column of up to ``one_hot_max_size`` values becomes an input
    a value, of one with more a network learns a vector a value: see ``network.embedding_size``.
    """

    min_frequency: Count = 5
    max_categories: Annotated[int, Ge(1), Le(100_000)] = 1000
    one_hot_max_size: Annotated[int, Ge(0), Le(1000)] = 50


class SplitConfig(Section):
    """Where a split's rows come from: a share of the rest, a row range, or a second file.

    ``rows: [16000, 20000]`` takes rows 16,000 up to but not including 20,000, counted
    from 0 below the header. A bare number is a share.
    """

    share: Share | None = None
    rows: Annotated[tuple[Annotated[int, Ge(0)], Count] | None, Field(strict=False)] = None
    source: str | None = None
    labels: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_share(cls, value: Any) -> Any:
        # What a before-validator returns is Python data, in which a strict tuple is no list;
        # hence the strict=False of rows.
        if isinstance(value, dict | SplitConfig):
            return value
        if not isinstance(value, int | float):
            rule = "must be a share such as 0.2, or have one of share, rows and source"
            raise ValueError(rule)  # noqa: TRY004 (pydantic takes no TypeError)
        return {"share": value}

    @model_validator(mode="after")
    def _check_one(self) -> "SplitConfig":
        given = [key for key in ("share", "rows", "source") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of share, rows and source, not {given or 'none'}")
        if self.rows and self.rows[0] >= self.rows[1]:
            raise ValueError(
                f"rows must be [first, end] with first below end, not {list(self.rows)}"
            )
        return self


class DataConfig(Section):
    """The data set, its splits and the preprocessing fitted on its training rows.

    ``folds`` lets as many parts of the rows validate in turn, and ``repeats`` draws them, or
    the share for validation, as often anew: so each trial has several splits.
    ``scale_targets`` lets a regression learn its targets standardized. ``features`` chooses
    columns, ``drop`` leaves some out, ``columns`` says of what kind they are, and ``missing`` which
    text stands for a missing value of a feature. ``delimiter``, ``decimal``, ``thousands``,
    ``quote``, ``comment`` and ``encoding`` are those of a text file, as pandas' ``read_csv`` has
    them, ``sheet`` one of a workbook's; ``unlabelled`` rows are refused or dropped. ``weight``
    names a column that is no feature, but what a training row weighs in the loss. No group of the
    column ``groups`` has rows on two sides of a split; by the column ``time`` the latest rows test
    and the next latest validate;
    ``stratify`` splits a regression by so many quantiles of its target.
    """

    source: str
    format: FileFormat | None = None
    labels: str | None = None
    target: str | Annotated[int, Ge(0)] | None = None
    header: bool = True
    delimiter: _Mark = ","
    decimal: _Mark = "."
    thousands: _Mark | None = None
    quote: _Mark = '"'
    comment: _Mark | None = None
    encoding: Annotated[str, Len(1, 40)] = "utf-8"
    sheet: str | None = None
    task: Literal["classification", "regression"] = "classification"
    features: Annotated[tuple[str, ...], Len(1)] | None = None
    drop: tuple[str, ...] = ()
    columns: dict[str, ColumnKind] = Field(default_factory=dict)
    missing: tuple[str, ...] | None = None
    unlabelled: Literal["refuse", "drop"] = "refuse"
    weight: str | None = None
    categories: CategoryConfig = CategoryConfig()
    validation: SplitConfig | None = SplitConfig(share=0.2)
    folds: Annotated[int, Ge(2), Le(MOST_SPLITS)] | None = None
    repeats: Annotated[int, Ge(1), Le(MOST_SPLITS)] = 1
    test: SplitConfig | None = SplitConfig(share=0.2)
    groups: str | None = None
    time: str | None = None
    stratify: Annotated[int, Ge(2), Le(1000)] | None = None
    preprocess: tuple[str, ...] = ("standardize",)
    scale_targets: bool = True

    @property
    def splits(self) -> int:
        """How many networks each trial trains: one for each fold of each repeat."""
        return (self.folds or 1) * self.repeats

    @model_validator(mode="after")
    def _check_splits(self) -> "DataConfig":
        given = "validation" in self.model_fields_set and self.validation is not None
        if self.folds and given:
            raise ValueError("folds must stand alone or beside validation: null")
        if not self.folds and self.validation is None:
            raise ValueError("validation must not be null without folds")
        if self.repeats > 1 and not self.folds and not (self.validation and self.validation.share):
            raise ValueError("repeats must go with folds, or with a share for validation")
        if self.time is not None and (self.repeats > 1 or self.groups is not None):
            other = "repeats" if self.repeats > 1 else "groups"
            raise ValueError(f"time leaves one way to split, so it must stand without {other}")
        if self.stratify is not None and (self.task != "regression" or self.time is not None):
            other = "time" if self.time is not None else "classes, which are stratified anyway"
            raise ValueError(f"stratify is for a regression, and must stand without {other}")
        if self.splits > MOST_SPLITS:
            raise ValueError(f"repeats must make at most {MOST_SPLITS} splits, all folds counted")
        return self
