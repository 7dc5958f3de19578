"""Real tables by `hpsearch init` and `hpsearch run` alone, beside scikit-learn's search.

Run as ``python benchmarks/real_tables.py FOLDER [TABLE ...]``, a folder of CSV files whose target
is the last column; see docs/data.md. The last fifth of the rows tests. The other is scikit-learn's
``RandomizedSearchCV`` over an ``MLPClassifier`` or ``MLPRegressor``: 15 settings, 3 folds, medians
with indicators, standardized, one-hot without the rare values. Both have the machine to themselves,
in turns, and as many processes as ``--workers`` says.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from tables import machine, table

REGRESSION: Final = 20
"""Targets are numbers to be predicted where so many differ."""

RIVAL: Final = """
import json, sys, time, warnings
import numpy as np
import pandas as pd
from scipy.stats import loguniform
from sklearn import metrics
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import RandomizedSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.compose import TransformedTargetRegressor

source, regression, jobs = sys.argv[1], sys.argv[2] == "True", int(sys.argv[3])
frame = pd.read_csv(source)
x, y = frame.iloc[:, :-1], frame.iloc[:, -1]
test = len(frame) * 4 // 5
numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
texts = OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist", sparse_output=False)
columns = make_column_transformer(
    (numbers, make_column_selector(dtype_include="number")),
    (texts, make_column_selector(dtype_exclude="number")),
)
net = (MLPRegressor if regression else MLPClassifier)(random_state=0)
space = {
    "hidden_layer_sizes": [(64,), (128, 128), (256, 256)],
    "alpha": loguniform(1e-6, 1e-1),
    "learning_rate_init": loguniform(1e-4, 1e-2),
    "batch_size": [32, 64, 128, 256],
}
if regression:
    net = TransformedTargetRegressor(net, transformer=StandardScaler())
    space = {f"regressor__{name}": values for name, values in space.items()}
step = type(net).__name__.lower()
space = {f"{step}__{name}": values for name, values in space.items()}
warnings.simplefilter("ignore")
search = RandomizedSearchCV(
    make_pipeline(columns, net), space, n_iter=15, cv=3, random_state=0, n_jobs=jobs
)
search.fit(x[:test], y[:test])
found = search.predict(x[test:])
if regression:
    told = {"r2": metrics.r2_score(y[test:], found)}
    told["mae"] = metrics.mean_absolute_error(y[test:], found)
else:
    told = {"accuracy": metrics.accuracy_score(y[test:], found)}
    shares = search.predict_proba(x[test:])
    if shares.shape[1] == 2:
        told["roc_auc"] = metrics.roc_auc_score(y[test:], shares[:, 1])
    else:
        told["roc_auc"] = metrics.roc_auc_score(y[test:], shares, multi_class="ovr")
print(json.dumps(told))
"""


def main() -> None:
    """Print a row for each table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("tables", nargs="*")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    print(machine(), end="\n\n")
    rows = []
    for source in sorted(options.folder.glob("*.csv")):
        if not options.tables or source.stem in options.tables:
            for _ in range(options.rounds):
                ours = _hpsearch(source, options.workers)
                rows += _rows(source.stem, ours, _rival(source, options.workers))
    print(table(("table", "metric", "hpsearch", "seconds", "scikit-learn", "seconds"), rows))


def _rows(name: str, ours: dict[str, float], rivals: dict[str, float]) -> list[tuple[str, ...]]:
    return [
        (name, metric, f"{ours[metric]:.4f}", f"{ours['seconds']:.1f}", f"{value:.4f}",
         f"{rivals['seconds']:.1f}")
        for metric, value in rivals.items()
        if metric != "seconds"
    ]  # fmt: skip


def _regression(source: Path) -> bool:
    import pandas as pd

    target = pd.read_csv(source).iloc[:, -1]
    return target.dtype.kind in "iuf" and target.nunique() > REGRESSION


def _rival(source: Path, workers: int) -> dict[str, float]:
    began = time.perf_counter()
    command = [sys.executable, "-c", RIVAL, str(source), str(_regression(source)), str(workers)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, **threads}
    )
    told: dict[str, float] = json.loads(done.stdout)
    return told | {"seconds": time.perf_counter() - began}


def _hpsearch(source: Path, workers: int) -> dict[str, float]:
    header, *rows = source.read_text().splitlines()
    target, count = header.split(",")[-1].strip('"'), len(rows)
    program = Path(sys.executable).with_name("hpsearch")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        options: dict[str, Any] = {"check": True, "cwd": folder, "capture_output": True}
        config = subprocess.run([program, "init", source, "--target", target], **options).stdout
        Path(folder, "config.yaml").write_bytes(config)
        test = f"data.test={{rows: [{count * 4 // 5}, {count}]}}"
        command = [program, "run", "config.yaml", "--workers", str(workers), "--set", test]
        subprocess.run([*command, "--name", "run"], **options)
        seconds = time.perf_counter() - began
        summary = json.loads(Path(folder, "results", "run", "summary.json").read_text())
    test_of = {
        name.removeprefix("test_"): value
        for name, value in summary["ensemble"].items()
        if name.startswith("test_")
    }
    return test_of | {"seconds": seconds}


if __name__ == "__main__":
    main()
