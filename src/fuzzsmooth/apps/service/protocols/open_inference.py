"""Open Inference Protocol v2 (kserve/open-inference-protocol), with Triton's binary extension.

Input ``text`` (BYTES, [-1] or [-1, 1]; ``args``, as MLServer's clients name it, is taken too). Outputs
``label`` (BYTES [n], empty for no answer), ``score`` (FP32 [n, classes]: shares of the votes),
``certificate`` (BYTES [n]: a JSON list, each with its statement) and ``radius`` (INT64 [n]: of the main
certificate, rounded down; -1 without one).

A text is certified if ``certificate`` or ``radius`` is asked for by name, or with the parameter ``certify``.
Without either all outputs are given, but no certificate is made: that takes long.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from fuzzsmooth.apps.service.admission import check_unicode
from fuzzsmooth.apps.service.protocols.protocol import PROTOCOLS, Call, Protocol, Reply, Route, flag
from fuzzsmooth.apps.service.refusal import Refusal, malformed, unsupported
from fuzzsmooth.apps.service.tensors import DATATYPES, HEADER, packed, split, texts_of
from fuzzsmooth.common.version import VERSION
from fuzzsmooth.defenses import Answer

_INPUTS = ("text", "args")
_CERTIFIED = ("certificate", "radius")
_NONE = -1  # the radius of no certificate


@PROTOCOLS.register("open-inference")
class OpenInference(Protocol):
    """The Open Inference Protocol v2, as KServe, Triton and MLServer speak it."""

    def routes(self) -> Sequence[Route]:
        """See :meth:`.protocol.Protocol.routes`."""
        found = [
            Route("GET", "/v2", "About the server", self.server, _OBJECT, public=True),
            Route("GET", "/v2/health/live", "Whether it lives", self.live, _OBJECT, public=True),
            Route("GET", "/v2/health/ready", "Whether it is ready", self.ready, _OBJECT, public=True),
        ]
        for model in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
            found += [
                Route("GET", model, "Inputs and outputs of the model", self.metadata, _OBJECT),
                Route("GET", f"{model}/ready", "Whether it is ready", self.model_ready, _OBJECT, public=True),
                Route("POST", f"{model}/infer", "Answer texts", self.infer, _RESPONSE, self._reads()),
            ]
        return found

    async def server(self, _call: Call) -> Reply:
        """Name, version, extensions."""
        return Reply({"name": "fuzzsmooth", "version": VERSION, "extensions": ["binary_tensor_data"]})

    async def live(self, _call: Call) -> Reply:
        """503 where it cannot answer any more."""
        if not self.service.alive:
            raise Refusal(503, "dead", "the thread that answers has ended; start the service anew")
        return Reply({"live": True})

    async def ready(self, _call: Call) -> Reply:
        """503 where it is not ready."""
        if not self.service.ready:
            raise Refusal(503, "unready", "the server is not ready", retry_after=1)
        return Reply({"ready": True})

    async def model_ready(self, call: Call) -> Reply:
        """The same, for the model."""
        self.check_model(call)
        return Reply({"name": self.service.name, **(await self.ready(call)).content})

    async def metadata(self, call: Call) -> Reply:
        """Inputs and outputs."""
        self.check_model(call)
        classes = len(self.service.labels)
        return Reply(
            {
                "name": self.service.name,
                "versions": [self.service.version],
                "platform": f"fuzzsmooth_{self.service.defense.name}",
                "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
                "outputs": [
                    {"name": name, "datatype": datatype, "shape": [-1, classes] if name == "score" else [-1]}
                    for name, datatype in DATATYPES.items()
                ],
            }
        )

    async def infer(self, call: Call) -> Reply:
        """Answer the texts of the input tensor."""
        self.check_model(call)
        head, rest = split(call.body, call.headers.get(HEADER))
        body = call.object(head)
        parameters, named_so = _mapping(body, "parameters"), _id(body)
        texts = texts_of(_input(body), rest)
        wanted = _outputs(body, binary=flag(parameters, "binary_data_output", "parameter "))
        named = body.get("outputs") and any(name in _CERTIFIED for name in wanted)
        certify = flag(parameters, "certify", "parameter ") or bool(named)
        answers = await self.service.ask(texts, certify=certify, trace=call.trace)
        outputs = [(name, self._shape(name, len(answers)), self._values(name, answers)) for name in wanted]
        reply: dict[str, Any] = {"model_name": self.service.name, "model_version": self.service.version}
        if named_so is not None:
            reply["id"] = named_so
        return packed(reply, outputs, binary=[name for name, raw in wanted.items() if raw])

    def _shape(self, name: str, count: int) -> list[int]:
        return [count, len(self.service.labels)] if name == "score" else [count]

    def _values(self, name: str, answers: Sequence[Answer]) -> list[Any]:
        if name == "label":
            return [one.label_name or "" for one in answers]
        if name == "score":
            return [share for one in answers for share in one.shares(self.service.labels).values()]
        if name == "radius":
            return [_radius(one) for one in answers]
        return [json.dumps(one.to_json()["certificates"], ensure_ascii=False) for one in answers]

    def _reads(self) -> dict[str, Any]:
        text = {"type": "string", "maxLength": self.service.options.max_text}
        tensor = {
            "type": "object",
            "properties": {
                "name": {"enum": list(_INPUTS)},
                "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                "datatype": {"enum": ["BYTES"]},
                "parameters": _PARAMETERS,
                "data": {"type": "array", "items": text, "maxItems": self.service.options.queue},
            },
            "required": ["name", "shape", "datatype", "data"],
        }
        output = {
            "type": "object",
            "properties": {"name": {"enum": list(DATATYPES)}, "parameters": _PARAMETERS},
            "required": ["name"],
        }
        return {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "parameters": _PARAMETERS,
                "inputs": {"type": "array", "items": tensor, "minItems": 1, "maxItems": 1},
                "outputs": {"type": "array", "items": output},
            },
            "required": ["inputs"],
            "example": {
                "inputs": [
                    {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a moving, generous film"]}
                ]
            },
        }


def _input(body: dict[str, Any]) -> dict[str, Any]:
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise malformed("the body must have 'inputs', a list of one tensor named 'text'")
    tensor: dict[str, Any] = inputs[0]
    if not isinstance(tensor.get("name"), str) or tensor["name"] not in _INPUTS:
        raise malformed(f"the input is named {tensor.get('name')!r:.120}; it must be 'text'")
    return tensor


def _outputs(body: dict[str, Any], *, binary: bool) -> dict[str, bool]:
    """The outputs that are wanted, and whether each is packed; all where none is named."""
    given = body.get("outputs") or []
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise malformed("'outputs' must be a list of objects with a 'name'")
    wanted: dict[str, bool] = {}
    for one in given:
        name = one.get("name")
        if not isinstance(name, str) or name not in DATATYPES:
            raise malformed(f"there is no output {name!r:.120}; there are {', '.join(DATATYPES)}")
        parameters = _mapping(one, "parameters")
        if parameters.get("classification"):
            raise unsupported("the classification extension is not spoken; ask for 'label' and 'score'")
        raw = flag(parameters, "binary_data", "parameter ") if "binary_data" in parameters else binary
        wanted[name] = raw
    return wanted or dict.fromkeys(DATATYPES, binary)


def _id(body: dict[str, Any]) -> str | None:
    """The request's own id, which the answer repeats."""
    value = body.get("id")
    if not isinstance(value, str):
        return None
    check_unicode(value, "'id'")
    return value


def _mapping(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name, {})
    if not isinstance(value, dict):
        raise malformed(f"'{name}' must be an object")
    return value


def _radius(answer: Answer) -> int:
    if not answer.certificates or answer.certificates[0].abstained:
        return _NONE
    return math.floor(answer.certificates[0].radius)


_OBJECT = {"type": "object"}
_PARAMETERS = {
    "type": "object",
    "properties": {"certify": {"type": "boolean"}},
    "additionalProperties": {"type": ["string", "number", "boolean"]},
}
_RESPONSE = {
    "type": "object",
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"type": "string"},
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"enum": list(DATATYPES)},
                    "shape": {"type": "array", "items": {"type": "integer"}},
                    "datatype": {"enum": ["BYTES", "FP32", "INT64"]},
                    "data": {"type": "array"},
                },
                "required": ["name", "shape", "datatype"],
            },
        },
    },
    "required": ["model_name", "outputs"],
}
