"""A protected model on a hub: what may be uploaded, checked file by file, and one commit.

A folder is uploaded by a list of what belongs to a model, never by what lies in it: whatever is unknown is
refused, and so is whatever could run code where it is loaded. References are texts of the user's data, and a
hub model's are never used (:mod:`fuzzsmooth.defenses.saved`); they stay here unless asked for.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzzsmooth.common.errors import FuzzsmoothError, UnsafeModelError, is_fault
from fuzzsmooth.common.options import require
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.common.reading import CONFIGURATION_BYTES, read_json_object
from fuzzsmooth.defenses import DEFENSES, REFERENCES_FILE, Defense
from fuzzsmooth.defenses.saved import OPTIONS_FILE, saved_defense
from fuzzsmooth.jobs.model_card import plain_card
from fuzzsmooth.jobs.protect import CARD, REPORT
from fuzzsmooth.models.configuration import PICKLE_SUFFIXES, check_configuration
from fuzzsmooth.models.saving import FITTED_FOLDER, MARKER
from fuzzsmooth.models.signatures import MODEL_SIGNATURE

if TYPE_CHECKING:
    import os

_WEIGHTS = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")
_MODEL = frozenset(
    {
        "config.json",
        "generation_config.json",
        "model.safetensors.index.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "vocab.txt",
        "merges.txt",
        "spiece.model",
        "tokenizer.model",
        "sentencepiece.bpe.model",
        "chat_template.jinja",
        "training.json",
        MARKER,
        OPTIONS_FILE,
        REPORT,
        CARD,
    }
)
# What a download leaves in a folder, which belongs to no model.
_LEFT_BY_HUBS = frozenset({".gitattributes", ".cache"})
_CODE = (
    *PICKLE_SUFFIXES,
    ".py",
    ".pyc",
    ".so",
    ".dll",
    ".sh",
    ".h5",
    ".keras",
    ".joblib",
    ".npy",
    ".npz",
    ".ipynb",
)


def push_to_hub(
    model: str | os.PathLike[str] | Defense,
    repo_id: str,
    *,
    private: bool = True,
    texts: bool = False,
    message: str = "Upload a model protected by fuzzsmooth",
    revision: str | None = None,
    token: str | None = None,
    endpoint: str | None = None,
) -> str:
    """Upload a protected model, in one commit, after every file of it was checked.

    Args:
        model: A folder that ``fuzzsmooth protect`` or ``save_pretrained`` has written, or a defense.
        repo_id: Where to, as in ``user/name``; made if it is not there.
        private: Whether a new repository is private.
        texts: Whether texts of your data go along: the references, and what a defense has noted of them.
        message: Message of the commit.
        revision: Branch; the main one by default.
        token: Token of the hub; by default the one that ``hf auth login`` has kept.
        endpoint: Address of the hub; by default that of ``HF_ENDPOINT``, else the public one.

    Returns:
        The address of the commit.

    Raises:
        UnsafeModelError: If something in the folder could run code.
        FuzzsmoothError: If the folder is none, holds what belongs to no model, or the hub refuses.
    """
    if isinstance(model, Defense):
        with tempfile.TemporaryDirectory(prefix="fuzzsmooth-") as place:
            folder = model.save_pretrained(Path(place) / repo_id.rpartition("/")[2])
            return push_to_hub(
                folder,
                repo_id,
                private=private,
                texts=texts,
                message=message,
                revision=revision,
                token=token,
                endpoint=endpoint,
            )
    folder = Path(model).expanduser()
    files = checked_files(folder, texts=texts)
    card = None if CARD in files else folder_card(folder, repo_id.rpartition("/")[2])
    return _commit(folder, files, card, repo_id, private, message, revision, token, endpoint)


def checked_files(folder: Path, *, texts: bool = False) -> list[str]:
    """The files of a model folder that may be uploaded, by path inside it, sorted.

    A signature stays here: it is over the whole folder, to which a hub adds files of its own.

    Args:
        folder: The folder.
        texts: Whether those that hold texts of the user's data are among them.

    Raises:
        UnsafeModelError: If something could run code where it is loaded.
        FuzzsmoothError: If it is no folder of a saved model, or holds what belongs to none.
    """
    require(folder.is_dir(), f"there is no folder {folder}; give one that fuzzsmooth has saved a model in")
    require(
        (folder / MARKER).is_file(),
        f"{folder} was not saved by fuzzsmooth (it has no {MARKER}); save it with save_pretrained first",
    )
    check_configuration(folder)
    if read_json_object(folder / "config.json", limit=CONFIGURATION_BYTES, mend="save it anew").get(
        "custom_pipelines"
    ):
        raise UnsafeModelError(
            f"{folder}/config.json names a pipeline of its own, which runs code where it is loaded; remove "
            "'custom_pipelines' from it"
        )
    chosen = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        left = inside.parts[0] in _LEFT_BY_HUBS or inside.as_posix() == MODEL_SIGNATURE
        if left or (path.is_dir() and not path.is_symlink()):
            continue
        _check_file(path, inside)
        if texts or not _holds_texts(inside):
            chosen.append(inside.as_posix())
    require(any(_WEIGHTS.fullmatch(name) for name in chosen), f"{folder} has no weights; save it anew")
    return chosen


def _check_file(path: Path, inside: Path) -> None:
    """Refuse a file that could run code, leads elsewhere, or belongs to no model."""
    shown = short_name(inside.as_posix())
    if path.is_symlink():
        raise UnsafeModelError(f"{shown} is a link, which may lead anywhere; put the file in its place")
    if path.suffix.lower() in _CODE:
        raise UnsafeModelError(
            f"{shown} could run code where it is loaded, and is not uploaded; remove it from the folder"
        )
    fitted = inside.parts[0] == FITTED_FOLDER and path.suffix in (".safetensors", ".json")
    plain = len(inside.parts) == 1 and (inside.name in _MODEL or _WEIGHTS.fullmatch(inside.name) is not None)
    require(
        fitted or plain or _holds_texts(inside),
        f"{shown} belongs to no model, and nothing unknown is uploaded; move it out of the folder",
    )
    if path.suffix == ".safetensors":
        _check_tensors(path)


def _holds_texts(inside: Path) -> bool:
    """Whether it is the references, or what a defense has noted while it made the model."""
    return len(inside.parts) == 1 and (
        inside.name == REFERENCES_FILE or inside.name in {f"{name}.json" for name in DEFENSES.all()}
    )


def _check_tensors(path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np") as opened:
            opened.keys()
    except (SafetensorError, OSError) as error:
        raise UnsafeModelError(
            f"{path.name} is called safetensors and is none; save the model anew"
        ) from error


def folder_card(folder: Path, name: str) -> str:
    """A card for a folder that was saved without having been measured."""
    saved = saved_defense(str(folder))
    kind = DEFENSES.get("undefended") if saved is None else DEFENSES.get(saved.defense)
    config = read_json_object(folder / "config.json", limit=CONFIGURATION_BYTES, mend="save it anew")
    labels: Any = config.get("id2label") or {}
    options = {} if saved is None else saved.options.to_mapping()
    return plain_card(kind, options, [str(one) for one in labels.values()], name)


def _commit(
    folder: Path,
    files: Sequence[str],
    card: str | None,
    repo_id: str,
    private: bool,
    message: str,
    revision: str | None,
    token: str | None,
    endpoint: str | None,
) -> str:
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    api = HfApi(endpoint=endpoint, token=token, library_name="fuzzsmooth")
    operations = [CommitOperationAdd(name, str(folder / name)) for name in files]
    if card is not None:
        operations.append(CommitOperationAdd(CARD, card.encode()))
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        made = api.create_commit(repo_id, operations, commit_message=message, revision=revision)
    except HFValidationError as error:
        raise FuzzsmoothError(
            f"{repo_id!r} is no name of a repository; give one such as user/name"
        ) from error
    except HfHubHTTPError as error:
        raise FuzzsmoothError(
            f"the hub refused {repo_id} ({_first_line(error)}); check the name, log in with 'hf auth login'"
        ) from error
    except Exception as error:  # every way a network fails: which library speaks HTTP differs by version
        if not is_fault(error):
            raise
        raise FuzzsmoothError(
            f"{repo_id} could not be uploaded ({type(error).__name__}: {_first_line(error)}); nothing was "
            "changed there; try again"
        ) from error
    return str(made.commit_url)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
