"""Traces: a span for a request, inside the client's trace, with its stages in it."""

from __future__ import annotations

import pytest
from serving import running

export = pytest.importorskip(
    "opentelemetry.sdk.trace.export.in_memory_span_exporter",
    reason="opentelemetry-sdk comes with the extras 'traces' and 'dev'",
)


def test_a_request_is_a_span_in_the_clients_trace():
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    kept = export.InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with running(provider=provider) as up:
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        up.post("/answer", {"text": "a good secret film", "certify": True}, traceparent=parent)
        up.post("/answer", {"text": 1})
    spans = {span.name: span for span in kept.get_finished_spans() if span.parent is not None}
    request = spans["/answer"]
    assert f"{request.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert dict(request.attributes) == {
        "http.response.status_code": 200,
        "fuzzsmooth.kind": "certify",
        "fuzzsmooth.texts": 1,
    }
    queue, answer = spans["queue"], spans["answer"]
    assert {queue.parent.span_id, answer.parent.span_id} == {request.context.span_id}
    assert queue.end_time == answer.start_time
    assert request.start_time - 1e7 <= queue.start_time <= answer.end_time <= request.end_time + 1e7
    refused = [span for span in kept.get_finished_spans() if span.parent is None]
    assert [dict(span.attributes) for span in refused] == [{"http.response.status_code": 400}]
    assert "secret" not in str([span.to_json() for span in kept.get_finished_spans()])


def test_without_its_packages_it_says_how_to_get_them(monkeypatch):
    import sys

    from fuzzsmooth.apps.service.tracing import Tracer
    from fuzzsmooth.common.errors import FuzzsmoothError

    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(FuzzsmoothError, match=r"fuzzsmooth\[traces\]"):
        Tracer.of_environment()
