"""Signatures of folders: of all files, of one key, and checked before anything is read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError, UnsafeModelError
from fuzzsmooth.jobs.loading import Loading
from fuzzsmooth.models import build_tiny
from fuzzsmooth.models.signatures import MODEL_SIGNATURE, check_key, sign_folder, verify_folder


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two key pairs of P-256, one of a curve that Sigstore does not know."""
    pytest.importorskip("model_signing")
    pytest.importorskip("OpenSSL")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = tmp_path_factory.mktemp("keys")
    for name, curve in (("mine", ec.SECP256R1()), ("other", ec.SECP256R1()), ("odd", ec.SECP256K1())):
        private = ec.generate_private_key(curve)
        (folder / f"{name}.pem").write_bytes(
            private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        (folder / f"{name}.pub").write_bytes(
            private.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
    return folder


@pytest.fixture
def signed(keys: Path, tmp_path: Path) -> Path:
    folder = build_tiny("bert", tmp_path / "tiny", vocabulary=["good", "bad"], hidden=16)
    sign_folder(folder, keys / "mine.pem", MODEL_SIGNATURE)
    return folder


def load(model: Path | str, key: Path) -> Any:
    return Loading(require_signature=str(key)).load(str(model))


def test_a_signed_model_is_loaded_and_its_signature_is_not_part_of_it(signed: Path, keys: Path) -> None:
    assert load(signed, keys / "mine.pub").labels == ("LABEL_0", "LABEL_1")
    sign_folder(signed, keys / "mine.pem", MODEL_SIGNATURE)  # again, over itself
    verify_folder(signed, keys / "mine.pub", MODEL_SIGNATURE)


def test_the_tool_of_the_format_checks_it_as_well(signed: Path, keys: Path) -> None:
    verifying = pytest.importorskip("model_signing.verifying")
    config = verifying.Config().use_elliptic_key_verifier(public_key=keys / "mine.pub")
    config.verify(signed, signed / MODEL_SIGNATURE)


def changed(folder: Path) -> None:
    file = folder / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))


def added(folder: Path) -> None:
    (folder / "adapter_model.safetensors").write_bytes(b"x")


def removed(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def damaged(folder: Path) -> None:
    (folder / MODEL_SIGNATURE).write_text("{}", encoding="utf-8")


@pytest.mark.parametrize("change", [changed, added, removed, damaged])
def test_any_change_is_refused_before_anything_is_read(
    change: Any, signed: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(signed)
    monkeypatch.setattr("fuzzsmooth.models.load_classifier", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(UnsafeModelError, match=r"is not what the owner of mine.pub has signed"):
        load(signed, keys / "mine.pub")


def test_what_was_changed_is_named(signed: Path, keys: Path) -> None:
    changed(signed)
    with pytest.raises(UnsafeModelError, match=r"model\.safetensors"):
        load(signed, keys / "mine.pub")


def test_another_key_no_signature_and_no_folder(signed: Path, keys: Path) -> None:
    with pytest.raises(UnsafeModelError, match=r"is not what the owner of other\.pub has signed"):
        load(signed, keys / "other.pub")
    with pytest.raises(FuzzsmoothError, match="is checked in its folder, and builtin:minilm is none"):
        load("builtin:minilm", keys / "mine.pub")
    (signed / MODEL_SIGNATURE).unlink()
    with pytest.raises(UnsafeModelError, match=r"has no signature model\.sig"):
        load(signed, keys / "mine.pub")


def test_what_is_no_key_is_told_before_work(keys: Path, tmp_path: Path) -> None:
    text = tmp_path / "key.pem"
    text.write_text("no key", encoding="utf-8")
    for key in (text, keys / "mine.pub", keys / "odd.pem"):
        with pytest.raises(FuzzsmoothError, match="is no private key of P-256"):
            check_key(key, private=True)
    with pytest.raises(FuzzsmoothError, match="there is no public key"):
        check_key(tmp_path / "none.pub", private=False)


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "model_signing", None)
    with pytest.raises(MissingExtraError, match=r"fuzzsmooth\[sign\]"):
        check_key(tmp_path / "key.pem", private=True)


def test_what_is_signed_from_its_parent_folder_verifies(
    keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As "--out NAME" is given, and from anywhere else then."""
    build_tiny("bert", tmp_path / "tiny", vocabulary=["good", "bad"], hidden=16)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny" / "cache.npz").write_bytes(b"kept")
    sign_folder(Path("tiny"), keys / "mine.pem", MODEL_SIGNATURE, ("cache.npz", "missing.npz"))
    verify_folder(Path("tiny"), keys / "mine.pub", MODEL_SIGNATURE)
    (tmp_path / "tiny" / "cache.npz").write_bytes(b"other")
    monkeypatch.chdir("/")
    verify_folder(tmp_path / "tiny", keys / "mine.pub", MODEL_SIGNATURE)


def test_an_adapter_has_no_signature_that_covers_its_base(keys: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}", encoding="utf-8")
    sign_folder(adapter, keys / "mine.pem", MODEL_SIGNATURE)
    with pytest.raises(FuzzsmoothError, match="whose signature says nothing of the model that it changes"):
        load(adapter, keys / "mine.pub")
