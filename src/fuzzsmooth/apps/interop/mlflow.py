"""A protected model as an MLflow model: a folder with weights and options, loaded by this module, no pickle.

``mlflow.pyfunc.load_model``, and what stands on it, takes it like any other.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzzsmooth.apps.interop.telling import told
from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.version import VERSION
from fuzzsmooth.defenses import Defense, protect

if TYPE_CHECKING:
    import pandas

_COLUMN = "text"
_OUTPUTS = {
    "label": "string",
    "score": "double",
    "status": "string",
    "certificate": "string",
    "radius": "double",
    "threat": "string",
    "guarantee": "string",
    "spans": "string",
}


class ProtectedModel:
    """What MLflow calls: a defense over tables.

    Args:
        defense: The defense.
    """

    def __init__(self, defense: Defense) -> None:
        self.defense = defense

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> pandas.DataFrame:
        """Answer the texts of a table.

        Args:
            model_input: A table with the column "text" or one column alone, or a list of texts.
            params: ``certify``: whether answers are certified, which takes longer; True by default.

        Returns:
            One row per text with the columns of :func:`fuzzsmooth.apps.interop.telling.told`; spans as JSON.

        Raises:
            FuzzsmoothError: If there is no such column, or something in it is no text.
        """
        import pandas

        texts = _texts(model_input)
        certify = bool((params or {}).get("certify", True))
        answers = self.defense.certify(texts) if certify else self.defense.predict(texts)
        rows = [told(one) for one in answers]
        table = pandas.DataFrame(
            [{**row, "spans": json.dumps(row["spans"])} for row in rows], columns=[*_OUTPUTS]
        )
        return table.astype({"radius": float})


def save_model(model: str | os.PathLike[str] | Defense, path: str | os.PathLike[str], **more: Any) -> None:
    """Write a protected model as an MLflow model.

    Args:
        model: A folder that ``fuzzsmooth protect`` or ``save_pretrained`` has written, or a defense.
        path: Folder of the MLflow model, new or empty.
        **more: Passed to ``mlflow.pyfunc.save_model``: metadata, input_example, pip_requirements, ...

    Raises:
        FuzzsmoothError: If there is no such folder.
    """
    _written("save_model", model, {"path": os.fspath(path), **more})


def log_model(model: str | os.PathLike[str] | Defense, name: str = "model", **more: Any) -> Any:
    """Log a protected model in the active run; see :func:`save_model`.

    Args:
        model: As there.
        name: Name of the logged model.
        **more: Passed to ``mlflow.pyfunc.log_model``: registered_model_name, metadata, ...

    Returns:
        What MLflow tells of it.

    Raises:
        FuzzsmoothError: If there is no such folder.
    """
    return _written("log_model", model, {"name": name, **more})


def _written(way: str, model: str | os.PathLike[str] | Defense, more: Mapping[str, Any]) -> Any:
    try:
        import mlflow.pyfunc
    except ImportError as error:
        raise MissingExtraError("mlflow-skinny", "mlflow", "an MLflow model") from error
    defaults = {"signature": _signature(), "pip_requirements": [f"fuzzsmooth[mlflow]=={VERSION}"]}
    with tempfile.TemporaryDirectory(prefix="fuzzsmooth-") as place:
        if isinstance(model, Defense):
            folder = model.save_pretrained(Path(place) / "protected")
        else:
            folder = Path(model).expanduser()
            require(folder.is_dir(), f"there is no folder {folder}; give one that holds a protected model")
        write = getattr(mlflow.pyfunc, way)
        return write(loader_module=__name__, data_path=str(folder), **{**defaults, **more})


def _signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    outputs = [ColSpec(kind, name, required=name in ("score", "status")) for name, kind in _OUTPUTS.items()]
    certify = ParamSpec("certify", "boolean", True)
    return ModelSignature(Schema([ColSpec("string", _COLUMN)]), Schema(outputs), ParamSchema([certify]))


def _load_pyfunc(data_path: str) -> ProtectedModel:
    """What MLflow loads the folder by; see ``mlflow.pyfunc``."""
    return ProtectedModel(protect(data_path))


def _texts(given: Any) -> list[str]:
    columns = [] if isinstance(given, list | tuple) else list(getattr(given, "columns", ()))
    if columns:
        name = _COLUMN if _COLUMN in columns else columns[0]
        if _COLUMN not in columns and len(columns) > 1:
            raise FuzzsmoothError(f"the table has no column 'text'; it has {', '.join(map(str, columns))}")
        given = given[name]
    return list(given)
