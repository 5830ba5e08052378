"""Any JSON, and JSON that is nearly right."""

import json
from typing import Any

from hypothesis import strategies as st

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
jsons = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)


@st.composite
def nearly(draw: st.DrawFn, right: Any) -> Any:
    """A copy of some JSON in which a few values are replaced or gone."""
    whole: Any = json.loads(json.dumps(right))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = whole
        while isinstance(place, list | dict) and place:
            key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            if draw(st.booleans()) or not isinstance(place[key], list | dict):
                place[key] = draw(jsons)
                break
            place = place[key]
    return whole
