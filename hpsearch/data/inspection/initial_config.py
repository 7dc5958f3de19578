"""A config to begin with, from what a source is: task, sizes, ranges and stages that fit it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hpsearch.data.inspection.inspection import Inspection

STEPS: Final = 6_000
"""About so many mini-batches train a network to the end."""

FEWEST_EPOCHS, MOST_EPOCHS = 20, 80

SMALL: Final = 400
"""With so few training rows or fewer an epoch's checkpoint costs more than its steps, so that half
as many epochs of twice as many steps come to the same in less time."""

TRAINING_SHARE: Final = 0.64
"""What the shares for test and validation leave."""

BATCHES: Final = ((SMALL, 16), (2_000, 32), (10_000, 64), (50_000, 128), (10**12, 256))
"""Mini-batches by the number of training rows."""

_HINT: Final = """ --in-process
# (Without it Ray starts workers, which takes about as long as to train on so few rows.)"""

_TEMPLATE = """\
# {source}: {rows:,} rows, {line}.
# Made by `hpsearch init`. Try it: hpsearch run THIS-FILE{hint}
{warnings}study: {{name: {name}, metric: {metric}, seed: 0}}

data:
  source: {path}
  target: {target}
  task: {task}
{reading}  # Shares of the rows: validation rows choose, test rows are looked at once, at the end.
  validation: 0.2
  test: 0.2
  # columns: {{zip: category, when: date, id: drop}}    # where a kind is not as inferred

network:
  loss: {loss}
  optimizer: adamw
  schedule: cosine
  batch_size: {batch}        # of {training:,} training rows: {steps:,} steps an epoch

# Bounds are values, on a log scale too: 1.0e-4 means 0.0001.
search_space:
  learning_rate: {{type: float, low: 1.0e-4, high: 3.0e-2, log: true}}
  weight_decay:  {{type: float, low: 1.0e-4, high: 1.0, log: true}}
  dropout:       {{type: float, low: 0.0, high: 0.5}}
  hidden:        {{type: categorical, choices: {hidden}}}
  preprocess:    {{type: categorical, choices: [[standardize], [robust], [quantile]]}}

# A short stage shows where to look, a longer one which early scores hold, the last one trains to
# the end: beside new trials that learn from all before, the best of each stage go on.
stages:
  - {{name: coarse, num_trials: 24, epochs: {coarse}, sampler: auto}}
  - name: medium
    num_trials: 8
    epochs: {medium}
    promote: 0.3
    sampler: auto
    generation: 4
    narrow: {{margin: 1.0}}
  - name: fine
    num_trials: 8
    epochs: {fine}
    promote: 4
    sampler: auto
    generation: 4
    narrow: {{margin: 1.0}}

checkpoint: {{every: 1, keep_top: 12, ema_decay: 0.995}}
ensemble: {{method: {method}, size: 12}}
"""


def initial_config(
    found: Inspection, source: str, target: str | int, *, dialect: Mapping[str, Any]
) -> str:
    """Return a commented config, as YAML, for a source that was looked at with its target.

    Batches grow with the rows, and epochs shrink, so that a network takes some `STEPS` steps;
    layers are wider where there are more rows. The stages are those that were best on learning
    curves of real networks (benchmarks/search_quality.md).
    """
    training = max(1, round(TRAINING_SHARE * found.rows))
    batch = next(size for most, size in BATCHES if training <= most)
    steps = max(1, training // batch)
    most = MOST_EPOCHS // 2 if training <= SMALL else MOST_EPOCHS
    fine = min(max(round(STEPS / steps), FEWEST_EPOCHS), most)
    reading = [f"  {name}: {json.dumps(value)}\n" for name, value in dialect.items()]
    regression = found.task == "regression"
    return _TEMPLATE.format(
        source=source,
        path=json.dumps(source),
        target=json.dumps(target),
        reading="".join(reading),
        rows=found.rows,
        hint=_HINT if training <= SMALL else "",
        line=found.line,
        warnings="".join(f"# Look: {line}.\n" for line in found.warnings),
        name=_name(source),
        task=found.task,
        metric="val_mse" if regression else "val_accuracy",
        loss="squared_error" if regression else "softmax",
        method="greedy" if regression else "top",  # Accuracy is coarse to be greedy by.
        batch=batch,
        training=training,
        steps=steps,
        hidden="[[32], [64], [64, 64]]" if training < 1_000 else "[[64], [128, 128], [256, 256]]",
        coarse=max(2, round(fine / 10)),
        medium=max(4, round(fine / 3)),
        fine=fine,
    )


def _name(source: str) -> str:
    """Return a run's name from a path.

    >>> _name("/data/my table.csv.gz"), _name("digits")
    ('my-table', 'digits')
    """
    stem = Path(source).name.split(".")[0]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")[:60] or "search"
