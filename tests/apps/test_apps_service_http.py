"""What the service answers over HTTP in each protocol, and what it cannot understand."""

from __future__ import annotations

import json

import pytest
from serving import defended, running

from fuzzsmooth.apps.service.protocols.protocol import PROTOCOLS

GOOD, BAD = "a good fine film", "a bad dull film"
INFER = "/v2/models/fuzzsmooth/infer"


def tensor(*texts: str, **more: object) -> dict[str, object]:
    return {
        "inputs": [{"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": [*texts]}],
        **more,
    }


@pytest.fixture(scope="module")
def up():
    with running() as found:
        yield found


@pytest.fixture(scope="module")
def expected():
    return defended().defense


def test_plain_answers_are_those_of_certify_to_the_byte(up, expected):
    for certify, answers in ((True, expected.certify([GOOD, BAD])), (False, expected.predict([GOOD, BAD]))):
        body = up.post("/answer", {"texts": [GOOD, BAD], "certify": certify})
        assert body.status_code == 200
        told = body.json()["answers"]
        for one, answer in zip(told, answers, strict=True):
            scores = one.pop("scores")
            assert json.dumps(one) == json.dumps(answer.to_json())
            assert sum(scores.values()) == pytest.approx(1)
            assert max(scores, key=scores.get) == answer.label_name
        assert bool(told[0]["certificates"]) == certify
    assert up.post("/answer", {"text": GOOD}).json()["answers"][0]["label_name"] == "positive"
    assert body.headers["cache-control"] == "no-store"


def test_text_embeddings_inference(up):
    one = up.post("/predict", {"inputs": GOOD}).json()
    assert [set(entry) for entry in one] == [{"label", "score"}] * 2
    assert one[0]["label"] == "positive"
    assert one[0]["score"] >= one[1]["score"]
    assert up.post("/predict", {"inputs": [GOOD]}).json() == one
    batch = up.post("/predict", {"inputs": [[GOOD], [BAD]]}).json()
    assert [entry[0]["label"] for entry in batch] == ["positive", "negative"]
    pair = up.post("/predict", {"inputs": [GOOD, BAD]})  # a pair, not a batch
    assert (pair.status_code, pair.json()["error_type"]) == (422, "Validation")
    assert "pair" in pair.json()["error"]
    assert up.post("/predict", {"inputs": GOOD, "raw_scores": True}).status_code == 422
    assert up.client.get("/health").status_code == 200
    assert up.client.get("/info").json()["model_type"]["classifier"]["id2label"]["1"] == "positive"


def test_an_abstention_is_never_a_class():
    with running(defended(rate=0.5)) as up:
        body = up.post("/predict", {"inputs": [["a good dull film"], [GOOD]]}).json()
        assert body[0] == [{"label": "ABSTAIN", "score": 0.0}]
        infer = up.post(INFER, tensor("a good dull film", outputs=[{"name": "label"}, {"name": "radius"}]))
        assert [one["data"] for one in infer.json()["outputs"]] == [[""], [-1]]
        assert up.metric('fuzzsmooth_texts_total{kind="predict",status="abstain"}') == 1
        assert 0 < up.metric("fuzzsmooth_share_abstained") < 1


def test_kserve_v1(up, expected):
    path = "/v1/models/fuzzsmooth:predict"
    told = up.post(path, {"instances": [GOOD, {"text": BAD}]}).json()["predictions"]
    assert [one["label"] for one in told] == ["positive", "negative"]
    assert "certificates" not in told[0]
    certified = up.post(path, {"instances": [GOOD], "parameters": {"certify": True}}).json()["predictions"]
    assert certified[0]["certificates"] == expected.certify([GOOD])[0].to_json()["certificates"]
    assert up.client.get("/v1/models/fuzzsmooth").json() == {"name": "fuzzsmooth", "ready": True}
    assert up.client.get("/v1/models").json() == {"models": ["fuzzsmooth"]}
    assert up.post(path, {"instances": []}).json() == {"predictions": []}


def test_open_inference(up, expected):
    certified = expected.certify([GOOD])[0]
    metadata = up.client.get("/v2/models/fuzzsmooth").json()
    assert [one["name"] for one in metadata["outputs"]] == ["label", "score", "certificate", "radius"]
    version = f"/v2/models/fuzzsmooth/versions/{metadata['versions'][0]}"
    assert up.client.get(f"{version}/ready").status_code == 200
    for path in (INFER, f"{version}/infer"):
        body = up.post(path, tensor(GOOD, id="mine", outputs=[{"name": "radius"}, {"name": "certificate"}]))
        told = body.json()
        assert (told["id"], told["model_name"]) == ("mine", "fuzzsmooth")
        radius, certificate = told["outputs"]
        assert radius == {
            "name": "radius",
            "shape": [1],
            "datatype": "INT64",
            "data": [certified.certificates[0].radius],
        }
        assert json.loads(certificate["data"][0]) == certified.to_json()["certificates"]
    # All outputs are given where none is named, and no certificate is made unless it is asked for.
    plain = {one["name"]: one for one in up.post(INFER, tensor(GOOD, BAD)).json()["outputs"]}
    assert plain["label"]["data"] == ["positive", "negative"]
    assert (plain["score"]["shape"], len(plain["score"]["data"])) == ([2, 2], 4)
    assert (plain["radius"]["data"], plain["certificate"]["data"]) == ([-1, -1], ["[]", "[]"])
    asked = up.post(INFER, tensor(GOOD, parameters={"certify": True})).json()["outputs"]
    assert asked[-1]["data"] == [certified.certificates[0].radius]


