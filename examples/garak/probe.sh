#!/bin/sh
# Probes a protected model with garak (https://github.com/NVIDIA/garak), which calls it as a function.
#
#   sh examples/garak/probe.sh runs/mine
#
# garak brings several gigabytes, so it is no extra of fuzzsmooth; install it beside it first:
#
#   pip install garak
#
# It writes garak_runs/*.report.jsonl and .html where it says. A classifier answers a probe with the name of a
# class, or with [abstain]; probes of garak that ask for text to be written say little about it. Give others
# with PROBES and DETECTORS, and what garak hands on to the function (defense, certify) in its configuration:
#
#   plugins:
#     generators:
#       function:
#         Single:
#           name: fuzzsmooth.apps.interop.garak#answer
#           kwargs: {model: runs/mine, defense: windows}
set -eu
FUZZSMOOTH_MODEL=${1:?"give the folder of a protected model"}
export FUZZSMOOTH_MODEL
exec python -m garak --target_type function.Single --target_name 'fuzzsmooth.apps.interop.garak#answer' \
    --probes "${PROBES:-test.Test}" --detectors "${DETECTORS:-always.Pass}"
