import pytest

from seqgcn.evaluation import ACCURACY, MEAN_JOINT_ERROR, Metric


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        (ACCURACY, 0.82314, "82.31 %"),
        (ACCURACY, 1.0, "100.00 %"),
        (ACCURACY, 0.00012, "0.01 %"),
        (MEAN_JOINT_ERROR, 12.578, "12.58 mm"),
        (MEAN_JOINT_ERROR, 8.419, "8.419 mm"),
        (MEAN_JOINT_ERROR, 123.456, "123.5 mm"),
        (Metric("loss"), 0.0123456, "0.01235"),
        (Metric("loss"), -1234.5678, "-1235"),
        (Metric("loss"), 0.0, "0.00"),
        (Metric("loss"), 1e-300, "0.000000000"),
        (MEAN_JOINT_ERROR, float("nan"), "nan mm"),
        (MEAN_JOINT_ERROR, float("inf"), "inf mm"),
    ],
)
def test_a_value_is_shown_with_its_unit(metric: Metric, value: float, shown: str) -> None:
    assert metric.show(value) == shown


def test_label_names_the_unit_if_there_is_one() -> None:
    assert [metric.label for metric in (ACCURACY, MEAN_JOINT_ERROR, Metric("loss"))] == [
        "accuracy (%)",
        "mean joint error (mm)",
        "loss",
    ]


def test_which_way_is_better() -> None:
    assert ACCURACY.higher_is_better
    assert not MEAN_JOINT_ERROR.higher_is_better
