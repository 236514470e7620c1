"""``fuzzsmooth benchmark-certificates``: certified accuracy side by side with the baselines."""

from __future__ import annotations

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import options, takes

_OTHERS = ("deletion", "masking", "windows")  # fine-tunings that the rows set; a file may change them


@takes(options("fuzzsmooth.bench.certification:CertificationOptions", "Comparison", skip=_OTHERS))
def benchmark_certificates(
    ctx: typer.Context,
    out: flag.RunFolder,
    config: flag.Config = None,
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Train base models, certify test texts, and compare: records, summary, table and curves in one folder.

    Certificates of ours stand beside RS-Del / CERT-ED and RanMASK, on the same data, alpha and number of
    copies. Rows may be added to a finished run. Everything may be set in a file (--config).
    """
    from fuzzsmooth.apps.cli.certification import run

    run(ctx.obj.mapping("CertificationOptions"), config, out, json=json, quiet=quiet)
