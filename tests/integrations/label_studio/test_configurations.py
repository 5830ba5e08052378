import pytest

from seqgcn.integrations.label_studio import extended_configuration

IMAGE = '<Image name="image" value="$image"/>'


def joints(*names: str) -> str:
    labels = "".join(f'<Label value="{name}"/>' for name in names)
    return f'<View><KeyPointLabels name="joints" toName="image">{labels}</KeyPointLabels>{IMAGE}</View>'


def classes(*names: str, name: str = "class") -> str:
    choices = "".join(f'<Choice value="{each}"/>' for each in names)
    return f'<View>{IMAGE}<Choices name="{name}" toName="image">{choices}</Choices></View>'


@pytest.mark.parametrize("theirs", ["<View></View>", "", "<View", f"<View>{IMAGE}</View>"])
def test_what_asks_nothing_is_replaced(theirs: str) -> None:
    assert extended_configuration(theirs, joints("palm")) == joints("palm")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (joints("palm", "tip"), joints("palm", "tip")),
        (joints("tip", "palm").replace("<View>", '<View><Header value="Be exact"/>'), joints("palm", "tip")),
        (classes("cat", "dog", "fox"), classes("cat", "dog")),
    ],
)
def test_what_asks_the_same_is_left_alone(theirs: str, ours: str) -> None:
    assert extended_configuration(theirs, ours) is theirs


def test_classes_of_both_are_kept() -> None:
    found = extended_configuration(classes("cat", "fox"), classes("cat", "dog"))
    assert found == classes("cat", "fox", "dog").replace('"/>', '" />')


def test_a_hot_key_is_given_once() -> None:
    theirs = classes("cat").replace("/></Choices>", ' hotkey="1"/></Choices>')
    ours = classes("ant", "cat").replace('value="ant"', 'value="ant" hotkey="1"')
    assert extended_configuration(theirs, ours).count("hotkey") == 1


def test_classes_that_nobody_knew_at_first_are_added() -> None:
    new = '<TextArea name="new class" toName="image"/>'
    first, later = f"<View>{IMAGE}{new}</View>", classes("cat").replace("</View>", f"{new}</View>")
    assert '<Choice value="cat"' in extended_configuration(first, later)
    filtered = later.replace("<Choices", '<Filter name="filter" toName="class"/><Choices')
    assert extended_configuration(later, filtered) is later


@pytest.mark.parametrize(
    ("theirs", "ours", "message"),
    [
        (classes("cat"), joints("palm"), "lacks the KeyPointLabels 'joints'"),
        (joints("palm"), joints("palm", "tip"), "it lacks tip"),
        (joints("palm", "tip"), joints("palm"), "only it has tip"),
        (classes("cat"), classes("zero", "one"), "it lacks zero, one"),
        (classes("cat", name="kind"), classes("cat"), "lacks the Choices 'class'"),
        (classes("cat").replace("$image", "$photo"), classes("cat"), r"value='\$photo', not '\$image'"),
    ],
)
def test_what_asks_something_else_is_refused(theirs: str, ours: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        extended_configuration(theirs, ours)
