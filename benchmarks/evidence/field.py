"""Every strategy in one table, from the results of the four studies of the field: results/field.md.

python benchmarks/evidence/field.py
"""

import json
from typing import Any

from results import RESULTS

from seqgcn.evaluation.table import markdown_table

STUDIES = {
    "digits_confirm": "digits, 10 seeds",
    "digits_screen": "digits, 5 other seeds",
    "cifar10_field": "CIFAR-10, 5 seeds",
    "hands_field": "rendered hands, 3 seeds, mm",
}

SMALL = ":image_size=8"
"""Added to the name of what sees the images on digits: they are no larger."""


def main() -> None:
    """Write the table."""
    results = {name: json.loads((RESULTS / f"{name}.json").read_text()) for name in STUDIES}
    found = {name: {row["selector"]: row for row in result["comparison"]} for name, result in results.items()}
    selectors = dict.fromkeys(name.replace(SMALL, "") for rows in found.values() for name in rows)
    order = sorted(selectors, key=lambda name: _gain(name, found), reverse=True)
    header = ["selector"]
    for name, title in STUDIES.items():
        header += [title, *(["Holm p"] if name == "digits_confirm" else [])]
    header += ["seconds a selection: digits", "CIFAR-10", "hands"]
    rows = [_row(selector, results, found) for selector in order]
    text = (
        "Area under the learning curve: Random's, and the paired difference to it ± standard error with its 95 % "
        "bootstrap interval. Accuracy in percentage points, where more is better; mean joint error in mm, where less "
        "is. Comparisons with a p were named before the first run. An interval of 3 or 5 seeds is too narrow; take it "
        "with the standard error. In the order of the second column on digits, which has all.\n\n"
    )
    (RESULTS / "field.md").write_text(text + markdown_table(header, rows) + "\n")
    print(markdown_table(header, rows))


def _gain(selector: str, found: dict[str, dict[str, Any]]) -> float:
    """What to order by: Random first, then the gain on digits, then those measured on hands alone."""
    if selector == "random":
        return float("inf")
    for study, sign in (("digits_screen", 1), ("hands_field", -1)):
        key = _key(selector, found[study])
        if key is not None:
            # Accuracies differ by less than 1, and millimeters come after them.
            return sign * float(found[study][key]["difference"]) - (0 if sign > 0 else 100)
    return -float("inf")


def _key(selector: str, rows: dict[str, Any]) -> str | None:
    """What a study calls a selector: on digits, some see the images in their own size."""
    return next((key for key in (selector, f"{selector}{SMALL}") if key in rows), None)


def _row(selector: str, results: dict[str, Any], found: dict[str, dict[str, Any]]) -> list[str]:
    cells = [f"`{selector}`"]
    for study in STUDIES:
        key = _key(selector, found[study])
        row = found[study].get(key) if key else None
        scale = results[study]["metric"]["scale"]
        if row is None:
            cells.append("")
        elif selector == "random":
            cells.append(f"{scale * row['aubc_mean']:.2f}")
        else:
            low, high = (scale * end for end in row["interval"])
            cells.append(
                f"{scale * row['difference']:+.2f} ± {scale * row['standard_error']:.2f} [{low:+.2f}, {high:+.2f}]"
            )
        if study == "digits_confirm":
            cells.append(f"{row['p_holm']:.3f}" if row and row["p_holm"] is not None else "")
    for studies in (("digits_confirm", "digits_screen"), ("cifar10_field",), ("hands_field",)):
        measured = [
            results[study]["seconds"][key]["select"] for study in studies if (key := _key(selector, found[study]))
        ]
        cells.append(f"{measured[0]:.2f}" if measured else "")
    return cells


if __name__ == "__main__":
    main()
