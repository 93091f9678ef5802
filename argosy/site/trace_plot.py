"""A picture of a trace: time by function, each rank's share of time in MPI, and who sent how much to whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from argosy.errors import ArgosyError
from argosy.site.trace import Summary, matrix

_MOST_FUNCTIONS = 12


def plot(summary: Summary, path: Path) -> None:
    """Write the picture as PNG. Raises ArgosyError where matplotlib is not installed, or the file cannot be written."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ArgosyError("plots need matplotlib", advice="pip install matplotlib (or argosy[plot])") from error
    bytes_sent = matrix(summary)
    heat = any(any(row) for row in bytes_sent)
    figure = Figure(figsize=(15 if heat else 11, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3 if heat else 2)
    _functions(axes[0], summary)
    _ranks(axes[1], summary)
    if heat:
        image = axes[2].imshow(bytes_sent, aspect="equal", cmap="viridis", origin="lower")
        axes[2].set(title="point-to-point messages", xlabel="to rank", ylabel="from rank")
        axes[2].locator_params(integer=True)
        figure.colorbar(image, ax=axes[2], label="bytes")
    figure.suptitle(f"{summary.program}: MPI on {summary.size} ranks, {summary.library}"[:120])
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise ArgosyError(f"cannot write {path}: {error.strerror or error}") from error


def _functions(axes: Any, summary: Summary) -> None:
    shown = summary.functions[:_MOST_FUNCTIONS][::-1]
    means = [one.time_mean_s for one in shown]
    spread = [[one.time_mean_s - one.time_min_s for one in shown], [one.time_max_s - one.time_mean_s for one in shown]]
    axes.barh([one.function.removeprefix("MPI_") for one in shown], means, xerr=spread, capsize=2)
    axes.set(title="time by function", xlabel="seconds a rank: mean, least and greatest")


def _ranks(axes: Any, summary: Summary) -> None:
    numbers = [rank.rank for rank in summary.ranks]
    axes.bar(numbers, [100 * rank.mpi_share for rank in summary.ranks])
    axes.set(title="time inside MPI", xlabel="rank", ylabel="% of wall time", ylim=(0, 100))
    axes.xaxis.get_major_locator().set_params(integer=True)
