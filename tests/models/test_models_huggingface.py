"""The Hugging Face adapter: a function of one text, whatever the batch, on four architectures."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import ARCHITECTURES, ODD_TEXTS, WORDS, random_texts

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import Classifier, build_tiny, load_classifier, pad_rows
from fuzzsmooth.models.devices import choose_device, choose_precision, has_native_bfloat16
from fuzzsmooth.models.huggingface import softmax


@pytest.fixture(params=ARCHITECTURES)
def classifier(folders, request):
    return load_classifier(str(folders[request.param]))


def test_outputs_are_probabilities_that_tell_texts_apart(classifier):
    assert isinstance(classifier, Classifier)
    values = classifier.probabilities(random_texts(50))
    assert values.shape == (50, 3)
    assert values.dtype == np.float64
    np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-12)
    assert values.std(axis=0).max() > 0.01, "a tiny model should not be constant"


def test_batch_size_and_order_do_not_matter(classifier):
    texts = random_texts(40) + ODD_TEXTS
    expected = classifier.probabilities(texts)
    order = np.random.default_rng(1).permutation(len(texts))
    for batch_size in (1, 3, 64):
        classifier.batch_size = batch_size
        found = classifier.probabilities([texts[index] for index in order])
        np.testing.assert_allclose(found, expected[order], atol=1e-6)


def test_agrees_with_transformers_on_one_text_at_a_time(classifier):
    for text in random_texts(10):
        encoded = classifier.tokenizer(
            text, return_tensors="pt", truncation=True, max_length=classifier.max_length
        )
        encoded.pop("token_type_ids", None)
        with torch.inference_mode():
            expected = classifier.model(**encoded).logits.numpy()
        np.testing.assert_allclose(classifier.logits_of_texts([text]), expected, atol=1e-5)


def test_odd_texts(classifier):
    assert np.isfinite(classifier.probabilities(ODD_TEXTS)).all()
    assert classifier.probabilities([]).shape == (0, 3)
    assert classifier.encode([]).ids == []
    # A lone surrogate is read as the replacement character, a pair as its character.
    np.testing.assert_array_equal(classifier.encode(["\ud800"]).ids, classifier.encode(["\ufffd"]).ids)
    assert classifier.encode(["\ud83d\ude00"]).ids == classifier.encode(["😀"]).ids


def test_long_texts_are_cut_and_said(classifier):
    long, fits = "w5 " * 1000, "w5 " * 20
    assert classifier.truncated([long, fits, ""]) == [True, False, False]
    encoded = classifier.encode([long])
    assert len(encoded.ids[0]) == classifier.max_length == 128
    last = classifier.encode([fits]).ids[0][-1]
    assert encoded.ids[0][-1] == last, "the closing token is kept"
    exactly = "w5 " * (128 - classifier.tokenizer.num_special_tokens_to_add())
    assert classifier.truncated([exactly, exactly + "w5"]) == [False, True]


def test_the_longest_text_the_model_reads_is_evaluated(folders):
    for kind in ARCHITECTURES:
        loaded = load_classifier(str(folders[kind]), max_length=128)
        assert np.isfinite(loaded.logits_of_texts(["w5 " * 500])).all()
        with pytest.raises(FuzzsmoothError, match="reads at most 128 tokens"):
            load_classifier(str(folders[kind]), max_length=129)


def test_roberta_positions_start_after_the_padding_index(folders, tmp_path):
    folder = Path(shutil.copytree(folders["roberta"], tmp_path / "model"))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["model_max_length"] = int(1e30)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    loaded = load_classifier(str(folder))
    assert loaded.model.config.max_position_embeddings == 130
    assert loaded.max_length == 128
    assert np.isfinite(loaded.logits_of_texts(["w5 " * 500])).all()


def test_bad_lengths_and_batch_sizes(folders):
    with pytest.raises(FuzzsmoothError, match="at least 3"):
        load_classifier(str(folders["bert"]), max_length=2)
    with pytest.raises(FuzzsmoothError, match="batch_size is 0"):
        load_classifier(str(folders["bert"]), batch_size=0)


def test_texts_of_the_wrong_type(classifier):
    with pytest.raises(FuzzsmoothError, match="got one string"):
        classifier.probabilities("w1 w2")
    with pytest.raises(FuzzsmoothError, match=r"texts\[1\] is an object of type int"):
        classifier.probabilities(["w1", 7])


def test_a_tokenizer_written_in_python(tmp_path):
    from transformers import ByT5Tokenizer

    folder = build_tiny("bert", tmp_path / "bytes", vocabulary=[f"x{index}" for index in range(400)])
    (folder / "tokenizer.json").unlink()
    ByT5Tokenizer().save_pretrained(folder)
    loaded = load_classifier(str(folder), max_length=20)
    assert not loaded.tokenizer.is_fast
    assert loaded.truncated(["b" * 19, "b" * 20, ""]) == [False, True, False]
    assert np.isfinite(loaded.probabilities(ODD_TEXTS)).all()
    again = load_classifier(str(loaded.save(tmp_path / "saved")))
    assert again.fingerprint == loaded.fingerprint


def test_an_empty_text_without_special_tokens_gets_a_filler(folders, tmp_path):
    folder = Path(shutil.copytree(folders["llama"], tmp_path / "model"))
    rules = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(rules | {"post_processor": None}))
    loaded = load_classifier(str(folder))
    assert loaded.encode(["", "w1"]).ids == [[loaded.tokenizer.bos_token_id], [rules["model"]["vocab"]["w1"]]]
    assert np.isfinite(loaded.probabilities(["", "w1"])).all()


def test_half_precision_models_are_not_taken(classifier):
    with pytest.raises(FuzzsmoothError, match="not float32"):
        type(classifier)(classifier.model.half(), classifier.tokenizer, classifier.labels)


def test_llama_pads_with_its_end_token(folders):
    loaded = load_classifier(str(folders["llama"]))
    assert loaded.pad_id == loaded.tokenizer.eos_token_id == loaded.model.config.pad_token_id
    assert loaded.tokenizer.pad_token_id == loaded.pad_id


def test_equal_texts_are_evaluated_once_and_counted(classifier):
    classifier.forward_count = 0
    values = classifier.probabilities(["w1 w2", "w3", "w1 w2", "w1  w2"])
    assert classifier.forward_count == 2
    np.testing.assert_array_equal(values[0], values[2])
    np.testing.assert_array_equal(values[0], values[3])


def test_dropout_is_off_and_training_mode_restored(classifier):
    texts = random_texts(5)
    expected = classifier.probabilities(texts)
    classifier.model.train()
    classifier.model.get_input_embeddings().eval()
    np.testing.assert_array_equal(classifier.probabilities(texts), expected)
    assert classifier.model.training
    assert not classifier.model.get_input_embeddings().training


def test_training_changes_the_fingerprint_after_refresh(classifier):
    before = classifier.fingerprint
    assert len(before) == 64
    with torch.no_grad():
        next(classifier.model.parameters()).add_(0.1)
    classifier.refresh()
    assert classifier.fingerprint != before


def test_fingerprint_covers_labels_length_and_configuration(folders, tmp_path):
    folder = str(folders["bert"])
    names = {
        load_classifier(folder).fingerprint,
        load_classifier(folder, labels=["a", "b", "c"]).fingerprint,
        load_classifier(folder, max_length=64).fingerprint,
    }
    copied = Path(shutil.copytree(folder, tmp_path / "copy"))
    assert load_classifier(str(copied)).fingerprint in names
    settings = json.loads((copied / "config.json").read_text()) | {"layer_norm_eps": 0.1}
    (copied / "config.json").write_text(json.dumps(settings))
    names.add(load_classifier(str(copied)).fingerprint)
    assert len(names) == 4
    assert load_classifier(folder, batch_size=3, precision="bfloat16").fingerprint in names


def test_damage_during_training_is_reported(classifier):
    with torch.no_grad():
        next(classifier.model.parameters()).fill_(float("nan"))
    with pytest.raises(FuzzsmoothError, match="not finite"):
        classifier.probabilities(["w1"])


# --- number types and devices


def test_bfloat16_is_close_keeps_float32_weights_and_follows_training(classifier, folders):
    texts = random_texts(20)
    expected = classifier.probabilities(texts)
    classifier.precision = "bfloat16"
    found = classifier.probabilities(texts)
    assert 0 < abs(found - expected).max() < 0.1
    assert all(parameter.dtype == torch.float32 for parameter in classifier.model.parameters())
    with torch.no_grad():
        for parameter in classifier.model.parameters():
            parameter.mul_(0.5)
    classifier.refresh()
    assert abs(classifier.probabilities(texts) - found).max() > 0.01


def test_precision_and_device_choice():
    cpu = torch.device("cpu")
    assert choose_precision("auto", cpu) == ("bfloat16" if has_native_bfloat16(cpu) else "float32")
    assert choose_precision("float32", cpu) == "float32"
    assert not has_native_bfloat16(torch.device("meta"))
    with pytest.raises(FuzzsmoothError, match="precision is 'int8'"):
        choose_precision("int8", cpu)
    for name in ("toaster", "cuda:99", "", "meta"):
        with pytest.raises(FuzzsmoothError, match="there is no device"):
            choose_device(name)


def test_moving_to_a_device(classifier):
    expected = classifier.probabilities(["w1"])
    assert classifier.to("cpu") is classifier
    np.testing.assert_array_equal(classifier.probabilities(["w1"]), expected)


# --- helpers


def test_pad_rows():
    ids, mask = pad_rows([[5, 6, 7], [8]], pad_id=9)
    assert ids.tolist() == [[5, 6, 7], [8, 9, 9]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert pad_rows([[8]], pad_id=9, shortest=2)[0].tolist() == [[8, 9]]


def test_softmax_of_large_logits():
    values = softmax(np.array([[1000.0, 999.0], [-1000.0, 1000.0]], dtype=np.float32))
    np.testing.assert_allclose(values, [[1 / (1 + np.exp(-1)), 1 / (1 + np.e)], [0, 1]], atol=1e-15)


def test_tiny_models_are_reproducible_and_checked(folders, tmp_path):
    again = build_tiny("bert", tmp_path / "a", vocabulary=WORDS, num_labels=3)
    other = build_tiny("bert", tmp_path / "b", vocabulary=WORDS, num_labels=3, seed=1)
    prints = [load_classifier(str(path)).fingerprint for path in (folders["bert"], again, other)]
    assert prints[0] == prints[1] != prints[2]
    with pytest.raises(FuzzsmoothError, match="no tiny 'gpt9'"):
        build_tiny("gpt9", tmp_path / "c", vocabulary=WORDS)
    with pytest.raises(FuzzsmoothError, match="multiple of 4"):
        build_tiny("bert", tmp_path / "c", vocabulary=WORDS, hidden=30)


def test_importing_the_room_does_not_import_torch():
    script = (
        "import sys, fuzzsmooth.models as m\n"
        "m.resolve_model('some-name'); m.AdditiveClassifier({'a': 1.0}).probabilities(['a'])\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))\n"
        "m.load_classifier; print('torch' in sys.modules); print(set(m.__all__) - set(dir(m)))"
    )
    root = Path(__file__).resolve().parents[2]
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split("\n")[:3] == ["[]", "True", "set()"]


def test_every_public_name_is_there():
    import fuzzsmooth.models as room

    assert all(getattr(room, name) is not None for name in room.__all__)
    with pytest.raises(AttributeError):
        room.no_such_name  # noqa: B018
