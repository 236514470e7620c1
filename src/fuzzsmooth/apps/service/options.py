"""How a service listens, what it admits, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fuzzsmooth.common.options import Between, Options, require

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_SECONDS = 86_400


@dataclass(frozen=True, kw_only=True)
class ServiceOptions(Options):
    """How a service listens, what it admits, and what it tells."""

    host: Annotated[str, "Address to listen at; 0.0.0.0 for all of this machine."] = "127.0.0.1"
    port: Annotated[int, Between(0, 65_535), "Port to listen at; 0 for a free one."] = 8000
    name: Annotated[str, "Name of the model in requests."] = "fuzzsmooth"
    token_file: Annotated[
        str | None,
        "File of bearer tokens, one a line, which only its owner can read; requests must carry one.",
    ] = None
    tls_certificate: Annotated[str | None, "Certificate chain in PEM, for HTTPS."] = None
    tls_key: Annotated[str | None, "Its private key in PEM, which only its owner can read."] = None
    batch: Annotated[int, Between(1, 65_536), "Texts predicted together at most."] = 32
    certify_batch: Annotated[
        int, Between(1, 65_536), "Texts certified together at most; a prediction may have to wait for them."
    ] = 4
    linger: Annotated[
        float, Between(0, 1_000), "Milliseconds that predictions wait for others to join them."
    ] = 5.0
    patience: Annotated[
        float, Between(0, _SECONDS), "Seconds after which a certificate goes before predictions."
    ] = 5.0
    queue: Annotated[int, Between(1, 1_000_000), "Texts that wait at most; what is more gets 429."] = 256
    max_body: Annotated[
        int, Between(1, 1_048_576), "KiB of a request's body at most; a larger one gets 413."
    ] = 1_024
    max_text: Annotated[
        int, Between(1, 100_000_000), "Characters of a text at most; a longer one gets 413."
    ] = 20_000
    connections: Annotated[
        int, Between(1, 65_536), "Connections at once; what is more gets 503, which bounds the memory."
    ] = 1_024
    timeout: Annotated[
        float, Between(0, _SECONDS, above=True), "Seconds that a request may take; after them it gets 504."
    ] = 30.0
    grace: Annotated[
        float, Between(0, _SECONDS), "Seconds that requests have to finish when the service is stopped."
    ] = 30.0
    log_texts: Annotated[bool, "Write the texts into the log as well."] = False
    traces: Annotated[
        bool, "Send OpenTelemetry traces, to where the variables OTEL_EXPORTER_OTLP_... say."
    ] = False

    def validate(self) -> None:
        """Check the name, and that a certificate has its key."""
        require(
            0 < len(self.name) <= 100 and set(self.name) <= _NAME,
            f"ServiceOptions.name: {self.name!r:.100} must be letters, digits, '-', '_' or '.', at most 100",
        )
        require(
            (self.tls_certificate is None) == (self.tls_key is None),
            "tls_certificate and tls_key belong together; give both, or neither for plain HTTP",
        )
