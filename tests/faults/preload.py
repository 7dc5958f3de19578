"""What a search imports, and its kernels compiled: loaded once, then forked for each run."""

import tempfile
from pathlib import Path

import hpsearch.prediction

import workers.failpoints  # noqa: F401
from tests.support import run_here, tiny_config

with tempfile.TemporaryDirectory() as folder:
    run_here(tiny_config(), Path(folder) / "tiny")
