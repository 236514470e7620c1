"""What the page lets in and tells a browser, and the mistakes in starting it."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from apps_command_line import call
from page_desk import desk

pytest.importorskip("gradio", reason="the page needs the extra 'ui'")
pytest.importorskip("httpx", reason="its tests need the extra 'dev'")

from starlette.testclient import TestClient

from fuzzsmooth.apps.page import running
from fuzzsmooth.apps.page.blocks import _Acts, layout
from fuzzsmooth.apps.page.files import answer_file, read_file
from fuzzsmooth.apps.page.options import PageOptions
from fuzzsmooth.apps.page.triggers import Insertions
from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError

TOKEN = "correct-horse-battery"


def client(folder: Path, *tokens: str, local: bool = True, host: str = "127.0.0.1") -> TestClient:
    with running.environment({**running._SILENT, "GRADIO_TEMP_DIR": str(folder)}):
        blocks = layout(desk(), "a model", PageOptions(), Insertions(), folder, None, print)
        app = running.application(blocks, list(tokens), local=local, most=2_048)
    return TestClient(app, base_url=f"http://{host}")


def test_the_browser_is_told_to_ask_nobody_else(tmp_path: Path) -> None:
    with client(tmp_path) as page:
        answer = page.get("/")
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        config = page.get("/config").json()
        assert config["analytics_enabled"] is False
        assert config.get("stylesheets", []) == []  # no fonts of others
        for path in ("/openapi.json", "/docs", "/redoc"):  # these pages load scripts from elsewhere
            assert page.get(path).status_code == 404
        assert page.get("/monitoring").status_code != 200


def test_a_page_of_this_machine_answers_to_no_foreign_name(tmp_path: Path) -> None:
    with client(tmp_path, host="evil.example") as page:
        assert page.get("/").status_code == 400
        assert page.get("/", headers={"host": "localhost:7860"}).status_code == 200


def test_with_tokens_nobody_is_let_in_without_one(tmp_path: Path) -> None:
    with client(tmp_path, TOKEN, local=False, host="page.example") as page:
        assert page.get("/config").status_code == 401
        assert page.post("/login", data={"username": "any", "password": "wrong"}).status_code == 400
        assert page.get("/config").status_code == 401
        wrong = page.post("/gradio_api/upload", files={"files": ("a.txt", b"a film")})
        assert wrong.status_code == 401
        assert page.post("/login", data={"username": "any", "password": TOKEN}).status_code == 200
        assert page.get("/config").status_code == 200


def test_an_upload_has_its_limit(tmp_path: Path) -> None:
    with client(tmp_path) as page:
        small = page.post("/gradio_api/upload", files={"files": ("a.txt", b"a film")})
        assert small.status_code == 200
        large = page.post("/gradio_api/upload", files={"files": ("a.txt", b"a" * 5_000)})
        assert large.status_code == 413
        body = b"a" * (2 * 2_048 + 2**20 + 1)
        assert page.post("/gradio_api/queue/join", content=body).status_code == 413
        assert page.post("/gradio_api/queue/join", content=iter([b"{}"])).status_code == 411


def test_the_environment_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE", "before")
    with running.environment({"ONE": "within", "ANOTHER": "within"}):
        assert (os.environ["ONE"], os.environ["ANOTHER"]) == ("within", "within")
    assert os.environ["ONE"] == "before"
    assert "ANOTHER" not in os.environ


def test_mistakes_in_starting_it_are_sentences(
    capfd: pytest.CaptureFixture[str], tiny: Path, tmp_path: Path
) -> None:
    given = ("ui", tiny, "--defense", "deletion", "--no-fuzzing")
    told = call(capfd, *given, "--host", "0.0.0.0", "--port", 0).one_sentence()
    assert "others reach 0.0.0.0" in told
    assert "--token-file" in told
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert "give another --port" in call(capfd, *given, "--port", port).one_sentence()
    assert "no audit.json" in call(capfd, *given, "--audit", tmp_path, "--port", 0).one_sentence()
    tokens = tmp_path / "tokens"
    tokens.write_text(TOKEN, encoding="utf-8")
    tokens.chmod(0o644)
    assert "chmod 600" in call(capfd, *given, "--token-file", tokens, "--port", 0).one_sentence()


def test_without_gradio_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    def absent(_name: str) -> str:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "version", absent)
    with pytest.raises(MissingExtraError, match=r"fuzzsmooth\[ui\]"):
        running.check_installed()
    monkeypatch.setattr(metadata, "version", lambda _name: "5.49.1")
    with pytest.raises(MissingExtraError, match=r"gradio 6 \(there is 5\.49\.1\)"):
        running.check_installed()


def test_a_file_within_the_limits(tmp_path: Path) -> None:
    here, options = desk(), PageOptions(max_file=1, max_rows=3)
    file = tmp_path / "texts.jsonl"
    rows = [{"text": "a good film", "label": "positive"}, {"text": "", "label": "negative"}, {"other": 1}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    texts = read_file(file, "text", here, options)
    seen = list(answer_file(texts, file.name, here, tmp_path, certify=True))
    last = seen[-1]
    assert last.done
    assert [record["row"] for record in last.records] == [1, 2]
    assert any("row 3" in note or "line 3" in note for note in last.notes)
    assert last.statements[0].startswith("2 of 2 texts (100.0 %")
    assert "certified (proved) against edit (symmetric) at size 0" in last.statements[0]
    assert Path(last.downloads[0]).read_text(encoding="utf-8").count("\n") == 2
    assert "row,label_name" in Path(last.downloads[1]).read_text(encoding="utf-8")
    for content, sentence in (
        ("a\n" * 4, "4 texts; the page answers 3 at most"),
        ("a" * 1_001, "row 1: the text has 1,001 characters"),
        ("a" * 3_000, "has 2 KiB; the page reads 1 at most"),
        ("", "texts.txt"),
    ):
        wrong = tmp_path / "texts.txt"
        wrong.write_text(content, encoding="utf-8")
        with pytest.raises(FuzzsmoothError) as error:
            read_file(wrong, "text", here, options)
        assert sentence in str(error.value)
        assert str(tmp_path) not in str(error.value)


def test_a_fault_of_ours_is_told_where_the_page_was_started_and_quotes_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, told = desk(), list[str]()
    acts = _Acts(here, PageOptions(), Insertions(), tmp_path, told.append)

    def broken(*_given: Any, **_more: Any) -> None:
        raise RuntimeError("secret text")

    monkeypatch.setattr(here.defense, "predict", broken)
    last = list(acts.answer("a secret text", True, None))[-1]
    assert "a fault of ours" in last[0]
    assert "secret" not in last[0]
    assert "RuntimeError" in told[0]
    assert "secret" not in told[0]
    monkeypatch.undo()
    assert "Defended: positive" in list(acts.answer("a good film", True, None))[-1][0]


def test_a_file_that_nobody_uploaded_is_not_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names a path of this machine gets nothing of it: neither answers nor the file."""
    secret = tmp_path / "elsewhere" / "secret.txt"
    secret.parent.mkdir()
    secret.write_text("a good secret film\n", encoding="utf-8")
    (tmp_path / "uploads").mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))  # as it is while a page is up

    def told(page: TestClient, place: str) -> str:
        names = [one["api_name"] for one in page.get("/config").json()["dependencies"]]
        number = names.index("answer_file") if "answer_file" in names else 4
        file = {"path": place, "meta": {"_type": "gradio.FileData"}}
        asked = {"data": [file, "text", False], "fn_index": number, "session_hash": "s"}
        assert page.post("/gradio_api/queue/join", json=asked).status_code == 200
        return str(page.get("/gradio_api/queue/data", params={"session_hash": "s"}).text)

    with client(tmp_path / "uploads") as page:
        foreign = told(page, str(secret))
        assert "was not uploaded by a user" in foreign
        assert "good secret" not in foreign
        (own,) = page.post("/gradio_api/upload", files={"files": ("mine.txt", b"a good fine film\n")}).json()
        assert "a good fine film" in told(page, own)
