"""What a search imports, and its kernels compiled: loaded once, then forked for each run."""

import importlib
import pkgutil
import tempfile
from pathlib import Path

import hpsearch
from tests.support import run_here, tiny_config

for module in pkgutil.walk_packages(hpsearch.__path__, "hpsearch."):
    importlib.import_module(module.name)

with tempfile.TemporaryDirectory() as folder:
    run_here(tiny_config(), Path(folder) / "tiny")
