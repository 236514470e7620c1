"""Clients that others wrote: Triton's, and schemathesis against what the service says of itself."""

from __future__ import annotations

import json

import pytest
from serving import defended, running

GOOD, BAD = "a good fine film", "schlecht: a bad dull film 🎬"


@pytest.fixture(scope="module")
def up():
    with running(max_text=200, queue=16) as found:
        yield found


@pytest.fixture(scope="module")
def triton(up):
    http = pytest.importorskip("tritonclient.http", reason="tritonclient[http] comes with the extra 'dev'")
    client = http.InferenceServerClient(up.url.removeprefix("http://"))
    yield client
    client.close()


def texts(*texts, binary, shape=None):
    import numpy as np
    import tritonclient.http as http

    array = np.array([text.encode() for text in texts], dtype=object).reshape(shape or (len(texts),))
    tensor = http.InferInput("text", list(array.shape), "BYTES")
    if binary:
        tensor.set_data_from_numpy(array)  # packed, which is its default
    else:
        tensor.set_data_from_numpy(array, binary_data=False)
    return [tensor]


def test_triton_finds_the_model(up, triton):
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("fuzzsmooth")
    assert triton.is_model_ready("fuzzsmooth", up.service.version)
    assert not triton.is_model_ready("another")
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    metadata = triton.get_model_metadata("fuzzsmooth")
    assert metadata["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False, None])
@pytest.mark.parametrize("packing", [None, "gzip", "deflate"])
def test_triton_infers(up, triton, binary_in, binary_out, packing):
    import tritonclient.http as http

    names = ["label", "score", "certificate", "radius"]
    outputs = None  # it then asks for all outputs, packed
    if binary_out is not None:
        outputs = [http.InferRequestedOutput(name, binary_data=binary_out) for name in names]
    answer = triton.infer(
        "fuzzsmooth",
        texts(GOOD, BAD, binary=binary_in),
        outputs=outputs,
        request_id="mine",
        request_compression_algorithm=packing,
    )
    assert answer.get_response()["id"] == "mine"
    labels = [
        label.decode() if isinstance(label, bytes) else label for label in answer.as_numpy("label").tolist()
    ]
    expected = defended().defense
    certified = expected.certify([GOOD, BAD]) if outputs else expected.predict([GOOD, BAD])
    assert labels == [one.label_name for one in certified] == ["positive", "negative"]
    scores = answer.as_numpy("score")
    assert (scores.dtype, scores.shape) == ("float32", (2, 2))
    assert scores.argmax(axis=1).tolist() == [1, 0]
    radii = [one.certificates[0].radius if outputs else -1 for one in certified]
    assert answer.as_numpy("radius").tolist() == radii
    told = [json.loads(one) for one in answer.as_numpy("certificate")]
    assert told == [one.to_json()["certificates"] for one in certified]


def test_triton_is_told_what_is_wrong(triton):
    import tritonclient.http as http
    from tritonclient.utils import InferenceServerException

    with pytest.raises(InferenceServerException, match="there is no model 'another'"):
        triton.infer("another", texts(GOOD, binary=True))
    with pytest.raises(InferenceServerException, match="no output 'logits'"):
        triton.infer("fuzzsmooth", texts(GOOD, binary=True), outputs=[http.InferRequestedOutput("logits")])
    with pytest.raises(InferenceServerException, match=r"must be \[n\] or \[n, 1\]"):
        triton.infer("fuzzsmooth", texts(GOOD, BAD, binary=True, shape=(1, 2)))
    with pytest.raises(InferenceServerException, match="201 characters"):
        triton.infer("fuzzsmooth", texts("a" * 201, binary=True))


# JSON schemas cannot say that a shape must fit its data.
UNSAID = "infer"


def tried(operation, mode, unsaid) -> set[int]:
    """The statuses of requests made for an operation, each of them checked."""
    from hypothesis import HealthCheck, Phase, given, settings

    statuses = set()

    @settings(
        max_examples=12 if operation.method == "post" else 1,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def check(case):
        answer = case.call()
        statuses.add(answer.status_code)
        case.validate_response(answer, excluded_checks=unsaid)

    check()
    return statuses


@pytest.mark.parametrize("valid", [True, False])
def test_what_the_service_says_of_itself_is_true(up, valid):
    """Requests made from the OpenAPI document: valid ones are answered, all others are refused as it says."""
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis comes with the extra 'dev'")
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    # It does not know that what is too long gets 413.
    known = {"checks": {"negative_data_rejection": {"expected-statuses": ["4xx"]}}}
    config = schemathesis.Config.from_dict(known)
    schema = schemathesis.openapi.from_url(f"{up.url}/openapi.json", config=config)
    mode = schemathesis.GenerationMode.POSITIVE if valid else schemathesis.GenerationMode.NEGATIVE
    asked: dict[str, set[int]] = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        if valid or operation.method == "post":
            unsaid = [positive_data_acceptance] if operation.path.endswith(UNSAID) else []
            asked[operation.label] = tried(operation, mode, unsaid)
    assert set(asked) == {
        f"{method.upper()} {path}"
        for path, methods in up.client.get("/openapi.json").json()["paths"].items()
        for method in methods
        if valid or method == "post"
    }
    assert not any(status >= 500 for statuses in asked.values() for status in statuses)
    if valid:
        assert all(200 in statuses for label, statuses in asked.items() if not label.endswith(UNSAID))
    else:
        assert all(min(statuses) >= 400 for statuses in asked.values()), asked