def test_the_idiom_of_mlserver(up):
    body = {"inputs": [{"name": "args", "shape": [2, 1], "datatype": "BYTES", "data": [[GOOD], [BAD]]}]}
    assert up.post(INFER, body).json()["outputs"][0]["data"] == ["positive", "negative"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "'inputs'"),
        ({"inputs": []}, "'inputs'"),
        ({"inputs": [{"name": "other"}]}, "must be 'text'"),
        (tensor(GOOD) | {"outputs": [{"name": "logits"}]}, "no output 'logits'"),
        (tensor(GOOD) | {"outputs": "label"}, "'outputs'"),
        (tensor(GOOD) | {"parameters": {"certify": "yes"}}, "true or false"),
        ({"inputs": [{"name": "text", "shape": [1], "datatype": "FP32", "data": [1.0]}]}, "must be BYTES"),
        ({"inputs": [{"name": "text", "shape": [2], "datatype": "BYTES", "data": ["a"]}]}, "shape says 2"),
        ({"inputs": [{"name": "text", "shape": [1, 2], "datatype": "BYTES", "data": ["a"]}]}, "[n, 1]"),
        ({"inputs": [{"name": "text", "shape": "1", "datatype": "BYTES", "data": ["a"]}]}, "'shape'"),
        ({"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [1]}]}, "holds a number"),
    ],
)
def test_bad_tensors_are_told_in_a_sentence(up, body, said):
    answer = up.post(INFER, body)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert said in answer.json()["error"]


def packed(head: dict[str, object], raw: bytes, length: object = None) -> tuple[bytes, dict[str, str]]:
    text = json.dumps(head).encode()
    size = len(text) if length is None else length
    return text + raw, {
        "Inference-Header-Content-Length": str(size),
        "Content-Type": "application/octet-stream",
    }


@pytest.mark.parametrize(
    ("raw", "size", "length", "said"),
    [
        (b"\x03\x00\x00\x00abc", 7, None, ""),
        (b"\x03\x00\x00\x00abc", 8, None, "binary_data_size"),
        (b"\x03\x00\x00\x00abc", "7", None, "binary_data_size"),
        (b"\x04\x00\x00\x00abc", 7, None, "within a text"),
        (b"\x03\x00", 2, None, "within a length"),
        (b"\x01\x00\x00\x00\xff", 5, None, "not UTF-8"),
        (b"\x00\x00\x00\x00" * 2, 8, None, "shape says 1"),
        (b"\x03\x00\x00\x00abc", 7, 10_000, "Inference-Header-Content-Length"),
        (b"\x03\x00\x00\x00abc", 7, -1, "Inference-Header-Content-Length"),
        (b"\x03\x00\x00\x00abc", 7, 5, "not JSON"),
    ],
)
def test_packed_tensors_and_what_may_be_wrong_with_them(up, raw, size, length, said):
    about = {"name": "text", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": size}}
    content, headers = packed({"inputs": [about]}, raw, length)
    answer = up.client.post(INFER, content=content, headers=headers)
    assert answer.status_code == (400 if said else 200), answer.text
    assert not said or said in answer.json()["error"]


@pytest.mark.parametrize("path", ["/answer", "/predict", "/v1/models/fuzzsmooth:predict", INFER])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b'{"text": NaN}',
        b'{"text": "\\ud800"}',
        b"[" * 100_000,
        b'{"text": 1e999, "inputs": 1, "instances": 1}',
        b'{"texts": [], "inputs": [[]], "instances": [1]}',
        b'{"text": ["a"], "inputs": [["a", 1]], "instances": [{"text": 1}]}',
    ],
)
def test_a_malformed_body_is_no_fault_of_ours(up, path, content):
    answer = up.client.post(path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_other_models_paths_and_methods(up):
    for path in ("/v2/models/bert/infer", "/v2/models/fuzzsmooth/versions/1/infer"):
        answer = up.post(path, tensor(GOOD))
        assert answer.status_code == 404
        assert up.service.name in answer.json()["error"] or up.service.version in answer.json()["error"]
    assert up.client.get("/nothing").json() == {"error": "there is no such path; see /openapi.json"}
    assert up.client.get("/answer").status_code == 405
    assert up.client.get("/answer").headers["allow"] == "POST"
    unknown = up.post("/answer", {"text": GOOD, "certfy": True}).json()["error"]
    assert "did you mean 'certify'" in unknown


def test_every_protocol_is_registered_and_described(up):
    assert list(PROTOCOLS.all()) == [
        "kserve-v1",
        "open-inference",
        "plain",
        "prometheus",
        "text-embeddings-inference",
    ]
    described = up.client.get("/openapi.json").json()["paths"]
    routes = [route.path for kind in PROTOCOLS.all().values() for route in kind(up.service).routes()]
    assert set(described) == set(routes)


def test_mistakes_in_tensors_are_told(up):
    text = tensor("a good film")
    for wrong in ([], {}, 5, None):
        answer = up.post(INFER, {**text, "outputs": [{"name": wrong}]})
        assert (answer.status_code, "there is no output" in answer.text) == (400, True)
    named = {**text, "inputs": [{**text["inputs"][0], "name": {}}]}
    assert up.post(INFER, named).status_code == 400
    for more in ({}, {"parameters": {"binary_data_output": True}}):
        body = json.dumps({**text, **more, "id": "\ud800"})
        answer = up.client.post(INFER, content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, "half of a surrogate pair" in answer.text) == (400, True)
