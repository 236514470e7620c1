"""``fuzzsmooth serve`` as a process: its mistakes, its start, its end, and being killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from apps_command_line import BAD, GOOD, answer_or_refusal, call, spawn

pytest.importorskip("fastapi", reason="the service needs the extra 'serve'")
httpx = pytest.importorskip("httpx", reason="its tests need the extra 'dev'")

FLAGS = ("--defense", "deletion", "--no-fuzzing", "--sigma", 0, "--draws", 64)
TEXTS = [*GOOD, *BAD, "cf", ""]

# Self-signed, for localhost, valid until 2126; made with openssl req -x509 -newkey ec.
CERTIFICATE = Path(__file__).with_name("localhost.pem")
KEY = Path(__file__).with_name("localhost-key.pem")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def served(model: Path, port: int, *flags: object) -> Iterator[subprocess.Popen[str]]:
    """A service in a process of its own, ready; it is killed at the end if it still runs."""
    process = spawn("serve", model, "--port", port, *FLAGS, *flags)
    drained = threading.Thread(target=lambda: process.__dict__.update(told=process.stderr.read()))
    drained.start()  # a full pipe would stop it
    try:
        for _ in range(600):
            assert process.poll() is None, "the service ended before it was ready"
            with pytest.MonkeyPatch.context(), socket.socket() as one:
                one.settimeout(1)
                if one.connect_ex(("127.0.0.1", port)) == 0 and is_ready(port, "--tls-key" in flags):
                    break
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait(20)
        drained.join(20)


def is_ready(port: int, tls: bool) -> bool:
    url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/v2/health/ready"
    try:
        return bool(httpx.get(url, verify=False, timeout=5).status_code == 200)
    except httpx.TransportError:
        return False


def certified(tiny: Path) -> dict[str, str]:
    """What the command line says of each text, as JSON."""
    texts = [part for text in TEXTS for part in ("--text", text)]
    lines = answer_or_refusal("certify", "--model", tiny, *FLAGS, *texts, "--json").splitlines()
    found = {}
    for line in lines:
        record = json.loads(line)
        text = record.pop("text")
        del record["key"], record["row"]
        found[text] = json.dumps(record, ensure_ascii=False)
    return found


def without_scores(answer: dict[str, object]) -> str:
    return json.dumps({name: value for name, value in answer.items() if name != "scores"}, ensure_ascii=False)


class Crowd:
    """Clients that ask for certificates, each its own texts in its own order.

    Args:
        url: Whom they ask.
        expected: The right answers.
        clients: How many they are.
        turns: Requests of each.
    """

    def __init__(self, url: str, expected: dict[str, str], *, clients: int = 8, turns: int = 4) -> None:
        self.wrong: list[str] = []
        self.right = self.hung_up = 0
        self.threads = [
            threading.Thread(target=self._ask, args=(url, expected, number, turns))
            for number in range(clients)
        ]
        for thread in self.threads:
            thread.start()

    def wait(self) -> None:
        for thread in self.threads:
            thread.join()

    def _ask(self, url: str, expected: dict[str, str], number: int, turns: int) -> None:
        with httpx.Client(timeout=120) as client:
            for turn in range(turns):
                chosen = [TEXTS[(number * 5 + turn * 3 + step) % len(TEXTS)] for step in range(3)]
                try:
                    body = client.post(url, json={"texts": chosen, "certify": True})
                except httpx.TransportError:
                    self.hung_up += 1
                    return
                if body.status_code != 200:
                    self.wrong.append(f"{body.status_code}: {body.text}")
                    return
                for text, answer in zip(chosen, body.json()["answers"], strict=True):
                    if without_scores(answer) == expected[text]:
                        self.right += 1
                    else:
                        self.wrong.append(text)


def test_answers_under_load_are_those_of_certify_and_no_end_leaves_anything(tiny):
    expected = certified(tiny)
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in tiny.iterdir()}
    port = free_port()
    url = f"http://127.0.0.1:{port}/answer"
    # Killed in the middle.
    with served(tiny, port) as process:
        crowd = Crowd(url, expected, turns=1_000)
        while crowd.right < 30 and not crowd.wrong:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        crowd.wait()
        assert not crowd.wrong
        assert crowd.hung_up == 8
    # On the same port at once; stopped while it is asked.
    with served(tiny, port) as process:
        crowd = Crowd(url, expected)
        crowd.wait()
        assert (crowd.right, crowd.hung_up, crowd.wrong) == (8 * 4 * 3, 0, [])
        last = Crowd(url, expected, turns=1)
        time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        last.wait()
        assert process.wait(60) == 0
        # Each was let in and answered, or came too late for that.
        assert not [one for one in last.wrong if not one.startswith("503")]
        assert last.right + 3 * (last.hung_up + len(last.wrong)) == 8 * 3
    told = process.told.splitlines()
    events = [json.loads(line) for line in told if line.startswith("{")]
    assert [one["event"] for one in events if one["event"] != "request"] == ["ready", "stopping", "stopped"]
    assert sum(one.get("status") == 200 for one in events) == 8 * 4 + last.right // 3
    assert not any(text in process.told for text in GOOD)
    assert all(line.startswith(("{", "fuzzsmooth: ")) for line in told)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in tiny.iterdir()} == before


def test_https_and_a_stop_by_hand(tiny, tmp_path):
    key = tmp_path / "key.pem"
    key.write_bytes(KEY.read_bytes())
    key.chmod(0o600)
    port = free_port()
    with served(tiny, port, "--tls-certificate", CERTIFICATE, "--tls-key", key) as process:
        trusting = ssl.create_default_context(cafile=str(CERTIFICATE))
        url = f"https://localhost:{port}/answer"
        assert httpx.post(url, json={"text": "a"}, verify=trusting, timeout=30).status_code == 200
        with pytest.raises(httpx.TransportError):
            httpx.post(url.replace("https", "http"), json={"text": "a"}, timeout=30)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


@pytest.fixture
def files(tmp_path):
    """A folder with what may be wrong."""
    for name, content, mode in (
        ("open", "a-token-of-sixteen-or-more", 0o644),
        ("empty", "\n", 0o600),
        ("short", "abc", 0o600),
        ("key.pem", KEY.read_text(), 0o600),
        ("open-key.pem", KEY.read_text(), 0o640),
        ("bad.pem", "no certificate", 0o600),
    ):
        path = tmp_path / name
        path.write_text(content)
        path.chmod(mode)
    (tmp_path / "good.pem").write_text(CERTIFICATE.read_text())
    return tmp_path


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--token-file {}/none", "there is no file"),
        ("--token-file {}/open", "chmod 600"),
        ("--token-file {}/empty", "holds no token"),
        ("--token-file {}/short", "at least 16"),
        ("--tls-certificate {}/good.pem", "belong together"),
        ("--tls-certificate {}/none --tls-key {}/key.pem", "there is no file"),
        ("--tls-certificate {}/good.pem --tls-key {}/open-key.pem", "mode 640"),
        ("--tls-certificate {}/bad.pem --tls-key {}/key.pem", "no certificate in PEM"),
        ("--tls-certificate {}/good.pem --tls-key {}/bad.pem", "no certificate in PEM"),
        ("--host no.such.host.invalid", "--host"),
        ("--port 70000", "port must lie between"),
        ("--name a/b", "letters, digits"),
        ("--queue 0", "queue must lie between"),
        ("--defense nonsense", "unknown defense"),
        ("--references {}/none", "none"),
    ],
)
def test_mistakes_are_one_sentence(capfd, tiny, files, flags, said):
    given = [flag.format(files) for flag in flags.split()]
    assert said in call(capfd, "serve", tiny, "--no-fuzzing", *given).one_sentence()


def test_a_port_in_use_and_a_missing_model_are_told_before_the_model_is_loaded(capfd, tiny):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = call(capfd, "serve", tiny, "--port", port, "--no-fuzzing").one_sentence()
        assert f"port {port}" in told
        assert "give another --port" in told
    assert "there is no folder ./nope" in call(capfd, "serve", "./nope").one_sentence()


def test_without_its_packages_it_says_how_to_get_them(tmp_path):
    (tmp_path / "fastapi.py").write_text("raise ImportError('not here')\n")
    command = [
        sys.executable,
        "-c",
        "import sys; from fuzzsmooth.apps.cli.main import main; sys.exit(main())",
    ]
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(
        [*command, "serve", "."], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "pip install 'fuzzsmooth[serve]'" in done.stderr
