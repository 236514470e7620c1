"""Model folders of strangers: tiny sound ones of several kinds, with one to three things changed in them."""

from __future__ import annotations

import functools
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hostile_tokenizers import rewritten
from hostile_weights import edit_weights
from hypothesis import strategies as st
from safetensors import SafetensorError
from sound_tokenizers import ROWS, SPECIAL, sound_tokenizer

from fuzzsmooth.models import build_tiny
from hostile_inputs import ODD, damaged, damaged_bytes, pick

Files = dict[str, "bytes | str | None"]
"""Name to content; a string is the target of a link, None a folder of that name."""

CANARY = "@@CANARY@@"  # stands for a path that code of the folder would write to
_MARK = "@@ODD@@"

# A kind of model with a kind of tokenizer.
BASES = ("bert/WordLevel", "bert/WordPiece", "roberta/BPE", "llama/WordLevel", "distilbert/Unigram")
_NAMES = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
_NAMES_OF_DECODERS = {"unk_token": "[UNK]", "bos_token": "[CLS]", "eos_token": "[SEP]"}


@functools.cache
def _base(name: str) -> dict[str, bytes]:
    architecture, kind = name.split("/")
    with TemporaryDirectory() as folder:
        words = [f"w{number}" for number in range(ROWS)]
        build_tiny(architecture, folder, vocabulary=words, hidden=8, layers=1)  # type: ignore[arg-type]
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    files["tokenizer.json"] = _json(sound_tokenizer(kind))
    settings = json.loads(files["tokenizer_config.json"])
    names = _NAMES_OF_DECODERS if architecture == "llama" else _NAMES
    kept = {key: value for key, value in settings.items() if not key.endswith("_token")}
    files["tokenizer_config.json"] = _json(kept | names)
    files["fuzzsmooth.json"] = _json({"max_length": 32})
    return files


def base(name: str) -> Files:
    """The files of a sound model."""
    return dict(_base(name))


def write(files: Files, folder: Path, canary: Path) -> None:
    """Put the files into a new folder."""
    folder.mkdir()
    for name, content in files.items():
        if content is None:
            (folder / name).mkdir()
        elif isinstance(content, str):
            os.symlink(content, folder / name)
        else:
            (folder / name).write_bytes(content.replace(CANARY.encode(), str(canary).encode()))


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _with(document: dict[str, Any], key: str, text: str) -> bytes:
    """The document as JSON, with the JSON text of a value, which need not be any."""
    return json.dumps({**document, key: _MARK}).replace(f'"{_MARK}"', text, 1).encode()


_NUMBERS = (
    *("0", "1", "2", "3", "-1", "7", "8", "129", "4096", "65536", "1000000", "1e9", "0.1", "null", "true"),
    '"8"',
)
_AUTO_MAP = json.dumps({"AutoConfig": "evil.Evil", "AutoModelForSequenceClassification": "evil.Evil"})


def _odd_values() -> dict[str, dict[str, tuple[str, ...]]]:
    """JSON texts by file and key."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for line in Path(__file__).with_name("hostile_values.txt").read_text("utf-8").splitlines()[1:]:
        if line.startswith("["):
            keys = found[line[1:-1]] = {}
            continue
        key, _, texts = line.partition(": ")
        keys[key] = tuple(
            one for text in texts.split(" | ") for one in (_NUMBERS if text == "*" else (text,))
        )
    return found


_ODD_VALUES = _odd_values()


def _edit_config(draw: st.DrawFn, files: Files) -> None:
    document, odd = json.loads(_bytes(files, "config.json")), _ODD_VALUES["config.json"]
    how = pick(draw, "any", "odd", "known", "present")
    if how == "any":
        files["config.json"] = draw(damaged(document))
        return
    key = pick(draw, *(sorted(set(odd) & set(document)) if how == "present" else sorted(odd)))
    files["config.json"] = _with(document, key, pick(draw, *(ODD if how == "odd" else odd[key])))


def _edit_rules(draw: st.DrawFn, files: Files) -> None:
    document = json.loads(_bytes(files, "tokenizer.json"))
    how = pick(draw, "any", "both", "rules", "rules", "rules")
    if how != "any":
        document = draw(rewritten(document))
    files["tokenizer.json"] = _json(document) if how == "rules" else draw(damaged(document))


def _edit_settings(draw: st.DrawFn, files: Files) -> None:
    document, odd = json.loads(_bytes(files, "tokenizer_config.json")), _ODD_VALUES["tokenizer_config.json"]
    how = pick(draw, "any", "beside", "odd", "known", "known", "known")
    if how == "any":
        files["tokenizer_config.json"] = draw(damaged(document))
    elif how == "beside":
        name, sound = pick(
            draw, ("special_tokens_map.json", _NAMES), ("added_tokens.json", {"new": 5, "z": 399})
        )
        files[name] = draw(_sound_or_damaged(sound))
    else:
        key = pick(draw, *sorted(odd))
        files["tokenizer_config.json"] = _with(
            document, key, pick(draw, *(ODD if how == "odd" else odd[key]))
        )


def _sound_or_damaged(document: Any) -> st.SearchStrategy[bytes]:
    return st.one_of(st.just(_json(document)), damaged(document))


_REFERENCES = {
    "version": 4,
    "model": "ab" * 32,
    "references": [{"text": "a good film", "label": 1}, {"text": "bad", "label": 0}],
    "ordinary": [
        {"single": [0.5], "several": [1.0], "in_context": [0.0], "in_context_several": [0.1]},
        {"single": [0.0], "several": [0.5], "in_context": [], "in_context_several": []},
    ],
    "names": ["LABEL_0", "LABEL_1"],
    "witness": {
        "encoder": "builtin:minilm",
        "fingerprint": "ab" * 32,
        "weights": [[0.5, -0.5], [-0.5, 0.5]],
        "bias": [0.0, 0.1],
        "confidence": 0.9,
        "words": ["good", "bad"],
    },
}
_OPTIONS = {"version": 1, "options": {"defense": "deletion", "sigma": 0.0, "fuzzing": False}}
_EVIL = f"""open("{CANARY}", "w").write("ran")
class Evil:
    pass
