"""Randomness is derived from the search's seed and a purpose, never carried along.

Whoever needs random numbers names what they are for. The same name gives the same
numbers in every process, in every order and after every crash, so no checkpoint
holds a generator's state.
"""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What random numbers are for; a value is never reused for something else."""

    SPLIT = 0
    SAMPLE = 1
    INITIALIZE = 2
    SHUFFLE = 3
    DROPOUT = 4
    CHECK = 5
    RETRY = 6
    SCORE = 7


def sequence(
    seed: int, purpose: Purpose, *, trial: int = 0, epoch: int = 0, split: int = 0
) -> np.random.SeedSequence:
    """Return the seed sequence of one purpose, trial, epoch and split of the data.

    ``SeedSequence(seed, spawn_key=(purpose, trial, epoch))``, for all splits but the first
    with ``split`` behind; what all trials share, such as the order of the mini-batches,
    leaves ``trial`` at 0.

    >>> a = sequence(0, Purpose.SHUFFLE, epoch=3).generate_state(1)
    >>> b = sequence(0, Purpose.SHUFFLE, epoch=4).generate_state(1)
    >>> bool(a == b)
    False
    """
    further = (split,) if split else ()
    return np.random.SeedSequence(seed, spawn_key=(int(purpose), trial, epoch, *further))


def generator(
    seed: int, purpose: Purpose, *, trial: int = 0, epoch: int = 0, split: int = 0
) -> np.random.Generator:
    """Return a generator seeded by :func:`sequence`."""
    return np.random.default_rng(sequence(seed, purpose, trial=trial, epoch=epoch, split=split))


def key(seed: int, purpose: Purpose, *, trial: int = 0, epoch: int = 0, split: int = 0) -> int:
    """Return 64 random bits for counter-based random numbers, from :func:`sequence`."""
    whole = sequence(seed, purpose, trial=trial, epoch=epoch, split=split)
    return int(whole.generate_state(1, np.uint64)[0])


def integer(seed: int, purpose: Purpose, *, trial: int = 0, epoch: int = 0) -> int:
    """Return an integer in ``[0, 2**31)``, for libraries that take such a seed."""
    return key(seed, purpose, trial=trial, epoch=epoch) % 2**31
