"""The one table that fault trials end with: what was promised, broken, and kept."""

from collections import Counter
from dataclasses import dataclass, field

KEPT, LOST, WRONG = "kept", "lost", "wrong"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one fault: ``kept``, ``lost`` or ``wrong``, and the evidence."""

    kind: str
    detail: str = ""

    @property
    def good(self) -> bool:
        """Whether the promise held."""
        return self.kind == KEPT


def judge(*, lost: str | None = None, wrong: str | None = None) -> Verdict:
    """Return the verdict on a fault for which a loss or a wrong result was found, or not."""
    if lost is not None:
        return Verdict(LOST, lost)
    return Verdict(KEPT) if wrong is None else Verdict(WRONG, wrong)


@dataclass
class PromiseTable:
    """Counts the verdicts by promise, and keeps what is worth reporting beside them."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    figures: list[str] = field(default_factory=list)

    def enter(self, promise: str, verdict: Verdict) -> Verdict:
        """Count one fault."""
        self.counts.setdefault(promise, Counter())[verdict.kind] += 1
        return verdict

    def more(self, promise: str, count: int) -> None:
        """Count faults that were survived beside one that was entered."""
        self.counts.setdefault(promise, Counter())[KEPT] += count

    def table(self) -> list[str]:
        """Return the table's lines: with no loss in n faults, at most 3/n at 95 %."""
        width = max(map(len, self.counts), default=0)
        lines = [f"{'promise':{width}}  faults  survived  lost  wrong  bound"]
        for promise, counts in sorted(self.counts.items()):
            faults = counts.total()
            bound = f"{min(1, 3 / faults):.1%}" if counts[KEPT] == faults else "-"
            lines.append(
                f"{promise:{width}}  {faults:6}  {counts[KEPT]:8}  {counts[LOST]:4}"
                f"  {counts[WRONG]:5}  {bound}"
            )
        return [*lines, *self.figures]
