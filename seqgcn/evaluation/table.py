"""Tables of numbers in Markdown that also read as plain text."""

from collections.abc import Sequence


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An aligned Markdown table, its first column to the left and the others to the right.

    Args:
        header: Title of each column.
        rows: Cells of each row, as many as there are titles; a `|` is escaped.
    """
    lines = [[cell.replace("|", r"\|") for cell in line] for line in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    return "\n".join(
        " | ".join([f"| {line[0]:<{widths[0]}}", *map(str.rjust, line[1:], widths[1:])]) + " |" for line in lines
    )
