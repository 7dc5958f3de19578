"""The next choices of one dimension, from those of the best trials."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hpsearch.config.sections.stages import NarrowConfig
from hpsearch.narrowing.significance import absence
from hpsearch.narrowing.verdicts import Verdict
from hpsearch.space.dimensions import CategoricalDimension, Dimension

TRIED = 3
"""How many trials must have had a choice before it can count as beaten."""


def remaining(
    verdict: Verdict,
    dimension: CategoricalDimension,
    original: Dimension,
    tried: Sequence[Any],
    best: Sequence[Any],
    rule: NarrowConfig,
) -> Verdict:
    """Return the verdict with the choices that are not clearly beaten.

    A choice is dropped when `TRIED` trials had it and none of the best has, which must be as
    improbable as the rule asks; at least one stays. One dropped earlier that is among the best
    comes back, and all do where the ranks did not hold.
    """
    every = original.choices if isinstance(original, CategoricalDimension) else dimension.choices
    if verdict.doubted is not None:
        return replace(verdict, after=every)
    counts, good = Counter(map(json.dumps, tried)), set(map(json.dumps, best))
    here = set(map(json.dumps, dimension.choices))
    odds = {
        mark: absence(len(tried), counts[mark], len(best))
        for mark in here - good
        if counts[mark] >= TRIED
    }
    beaten = {mark for mark, chance in odds.items() if chance <= rule.significance}
    stay = tuple(c for c in every if (m := json.dumps(c)) in good or m in here - beaten)
    return replace(verdict, after=stay, chance=max((odds[mark] for mark in beaten), default=None))
