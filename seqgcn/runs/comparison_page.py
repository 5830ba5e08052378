"""The page that compares selectors, and the parts of it that the page of one experiment shows too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from seqgcn.evaluation import Comparison, Metric, Saving, comparison_cells, how_to_read, saving_columns
from seqgcn.report.html.charts import Chart, Line, chart
from seqgcn.report.html.pages import Table, render
from seqgcn.report.html.strips import Forest, forest
from seqgcn.report.means import PUBLISHED, Curves, mean_curves, seeds_caption
from seqgcn.runs.reader import RunFolder

MOST_BANDS = 8


@dataclass(frozen=True, kw_only=True)
class Differences:
    """Selectors against a baseline, as `parts.html.j2` shows them."""

    baseline: str
    forest: Forest
    table: Table
    reading: Sequence[str]


def comparison_page(
    curves: Curves,
    rows: Sequence[Comparison],
    savings: Mapping[str, Saving],
    *,
    metric: Metric,
    title: str,
    references: Mapping[str, float],
    runs: Sequence[RunFolder],
    notes: Sequence[str],
    command: str,
) -> str:
    """One self-contained page of a comparison.

    Args:
        curves: For each selector the curve of each seed.
        rows: As from `compare`.
        savings: As from `labels_saved`.
        metric: What the curves measure.
        title: What was run.
        references: Published results, in the metric's unit.
        runs: Where the curves come from.
        notes: What the reader should know.
        command: That makes this page again.
    """
    means = mean_lines(curves, metric)
    return render(
        "comparison.html.j2",
        title=title,
        selectors=len(curves),
        runs=len(runs),
        chart=learning_chart(means, metric, references),
        published=published_table(references, metric),
        caption=seeds_caption(curves, bands=len(curves) <= MOST_BANDS),
        figures=means_table(means, metric),
        differences=differences(rows, savings, metric),
        notes=notes,
        folders=Table(
            title="Runs compared",
            header=["selector", "seed", "cycles", "labels", f"last {metric.label}", "folder"],
            rows=[run_cells(run, metric) for run in runs],
            text=(0, 5),
        ),
        command=command,
    )


def run_cells(run: RunFolder, metric: Metric) -> list[str]:
    """Selector, seed, cycles, labels, last value and folder of a run."""
    last = run.records[-1] if run.records else None
    value = "-" if last is None else f"{metric.scale * last.metric[metric.name]:.2f}"
    labels = "-" if last is None else f"{len(last.labelled):,}"
    return [run.selector, str(run.seed), str(len(run.records)), labels, value, str(run.folder)]


def differences(rows: Sequence[Comparison], savings: Mapping[str, Saving], metric: Metric) -> Differences:
    """A picture, a table and how to read them."""
    header, cells = comparison_cells(rows, metric=metric, columns=saving_columns(savings, metric))
    return Differences(
        baseline=rows[0].selector,
        forest=forest(rows, metric),
        table=Table(title=f"Differences to {rows[0].selector}", header=header, rows=cells),
        reading=how_to_read(rows, metric),
    )


def mean_lines(curves: Curves, metric: Metric) -> list[Line]:
    """The mean curves of the selectors, as a chart takes them."""
    return [
        Line(
            name=mean.name,
            x=mean.labelled.tolist(),
            y=mean.metric.tolist(),
            spread=None if mean.spread is None else mean.spread.tolist(),
        )
        for mean in mean_curves(curves, metric.scale)
    ]


def learning_chart(lines: Sequence[Line], metric: Metric, references: Mapping[str, float]) -> Chart | None:
    """The metric over the labels; bands only where they leave something to see."""
    if len(lines) > MOST_BANDS:
        lines = [replace(line, spread=None) for line in lines]
    return chart(
        lines,
        title="Learning curves",
        x_label="labeled items",
        y_label=f"test {metric.label}",
        references=references,
    )


def published_table(references: Mapping[str, float], metric: Metric) -> Table | None:
    """Published results, the lowest first; None where there are none."""
    rows = [[name, f"{value:g}"] for name, value in sorted(references.items(), key=lambda item: item[1])]
    return Table(title=PUBLISHED, header=["system", f"test {metric.label}"], rows=rows) if rows else None


def means_table(lines: Sequence[Line], metric: Metric) -> Table:
    """The figures of `mean_lines`: a row each selector, a column each label count."""
    counts = sorted({count for line in lines for count in line.x})
    digits = metric.decimals(max((abs(y) for line in lines for y in line.y), default=0.0) / metric.scale)
    rows = []
    for line in lines:
        spread = [""] * len(line.x) if line.spread is None else [f" ± {each:.{digits}f}" for each in line.spread]
        cells = {x: f"{y:.{digits}f}{after}" for x, y, after in zip(line.x, line.y, spread, strict=True)}
        rows.append([line.name, *(cells.get(count, "-") for count in counts)])
    header = ["selector", *(f"{count:,.0f}" for count in counts)]
    return Table(title=f"{metric.label.capitalize()} after so many labels", header=header, rows=rows)
