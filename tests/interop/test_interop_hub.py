"""A protected model goes to a hub and comes back; what is not safe, or not of a model, stays here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fake_hub import SHA, fake_hub
from interop_model import TEXTS

import fuzzsmooth
from fuzzsmooth.apps.interop.hub import checked_files, folder_card
from fuzzsmooth.common.errors import FuzzsmoothError, UnsafeModelError


def run(script: str, hub: str, home: Path) -> subprocess.CompletedProcess[str]:
    """A script in a process of its own, whose hub is the one here: the client reads its address once."""
    environment = os.environ | {
        "HF_ENDPOINT": hub,
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(home),
        "HF_TOKEN": "t",
    }
    command = [sys.executable, "-c", f"import fuzzsmooth\n{script}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_a_model_goes_to_a_hub_and_comes_back_as_it_was(saved, tmp_path):
    (saved / ".cache").mkdir(exist_ok=True)
    with fake_hub() as hub:
        done = run(f"print(fuzzsmooth.push_to_hub({str(saved)!r}, 'user/mine'))", hub.url, tmp_path)
        assert done.stdout.strip() == f"{hub.url}/user/mine/commit/{SHA}", done.stderr
        assert [(one["name"], one["visibility"]) for one in hub.created] == [("mine", "private")]
        assert "fuzzsmooth" in hub.commits[0]["summary"]
        stored = hub.files["user/mine"]
        assert {name for name in stored if name != "README.md"} == set(checked_files(saved))
        assert all(stored[name] == (saved / name).read_bytes() for name in stored if name != "README.md")
        script = (
            "import json\n"
            "plain = fuzzsmooth.protect('user/mine', 'windows', reach=1, fuzzing=False)\n"
            f"print(json.dumps([one.to_json() for one in plain.certify({TEXTS!r})]))\n"
        )
        back = run(script, hub.url, tmp_path)
        assert back.returncode == 0, back.stderr
        here = fuzzsmooth.protect(saved).certify(TEXTS)
        assert json.loads(back.stdout) == json.loads(json.dumps([one.to_json() for one in here]))


def test_a_hub_that_refuses_or_is_away_is_told_in_one_sentence(saved, tmp_path):
    ask = (
        "from fuzzsmooth.common.errors import FuzzsmoothError\n"
        "try:\n"
        f"    fuzzsmooth.push_to_hub({str(saved)!r}, 'user/mine')\n"
        "except FuzzsmoothError as error:\n"
        "    print(error)\n"
        "try:\n"
        f"    fuzzsmooth.push_to_hub({str(saved)!r}, 'user/mine', endpoint='http://127.0.0.1:9')\n"
        "except FuzzsmoothError as error:\n"
        "    print(error)\n"
        "try:\n"
        f"    fuzzsmooth.push_to_hub({str(saved)!r}, 'no name/at all')\n"
        "except FuzzsmoothError as error:\n"
        "    print(error)\n"
    )
    with fake_hub() as hub:
        hub.refuse = True
        done = run(ask, hub.url, tmp_path)
        assert not hub.files
    refused, away, name = done.stdout.splitlines()
    assert refused.startswith("the hub refused user/mine")
    assert "user/mine could not be uploaded" in away
    assert "is no name of a repository" in name


def test_the_card_of_an_unmeasured_model_says_so_and_is_one(saved):
    from huggingface_hub import ModelCard

    read = ModelCard(folder_card(saved, "mine"))
    assert read.data.to_dict()["library_name"] == "fuzzsmooth"
    assert {"windows", "guarantee-proved"} <= set(read.data.tags)
    assert "was not measured" in read.text
    assert "`contiguous_insert`" in read.text


@pytest.fixture
def folder(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "mine"))


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "modeling_mine.py", "notes.PKL", "fuzzsmooth-fitted/a.pt"]
)
def test_what_could_run_code_is_refused(folder, name):
    checked_files(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"x")
    with pytest.raises(UnsafeModelError, match="could run code"):
        checked_files(folder)


def test_a_signature_stays_here(folder):
    """It is over the whole folder, to which a hub adds files of its own."""
    whole = checked_files(folder)
    (folder / "model.sig").write_text("signed", encoding="utf-8")
    assert checked_files(folder) == whole


def test_configurations_that_call_for_code_are_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    for more, said in (
        ({"auto_map": {"AutoModel": "evil.Model"}}, "auto_map"),
        ({"custom_pipelines": {"text-classification": {"impl": "evil.P"}}}, "custom_pipelines"),
    ):
        (folder / "config.json").write_text(json.dumps(config | more))
        with pytest.raises(UnsafeModelError, match=said):
            checked_files(folder)


def test_what_belongs_to_no_model_is_refused(folder):
    (folder / ".env").write_text("TOKEN=1")
    with pytest.raises(FuzzsmoothError, match=r"\.env belongs to no model"):
        checked_files(folder)
    (folder / ".env").unlink()
    (folder / "vocab.txt").symlink_to("/etc/hostname")
    with pytest.raises(UnsafeModelError, match="is a link"):
        checked_files(folder)
    (folder / "vocab.txt").unlink()
    (folder / "model.safetensors").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(UnsafeModelError, match="is called safetensors and is none"):
        checked_files(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(FuzzsmoothError, match="has no weights"):
        checked_files(folder)
    with pytest.raises(FuzzsmoothError, match="was not saved by fuzzsmooth"):
        checked_files(folder.parent)


def test_texts_of_the_user_stay_here_unless_asked_for(tiny, tmp_path):
    from fuzzsmooth.search import References

    model = fuzzsmooth.load_classifier(str(tiny))
    references = References(("a moving film", "dull"), (0, 1), model.fingerprint)
    defended = fuzzsmooth.protect(model, "deletion", references=references, rate=0.5)
    out = defended.save_pretrained(tmp_path / "with")
    assert "fuzzsmooth-references.json" in {path.name for path in out.iterdir()}
    assert "fuzzsmooth-references.json" not in checked_files(out)
    assert "fuzzsmooth-references.json" in checked_files(out, texts=True)
