"""Signatures of folders, by OpenSSF model-signing with a key of an elliptic curve; no network is asked.

A signature is over the SHA-256 of every file of a folder, in the format of Sigstore bundles, so that
``model_signing verify key`` checks it as well. What it says is who signed these bytes, not what they do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fuzzsmooth.common.errors import MissingExtraError, UnsafeModelError
from fuzzsmooth.common.options import require
from fuzzsmooth.models.adapter import is_adapter
from fuzzsmooth.models.sources import resolve_model

MODEL_SIGNATURE = "model.sig"
"""The signature of a model, inside of its folder."""
_MAKE = "make one with: openssl ecparam -genkey -name prime256v1 -noout -out key.pem"


def check_key(key: Path, *, private: bool) -> None:
    """Refuse a file that is no key, before any work is done.

    Args:
        key: A PEM file.
        private: Whether it must be one that signs.

    Raises:
        MissingExtraError: If model-signing is not installed.
        FuzzsmoothError: If the file is missing or no key of P-256, P-384 or P-521.
    """
    _configured(key, private=private)


def sign_folder(folder: Path, key: Path, signature: str, ignored: Sequence[str] = ()) -> Path:
    """Sign all files of a folder.

    Args:
        folder: The folder.
        key: A private key, PEM, without a password.
        signature: Name of the signature's file in the folder.
        ignored: Names of files that are left out, such as caches.

    Returns:
        The signature's file.

    Raises:
        MissingExtraError: If model-signing is not installed.
        FuzzsmoothError: If the key cannot sign, or the folder cannot be read or written.
    """
    from fuzzsmooth.models.building import explained  # it imports torch

    config, hashing = _configured(key, private=True), _hashing()
    target = folder / signature
    left_out = [Path(signature), *(Path(name) for name in ignored if (folder / name).exists())]
    with explained(f"{folder} cannot be signed"):
        hashed = hashing.Config().set_ignored_paths(paths=left_out, ignore_git_paths=True)
        config.set_hashing_config(hashed).sign(folder, target)
    return target


def sign_model(folder: Path, key: str | Path | None) -> None:
    """Sign the folder of a model, if there is a key.

    Raises:
        FuzzsmoothError: As :func:`sign_folder`.
    """
    if key is not None:
        sign_folder(folder, Path(key), MODEL_SIGNATURE)


def verify_folder(folder: Path, key: Path, signature: str) -> None:
    """Check that a folder holds what was signed, no more and no less.

    Args:
        folder: The folder.
        key: The public key, PEM, that belongs to the one that signed.
        signature: Name of the signature's file in the folder.

    Raises:
        MissingExtraError: If model-signing is not installed.
        FuzzsmoothError: If there is no key.
        UnsafeModelError: If there is no signature, it is of another key, or a file was changed.
    """
    from fuzzsmooth.models.building import explained

    config = _configured(key, private=False)
    file = folder / signature
    if not file.is_file():
        raise UnsafeModelError(
            f"{folder} has no signature {signature}; sign it (model_signing sign key), or do not require one"
        )
    try:
        with explained("refused"):
            config.verify(folder, file)
    except ValueError as error:
        reason = str(error).removeprefix("refused (").removesuffix(")")
        raise UnsafeModelError(
            f"{folder} is not what the owner of {key.name} has signed ({reason or 'another key'}); fetch it "
            "again from its maker"
        ) from error


def verify_model(model: str, key: str | Path) -> None:
    """Check the signature of a model before it is read.

    Raises:
        FuzzsmoothError: If it is no local folder; and as :func:`verify_folder`.
    """
    source = resolve_model(model)
    require(
        source.kind == "folder",
        f"the signature of a model is checked in its folder, and {model} is none; download it first "
        "(hf download NAME --local-dir FOLDER)",
    )
    folder = Path(source.location)
    require(
        not is_adapter(folder),
        f"{folder} is an adapter, whose signature says nothing of the model that it changes; save both as "
        "one model (merge_and_unload), and have that signed",
    )
    verify_folder(folder, Path(key), MODEL_SIGNATURE)


def _configured(key: Path, *, private: bool) -> Any:
    """A configuration of model-signing with a key."""
    _hashing()
    from model_signing import signing, verifying

    from fuzzsmooth.models.building import explained

    kind = "private" if private else "public"
    require(key.is_file(), f"there is no {kind} key {key}; {_MAKE}")
    with explained(f"{key} is no {kind} key of P-256, P-384 or P-521 in PEM; {_MAKE}"):
        if private:
            return signing.Config().use_elliptic_key_signer(private_key=key)
        return verifying.Config().use_elliptic_key_verifier(public_key=key)


def _hashing() -> Any:
    try:
        import OpenSSL  # noqa: F401  # model-signing needs it without saying so
        from model_signing import hashing
    except ImportError as error:
        raise MissingExtraError("model-signing with pyOpenSSL", "sign", "a signature") from error
    return hashing
