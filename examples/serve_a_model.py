"""Serve a defended model, and ask it as a client in any language would: JSON over HTTP.

The model is a tiny random one, so that this runs anywhere; with yours, give its folder or hub name. The
service needs the extra `serve`. Triton's client, KServe's and those of text-embeddings-inference work as
well: /v2/models/fuzzsmooth/infer, /v1/models/fuzzsmooth:predict, /predict.

Prints::

    ready: True
    a moving film: LABEL_1
      No insertion of one contiguous piece of up to 1 word into this text changes this answer, with certainty;
      words are those that the changed text is cut into: what joins or splits others is several.
    refused with 400: the body must have either 'text', a string, or 'texts', a list of strings
    exit code 0
"""

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

from fuzzsmooth.models.tiny import build_tiny

WORDS = ["a", "moving", "generous", "film", "dull", "tedious", "story", "that", "goes", "nowhere"]


def ask(url: str, body: object = None) -> tuple[int, dict]:
    """The status and the JSON of a response."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


model = build_tiny("bert", "model", vocabulary=WORDS, seed=9)

# In a shell: fuzzsmooth serve model --defense windows --reach 1 --no-fuzzing --port 8000
flags = ["--defense", "windows", "--reach", "1", "--no-fuzzing", "--port", "0"]
command = [sys.executable, "-m", "fuzzsmooth", "serve", str(model), *flags]
service = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
try:
    # It tells where it listens on standard error, where its log is written, too.
    url = next(found[0] for line in service.stderr if (found := re.search(r"http://\S+", line)))
    while ask(f"{url}/v2/health/ready")[0] != 200:
        time.sleep(0.1)
    print("ready: True")
    _, told = ask(f"{url}/answer", {"text": "a moving film", "certify": True})
    for answer in told["answers"]:
        print(f"a moving film: {answer['label_name']}")
        for certificate in answer["certificates"]:
            print(f"  {certificate['statement']}")
    status, told = ask(f"{url}/answer", {"certify": True})
    print(f"refused with {status}: {told['error']}")
    service.terminate()
    print("exit code", service.wait(60))
finally:
    service.kill()
