"""Pages: self-contained HTML that asks nothing of the network, reads on a phone, and shows foreign text as text.

`render` fills a template that extends `base.html.j2`, with `chart`, `forest` and `Table` for what `parts.html.j2`
draws. Names are loaded when first used, so that importing this package imports neither jinja2 nor matplotlib.
"""

from typing import TYPE_CHECKING

from seqgcn.utils.lazy import lazy

if TYPE_CHECKING:
    from seqgcn.report.html.charts import Chart, Line, chart
    from seqgcn.report.html.crops import crops_page
    from seqgcn.report.html.labels import labels_page
    from seqgcn.report.html.pages import Table, render, write_page
    from seqgcn.report.html.round import RoundView, round_page
    from seqgcn.report.html.sheet import Picture
    from seqgcn.report.html.strips import Forest, forest

__all__ = [
    "Chart",
    "Forest",
    "Line",
    "Picture",
    "RoundView",
    "Table",
    "chart",
    "crops_page",
    "forest",
    "labels_page",
    "render",
    "round_page",
    "write_page",
]

_HOME = dict.fromkeys(("Chart", "Line", "chart"), "charts") | dict.fromkeys(("Forest", "forest"), "strips")
_HOME |= dict.fromkeys(("RoundView", "round_page"), "round") | {"Picture": "sheet"}
_HOME |= dict.fromkeys(("Table", "render", "write_page"), "pages")
_HOME |= {"crops_page": "crops", "labels_page": "labels"}

__getattr__, __dir__ = lazy(__name__, _HOME)
