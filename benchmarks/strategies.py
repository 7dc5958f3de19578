"""The strategies that search_quality.py compares, each as the stages of a config."""

from collections.abc import Mapping, Sequence
from typing import Any

Stages = Sequence[Mapping[str, Any]]

NARROW = {"keep_top": 0.2, "margin": 0.25}
BLIND = {"significance": 1.0, "explore": 0.0}
"""Narrows whatever the evidence says, and never looks outside."""

DEFAULT = "promotion, GP: the default"
"""The strategy of `configs/`."""


def strategies(final: int, budget: int) -> dict[str, dict[str, Any]]:
    """Return the stages by name; each would use about ``budget`` epochs, or is cut there.

    ``final`` is how many epochs a configuration gets that is trained to the end.
    """
    few, many = budget // final, 4 * budget // final
    short = max(2, final // 10)
    coarse = budget * 60 // 810
    medium = budget * 150 // 810 // short
    last = (budget - coarse - medium * short) // final
    third = final // 3
    stages: dict[str, list[dict[str, Any]]] = {
        f"random, {final} epochs each": [stage(few, final)],
        f"random, {third} epochs each": [stage(budget // third, third)],
        f"TPE, {third} epochs each": [stage(budget // third, third, sampler="tpe")],
        "coarse to fine": [
            stage(coarse, 1),
            stage(medium, short, narrow=NARROW),
            stage(last, final, narrow=NARROW),
        ],
        "coarse to fine, in any case": [
            stage(coarse, 1),
            stage(medium, short, narrow=NARROW | BLIND),
            stage(last, final, narrow=NARROW | BLIND),
        ],
        "coarse to fine, Sobol": [
            stage(coarse, 1, sampler="sobol"),
            stage(medium, short, narrow=NARROW, sampler="sobol"),
            stage(last, final, narrow=NARROW, sampler="sobol"),
        ],
        "coarse to fine, promotion": [
            stage(coarse, 1),
            stage(medium // 2, short, narrow=NARROW, promote=max(1, medium // 2)),
            stage(last // 3, final, narrow=NARROW, promote=max(1, last - last // 3)),
        ],
        "coarse to fine, TPE": [
            stage(coarse, 1),
            stage(medium, short, narrow=NARROW, sampler="tpe"),
            stage(last, final, narrow=NARROW, sampler="tpe", generation=4),
        ],
        "ASHA": [stage(many * 4, final, pruner="asha")],
        "ASHA, TPE": [stage(many * 4, final, pruner="asha", sampler="tpe")],
        "Hyperband": [stage(many * 4, final, pruner="hyperband")],
        "successive halving": halving(final, budget),
        f"GP, {final} epochs each": [stage(few, final, sampler="gp", generation=2)],
        DEFAULT: led(final, budget),
        "promotion, GP, generations of 16": led(final, budget, 16),
        f"halving from {short} epochs, Sobol": halving(final, budget, first=short, sampler="sobol"),
    }
    return {
        name: {"stages": [{"name": f"s{i}"} | one for i, one in enumerate(some)]}
        for name, some in stages.items()
    }


def led(final: int, budget: int, generation: int = 2) -> list[dict[str, Any]]:
    """Return stages that a Gaussian process leads, the best of each trained on.

    - 20 points of a Sobol sequence for a tenth of the epochs, or what a fifth of the budget
      pays for: fewer epochs mislead, and more trials teach little of longer training.
    - A third of the epochs: the best third of them beside new trials for 15 % of the budget.
    - All epochs: the best 15 % and for what is left new trials, few in a ``generation``.

    Ranges narrow where the evidence says so, with a decade on both sides: the process itself looks
    where the good ones are.
    """
    short, third = max(2, final // 10), final // 3
    first = min(20, max(4, budget // 5 // short))
    second = max(2, budget * 15 // 100 // third)
    on = round(first / 3)
    end = max(1, (second + on) * 15 // 100)
    used = first * short + second * third + on * (third - short) + end * (final - third)
    last = max(1, (budget - used) // final)
    rest: dict[str, Any] = {"sampler": "gp", "narrow": {"margin": 1.0}}
    return [
        stage(first, short, sampler="sobol"),
        stage(second, third, promote=on, generation=2 * generation, **rest),
        stage(last, final, promote=end, generation=generation, **rest),
    ]


def stage(num_trials: int, epochs: int, **rest: Any) -> dict[str, Any]:
    return {"num_trials": num_trials, "epochs": epochs, **rest}


def halving(
    final: int, budget: int, factor: int = 3, first: int = 1, **rest: Any
) -> list[dict[str, Any]]:
    """Return one bracket: each stage goes on with a third of the last, three times as long.

    The shortest stage has ``first`` epochs or more; ``rest`` is said of it.
    """
    rungs = [final]
    while rungs[0] // factor >= first:
        rungs.insert(0, rungs[0] // factor)
    cost = sum(
        (rung - before) / factor**index
        for index, (before, rung) in enumerate(zip([0, *rungs], rungs, strict=False))
    )
    count = int(budget / cost)
    stages = [stage(count, rungs[0], **rest)]
    for rung in rungs[1:]:
        count = max(1, count // factor)
        stages.append(stage(0, rung, promote=count))
    return stages