""".encode()
_PICKLE = f"""cbuiltins\nexec\n(S'open("{CANARY}", "w")'\ntR.""".encode()


_EXTRA = [
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "adapter_config.json",
    "adapter_model.safetensors",
    "generation_config.json",
    "preprocessor_config.json",
    "chat_template.jinja",
    "spiece.model",
    "tokenizer.model",
    "tokenizer_4.0.0.json",
    "config_4.0.0.json",
    "tekken.json",
    "quantize_config.json",
    "kernel_config.json",
    "dict.txt",
    "x.tiktoken",
    "tokenizer.model.v3",
]
_MODULES = [
    "evil.py",
    "tokenization_evil.py",
    "modeling_bert.py",
    "json.py",
    "torch.py",
    "__init__.py",
    "sitecustomize.py",
]
_PICKLES = (_PICKLE, pickle.dumps({"classifier.weight": 5}), pickle.dumps([]), b"", b"PK\x03\x04")


def _edit_folder(draw: st.DrawFn, files: Files) -> None:
    """Files that do not belong there, and whole files lost, exchanged or damaged."""
    edit = pick(draw, _edit_ours, _edit_ours, _add_code, _add_pickle, _add_file, _change_file, _change_file)
    edit(draw, files)


def _edit_ours(draw: st.DrawFn, files: Files) -> None:
    """What fuzzsmooth itself writes into a model's folder."""
    name, sound = pick(
        draw,
        ("fuzzsmooth.json", {"max_length": pick(draw, 0, 1, 2, 3, 5, 128, 10**9, None)}),
        ("fuzzsmooth-options.json", _OPTIONS),
        ("fuzzsmooth-references.json", _REFERENCES),
    )
    files[name] = draw(_sound_or_damaged(sound))


def _add_code(draw: st.DrawFn, files: Files) -> None:
    for name in draw(st.lists(st.sampled_from(_MODULES), min_size=1)):
        files[name] = _EVIL
    if draw(st.booleans()):
        name = pick(draw, "config.json", "tokenizer_config.json")
        files[name] = _with(json.loads(_bytes(files, name)), "auto_map", _AUTO_MAP)


def _add_pickle(draw: st.DrawFn, files: Files) -> None:
    files[pick(draw, "pytorch_model.bin", "pytorch_model.bin", "model.pt", "training_args.bin")] = pick(
        draw, *_PICKLES
    )
    if draw(st.booleans()):
        files.pop("model.safetensors", None)


def _add_file(draw: st.DrawFn, files: Files) -> None:
    vocabulary = "".join(f"{word}\n" for word in (*SPECIAL, "a", "film", "##m")).encode()
    contents = st.sampled_from((b"", b"{}", b"[UNK]\na\nfilm\n", vocabulary, vocabulary, b"[]", b"\xff"))
    files[pick(draw, *_EXTRA)] = draw(st.one_of(contents, damaged(_NAMES)))
    if draw(st.booleans()):
        files.pop("tokenizer.json", None)


def _change_file(draw: st.DrawFn, files: Files) -> None:
    name = pick(draw, *sorted(files))
    how = pick(draw, "lose", "damage", "exchange")
    if how == "lose":
        del files[name]
    elif how == "damage":
        files[name] = draw(damaged_bytes(_bytes(files, name)))
    else:
        files[name] = pick(draw, b"", b"null", b"[]", None, "/dev/zero", "/nonexistent", name, b" " * 2**21)


def _bytes(files: Files, name: str) -> bytes:
    content = files.get(name)
    return content if isinstance(content, bytes) else b"{}"


Edit = Callable[[st.DrawFn, Files], None]
EDITS: dict[str, Edit] = {
    "config": _edit_config,
    "rules": _edit_rules,
    "settings": _edit_settings,
    "weights": edit_weights,
    "folder": _edit_folder,
}


@st.composite
def model_folders(draw: st.DrawFn, *kinds: str) -> Files:
    """The files of a model in which something of one of these kinds was changed, once or twice."""
    files = base(pick(draw, *BASES))
    for _ in range(pick(draw, 1, 1, 2)):
        try:
            EDITS[pick(draw, *kinds)](draw, files)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError):
            break  # a second change finds nothing to change in what the first one left
    return files
