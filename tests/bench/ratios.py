"""What every benchmark shares: rounds taken in turn, medians, ratios, a table, a plot, JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured quantity: the medians of the reference and of the others, and which way is better."""

    name: str
    unit: str
    more_is_better: bool
    medians: Mapping[str, float]
    aim: float | None = None

    def ratio(self, subject: str, reference: str) -> float:
        """Subject over reference, as measured; whether that is good depends on `more_is_better`."""
        return self.medians[subject] / self.medians[reference]

    def meets_aim(self, subject: str, reference: str) -> bool | None:
        if self.aim is None:
            return None
        ratio = self.ratio(subject, reference)
        return ratio >= self.aim if self.more_is_better else ratio <= self.aim


def in_turn(subjects: Mapping[str, Callable[[], Mapping[str, float]]], rounds: int) -> dict[str, dict[str, float]]:
    """Measure every subject `rounds` times, one after the other within each round; medians by subject and quantity.

    Taking turns spreads a noisy neighbour's time over all subjects instead of charging it to one.
    """
    samples: dict[str, dict[str, list[float]]] = {subject: {} for subject in subjects}
    for _ in range(rounds):
        for subject, measure in subjects.items():
            for quantity, value in measure().items():
                samples[subject].setdefault(quantity, []).append(value)
    return {
        subject: {quantity: statistics.median(values) for quantity, values in taken.items()}
        for subject, taken in samples.items()
    }


def table(rows: Sequence[Row], reference: str) -> str:
    """The rows as aligned text: each subject's median, and its ratio to the reference with the aim beside it."""
    subjects = list(rows[0].medians)
    head = ["", "unit", *subjects, *(f"{s}/{reference}" for s in subjects if s != reference), "aim"]
    lines = [head]
    for row in rows:
        cells = [row.name, row.unit, *(f"{row.medians[s]:.4g}" for s in subjects)]
        for subject in subjects:
            if subject != reference:
                short = row.meets_aim(subject, reference) is False
                cells.append(f"{row.ratio(subject, reference):.3f}{' short' if short else ''}")
        sign = "≥" if row.more_is_better else "≤"
        cells.append("" if row.aim is None else f"{sign} {row.aim:g}")
        lines.append(cells)
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def as_json(rows: Sequence[Row], reference: str, **about: object) -> str:
    return json.dumps(
        {
            **about,
            "reference": reference,
            "rows": [
                {
                    "name": row.name,
                    "unit": row.unit,
                    "more_is_better": row.more_is_better,
                    "aim": row.aim,
                    "medians": dict(row.medians),
                    "ratios": {s: row.ratio(s, reference) for s in row.medians if s != reference},
                }
                for row in rows
            ],
        },
        indent=2,
    )


def plot(rows: Sequence[Row], reference: str, title: str, path: Path) -> None:
    """A bar chart of speed relative to the reference (1.0: as fast; for times the ratio is turned over)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    subjects = [s for s in rows[0].medians if s != reference]
    figure, axes = pyplot.subplots(figsize=(8, 0.45 * len(rows) * max(1, len(subjects)) + 1.2))
    height = 0.8 / len(subjects)
    for index, subject in enumerate(subjects):
        speeds = [
            row.ratio(subject, reference) if row.more_is_better else 1 / row.ratio(subject, reference) for row in rows
        ]
        places = [position + index * height for position in range(len(rows))]
        bars = axes.barh(places, speeds, height=height, label=subject)
        axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set_yticks([p + height * (len(subjects) - 1) / 2 for p in range(len(rows))], [row.name for row in rows])
    axes.invert_yaxis()
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_xlabel(f"speed relative to {reference} (longer is better)")
    axes.set_title(title)
    if len(subjects) > 1:
        axes.legend()
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
