"""OpenTelemetry traces, where they are wanted: a span for each request, and in it one for each stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fuzzsmooth.apps.service.asking import Trace
from fuzzsmooth.common.errors import MissingExtraError
from fuzzsmooth.common.version import VERSION

_NANOSECONDS = 1_000_000_000


class Tracer:
    """Makes spans.

    Args:
        provider: A ``TracerProvider`` of OpenTelemetry; None makes none.
    """

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self._tracer = None if provider is None else provider.get_tracer("fuzzsmooth", VERSION)

    @classmethod
    def of_environment(cls) -> Tracer:
        """Spans go to where the variables ``OTEL_EXPORTER_OTLP_...`` say.

        Raises:
            MissingExtraError: If OpenTelemetry is not installed.
        """
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise MissingExtraError("opentelemetry", "traces", "--traces") from error
        provider = TracerProvider(resource=Resource.create({"service.name": "fuzzsmooth"}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider)

    @contextmanager
    def request(self, path: str, headers: Mapping[str, str], trace: Trace) -> Iterator[Callable[[int], None]]:
        """The span of a request, a part of the client's trace if its headers tell of one.

        Args:
            path: The route.
            headers: Names in lower case.
            trace: What is told of the request, complete at the end.

        Yields:
            What takes the status.
        """
        tracer = self._tracer
        if tracer is None:
            yield lambda _status: None
            return
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind, set_span_in_context

        with tracer.start_as_current_span(path, extract(headers), kind=SpanKind.SERVER) as span:
            begun = time.time() - (time.monotonic() - trace.begun)

            def told(status: int) -> None:
                span.set_attribute("http.response.status_code", status)
                if not trace.kind:
                    return
                span.set_attribute("fuzzsmooth.kind", trace.kind)
                span.set_attribute("fuzzsmooth.texts", len(trace.texts))
                start = begun
                for name, seconds in (("queue", trace.queued), ("answer", trace.answered)):
                    inner = tracer.start_span(
                        name, set_span_in_context(span), start_time=int(start * _NANOSECONDS)
                    )
                    start += seconds
                    inner.end(int(start * _NANOSECONDS))

            yield told

    def close(self) -> None:
        """Send what is not sent yet."""
        if self._provider is not None:
            self._provider.shutdown()
