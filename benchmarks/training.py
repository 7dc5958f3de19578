"""Time whole training steps: batch gather, forward, loss value, backward, penalty, update.

Run as ``python benchmarks/training.py``; see benchmarks/README.md.
"""

import argparse
from collections.abc import Sequence

import options
import steps
from contenders import FLOOR, MODULES, OURS, TORCH, available
from problems import BARS
from race import stable
from tables import machine

DEFAULT_RIVALS = (TORCH, "jax", "sklearn")
TABLES = ("steps", "options", "packs")
PACKAGES = ("numpy", "numba", "torch", "jax", "scikit-learn")


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds: a first impression")
    parser.add_argument("--rounds", type=int, help="turns of each contender (31; quick: 5)")
    parser.add_argument(
        "--tables", nargs="+", choices=TABLES, default=TABLES, help="which tables (all)"
    )
    parser.add_argument(
        "--shapes", nargs="+", default=[""], metavar="TEXT", help="only shapes that contain a TEXT"
    )
    parser.add_argument(
        "--rivals",
        nargs="*",
        choices=[name for name in MODULES if name not in (OURS, FLOOR)],
        default=DEFAULT_RIVALS,
        help=f"whom to race against ({' '.join(DEFAULT_RIVALS)})",
    )
    return parser.parse_args(given)


def main() -> None:
    args = arguments()
    rounds = args.rounds or (5 if args.quick else 31)

    def wanted(name: str) -> bool:
        return any(text in name for text in args.shapes)

    print(f"{machine(*PACKAGES)}; one thread each, {rounds} rounds\n")
    for name in args.rivals:
        if not available(name):
            print(f"{name} is left out: its library is not installed.\n")
    names = [OURS, *filter(available, args.rivals), FLOOR]
    with stable() as stalls:
        if "steps" in args.tables:
            bars = [bar for bar in BARS if wanted(bar.name)]
            lines = steps.measure(stalls, bars, names, rounds=rounds)
            print(steps.report(lines, names), "\n", flush=True)
        if "options" in args.tables:
            problems = list(filter(wanted, options.OPTION_PROBLEMS))
            print(options.costs(stalls, problems, rounds=rounds), "\n", flush=True)
        if "packs" in args.tables:
            print(options.packs(stalls, options.PACK_PROBLEMS, rounds=rounds), "\n", flush=True)


if __name__ == "__main__":
    main()
