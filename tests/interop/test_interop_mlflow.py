"""A protected model goes through MLflow and answers as before, without a pickle."""

from __future__ import annotations

import json

import pytest
from interop_model import TEXTS, WINDOWS

import fuzzsmooth
from fuzzsmooth.common.errors import FuzzsmoothError

mlflow = pytest.importorskip("mlflow", reason="extra 'mlflow'")


@pytest.fixture
def kept(saved, tmp_path):
    from fuzzsmooth.apps.interop.mlflow import save_model

    save_model(saved, tmp_path / "kept", metadata={"owner": "tests"})
    return tmp_path / "kept"


def test_saved_and_loaded_by_mlflow_it_answers_as_before(kept, saved):
    import pandas

    loaded = mlflow.pyfunc.load_model(str(kept))
    assert loaded.metadata.flavors["python_function"]["loader_module"] == "fuzzsmooth.apps.interop.mlflow"
    assert not [path for path in kept.rglob("*") if path.suffix in (".pkl", ".pickle", ".bin", ".pt")]
    assert "fuzzsmooth[mlflow]==" in (kept / "requirements.txt").read_text()
    table = loaded.predict(pandas.DataFrame({"text": TEXTS}))
    here = fuzzsmooth.protect(saved).certify(TEXTS)
    assert list(table["label"]) == [one.label_name for one in here]
    assert list(table["score"]) == [one.score for one in here]
    assert list(table["radius"]) == [one.certificates[0].radius for one in here]
    assert table["certificate"][0] == here[0].certificates[0].statement()
    assert json.loads(table["spans"][0]) == []
    quick = loaded.predict(pandas.DataFrame({"text": TEXTS}), params={"certify": False})
    assert list(quick["label"]) == [one.label_name for one in here]
    assert quick["certificate"].isna().all()


def test_what_is_no_table_of_texts_is_refused(kept):
    import pandas

    loaded = mlflow.pyfunc.load_model(str(kept))
    with pytest.raises(mlflow.exceptions.MlflowException, match="text"):
        loaded.predict(pandas.DataFrame({"body": ["a"], "other": ["b"]}))
    from fuzzsmooth.apps.interop.mlflow import _load_pyfunc

    bare = _load_pyfunc(str(kept / "data" / "mine"))
    assert len(bare.predict(["a moving film"])) == 1
    assert len(bare.predict(pandas.DataFrame({"body": ["a", "film"]}))) == 2
    with pytest.raises(FuzzsmoothError, match="no column 'text'"):
        bare.predict(pandas.DataFrame({"body": ["a"], "other": ["b"]}))
    with pytest.raises(FuzzsmoothError, match="every text must be a string"):
        bare.predict(pandas.DataFrame({"text": ["a", None]}))


def test_logged_in_a_run_it_is_found_there(tiny, runs):
    import pandas

    from fuzzsmooth.apps.interop.mlflow import log_model

    mlflow.set_experiment("kept")  # another test of this process may have chosen one elsewhere
    with mlflow.start_run():
        logged = log_model(fuzzsmooth.protect(tiny, **WINDOWS))
    loaded = mlflow.pyfunc.load_model(logged.model_uri)
    table = loaded.predict(pandas.DataFrame({"text": ["a moving film"]}))
    assert table["status"][0] in ("answered", "abstain")


def test_a_missing_folder_is_told(tmp_path):
    from fuzzsmooth.apps.interop.mlflow import save_model

    with pytest.raises(FuzzsmoothError, match="there is no folder"):
        save_model(tmp_path / "nowhere", tmp_path / "out")
