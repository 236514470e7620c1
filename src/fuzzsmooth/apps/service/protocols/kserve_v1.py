"""KServe V1: ``/v1/models/{model}:predict`` with ``{"instances": [...]}``.

See https://kserve.github.io/website, "V1 protocol". An instance is a text or ``{"text": ...}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fuzzsmooth.apps.service.protocols.protocol import PROTOCOLS, Call, Protocol, Reply, Route, flag
from fuzzsmooth.apps.service.refusal import Refusal, malformed


@PROTOCOLS.register("kserve-v1")
class KserveV1(Protocol):
    """The protocol of KServe before OIP: scores and labels by default, certificates on demand."""

    def routes(self) -> Sequence[Route]:
        """See :meth:`.protocol.Protocol.routes`."""
        text = {"type": "string", "maxLength": self.service.options.max_text}
        instance = {
            "oneOf": [text, {"type": "object", "properties": {"text": text}, "required": ["text"]}],
        }
        reads = {
            "type": "object",
            "properties": {
                "instances": {"type": "array", "items": instance, "maxItems": self.service.options.queue},
                "parameters": {"type": "object", "properties": {"certify": {"type": "boolean"}}},
            },
            "required": ["instances"],
            "example": {"instances": ["a moving, generous film"]},
        }
        model = "/v1/models/{model}"
        return [
            Route("GET", "/v1/models", "Names of the models", self.models, _NAMES, public=True),
            Route("GET", model, "Whether the model is ready", self.status, _STATUS, public=True),
            Route("POST", f"{model}:predict", "Answer texts", self.predict, _PREDICTIONS, reads),
        ]

    async def models(self, _call: Call) -> Reply:
        """The name of the model."""
        return Reply({"models": [self.service.name]})

    async def status(self, call: Call) -> Reply:
        """Whether it is ready: 503 where it is not."""
        self.check_model(call)
        if not self.service.ready:
            raise Refusal(503, "unready", f"model '{self.service.name}' is not ready yet", retry_after=1)
        return Reply({"name": self.service.name, "ready": True})

    async def predict(self, call: Call) -> Reply:
        """Answer instances, with certificates if ``{"parameters": {"certify": true}}``."""
        self.check_model(call)
        body = call.object()
        instances = body.get("instances")
        if not isinstance(instances, list):
            raise malformed("the body must have 'instances', a list of texts or of objects with a 'text'")
        texts = [_text(index, one) for index, one in enumerate(instances)]
        parameters = body.get("parameters", {})
        if not isinstance(parameters, dict):
            raise malformed("'parameters' must be an object, such as {\"certify\": true}")
        certify = flag(parameters, "certify", "parameter ")
        answers = await self.service.ask(texts, certify=certify, trace=call.trace)
        labels = self.service.labels
        told: list[dict[str, Any]] = [
            {
                "label": one.label_name,
                "status": one.status,
                "score": one.score,
                "scores": one.shares(labels),
                **({"certificates": one.to_json()["certificates"]} if certify else {}),
            }
            for one in answers
        ]
        return Reply({"predictions": told})


def _text(index: int, instance: object) -> str:
    text = instance.get("text") if isinstance(instance, dict) else instance
    if not isinstance(text, str):
        raise malformed(f"instance {index} is neither a text nor an object with a 'text'")
    return text


_NAMES = {
    "type": "object",
    "properties": {"models": {"type": "array", "items": {"type": "string"}}},
    "required": ["models"],
}
_STATUS = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "ready": {"type": "boolean"}},
    "required": ["name", "ready"],
}
_PREDICTIONS = {
    "type": "object",
    "properties": {
        "predictions": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "label": {"type": ["string", "null"]},
                    "status": {"type": "string"},
                    "score": {"type": "number"},
                    "scores": {"type": "object", "additionalProperties": {"type": "number"}},
                    "certificates": {"type": "array"},
                },
                "required": ["label", "status", "score", "scores"],
            },
        }
    },
    "required": ["predictions"],
}
