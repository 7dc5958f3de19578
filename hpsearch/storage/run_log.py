"""The log of a run: what its master does, as it does it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from hpsearch.storage.folder import RunFolder


@contextmanager
def writing(folder: RunFolder) -> Iterator[None]:
    """Write what the master does into the run's log, for as long as this lasts."""
    folder.log.touch(mode=0o600)
    handler = logging.FileHandler(folder.log, encoding="utf-8")
    setattr(handler, "handleError", lambda _: None)  # noqa: B010 (a full disk ends the log only)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("hpsearch")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
