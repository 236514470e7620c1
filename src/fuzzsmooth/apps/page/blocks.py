"""The page laid out with Gradio."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzzsmooth.apps.page import fragments
from fuzzsmooth.apps.page.asking import Desk, Question
from fuzzsmooth.apps.page.audit import framed
from fuzzsmooth.apps.page.files import answer_file, read_file
from fuzzsmooth.apps.page.options import PageOptions
from fuzzsmooth.apps.page.triggers import Insertions
from fuzzsmooth.common.errors import FuzzsmoothError

if TYPE_CHECKING:
    import gradio as gr

Tell = Callable[[str], None]

_AT_ONCE = 4  # questions whose progress is shown at once; one of them is answered
_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "DejaVu Sans", "sans-serif")
_MONOSPACE = ("ui-monospace", "DejaVu Sans Mono", "monospace")
_TYPES = [".txt", ".csv", ".tsv", ".jsonl", ".json", ".ndjson", ".parquet", ".arrow"]
_KEPT = (600, 3_600)  # seconds: how often uploads are looked through, and how old they may get


def theme() -> gr.themes.Base:
    """Fonts of the system, and one color; nothing of it is fetched."""
    import gradio as gr

    hues = gr.themes.colors
    base = gr.themes.Base(
        primary_hue=hues.sky, neutral_hue=hues.slate, font=_FONTS, font_mono=_MONOSPACE, radius_size="sm"
    )
    # White on the usual blue is hard to read.
    return base.set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        input_border_width="1px",
        input_border_color="*neutral_400",
        input_border_color_dark="*neutral_600",
        input_border_color_focus="*primary_700",
        input_border_color_focus_dark="*primary_300",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
    )


def style() -> str:
    """The style sheet of what is shown."""
    return files("fuzzsmooth.apps.page").joinpath("page.css").read_text(encoding="utf-8")


def layout(
    desk: Desk,
    model: str,
    options: PageOptions,
    insertions: Insertions,
    folder: Path,
    audit: Mapping[str, Any] | None,
    tell: Tell,
) -> gr.Blocks:
    """The page.

    Args:
        desk: What answers.
        model: The model's name.
        options: Limits.
        insertions: What can be inserted.
        folder: Where answers to a file are kept until they are taken.
        audit: The report of an audit, if there is one.
        tell: Told of faults of ours.
    """
    import gradio as gr

    acts = _Acts(desk, options, insertions, folder, tell)
    with gr.Blocks(title="fuzzsmooth", analytics_enabled=False, delete_cache=_KEPT) as blocks:
        gr.HTML(fragments.header(desk, model), apply_default_css=False)
        with gr.Tab("Text"):
            _text_tab(acts)
        with gr.Tab("File"):
            _file_tab(acts, options)
        if audit is not None:
            with gr.Tab("Audit"):
                gr.HTML(framed(audit, desk.fingerprint), apply_default_css=False)
    blocks.queue(max_size=options.queue, api_open=False)
    return blocks


def _html(name: str) -> gr.HTML:
    import gradio as gr

    return gr.HTML(elem_id=name, apply_default_css=False)


def _text_tab(acts: _Acts) -> None:
    import gradio as gr

    desk = acts.desk
    inserted = gr.State(None)
    text = gr.Textbox(
        label="Text",
        info="Shift+Enter answers.",
        lines=4,
        max_lines=16,
        elem_id="text",
    )
    with gr.Row():
        ask = gr.Button("Answer", variant="primary", elem_id="ask", scale=1)
        certify = gr.Checkbox(
            desk.certifies,
            label="With a certificate" if desk.certifies else "No certificates: this defense is empirical",
            interactive=desk.certifies,
            container=False,
            elem_id="certify",
            scale=2,
        )
    with gr.Row(elem_id="failing"):
        trigger = gr.Dropdown(
            acts.insertions.choices,
            value=acts.insertions.choices[0],
            label="A trigger, to see the undefended model fail",
            info="Choose one, or write any other.",
            allow_custom_value=True,
            elem_id="trigger",
            scale=2,
        )
        insert = gr.Button("Insert it and answer", elem_id="insert", scale=1)
    status, shown = _html("status"), _html("answer")
    shared: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    asking = {**shared, "concurrency_limit": _AT_ONCE, "trigger_mode": "once"}
    given, told = [text, certify, inserted], [status, shown]
    for event in (ask.click, text.submit):
        event(acts.answer, given, told, **asking)
    insert.click(acts.insert, [text, trigger, inserted], [text, inserted, status], **shared).success(
        acts.answer, given, told, **asking
    )


def _file_tab(acts: _Acts, options: PageOptions) -> None:
    import gradio as gr

    desk = acts.desk
    with gr.Row():
        file = gr.File(
            label=f"A file of at most {options.max_file:,} KiB and {options.max_rows:,} texts",
            file_types=_TYPES,
            height=140,
            elem_id="file",
            scale=2,
        )
        with gr.Column(scale=1):
            column = gr.Textbox("text", label="Column of the texts", max_lines=1, elem_id="column")
            certify = gr.Checkbox(False, label="With certificates", interactive=desk.certifies, elem_id="all")
    with gr.Row():
        start = gr.Button("Answer the file", variant="primary", elem_id="start")
        stop = gr.Button("Stop", elem_id="stop")
    status = _html("file-status")
    with gr.Row():
        lines = gr.DownloadButton("Answers as JSON lines", visible=False, elem_id="lines")
        table = gr.DownloadButton("Answers as a table (CSV)", visible=False, elem_id="table")
    shown = _html("file-answers")
    running = start.click(
        acts.answer_file,
        [file, column, certify],
        [status, shown, lines, table],
        show_progress="hidden",
        api_visibility="private",
        concurrency_limit=1,
        trigger_mode="once",
    )
    stop.click(acts.stopped, None, [status], cancels=[running], api_visibility="private", queue=False)


class _Acts:
    """What the buttons do; every mistake is a sentence on the page, every fault of ours one here as well."""

    def __init__(
        self, desk: Desk, options: PageOptions, insertions: Insertions, folder: Path, tell: Tell
    ) -> None:
        self.desk = desk
        self.insertions = insertions
        self._options = options
        self._folder = folder
        self._tell = tell

    def answer(self, text: str, certify: bool, inserted: Any) -> Iterator[tuple[str, str]]:
        """Answer the text of the box."""
        question = Question(text or "", certify)
        if inserted is not None and inserted[0] == text:
            question = Question(text, certify, inserted[1], inserted[2])
        try:
            for seen in self.desk.answer(question):
                yield fragments.status(seen, self.desk), fragments.answer(seen, self.desk)
        except Exception as error:  # noqa: BLE001 - a page shows no traceback
            yield self._sentence(error), ""

    def insert(self, text: str, chosen: Any, inserted: Any) -> tuple[str, Any, str]:
        """Put the trigger into the text of the box."""
        import gradio as gr

        try:
            found = self.insertions.insert(text or "", str(chosen or ""))
        except FuzzsmoothError as error:
            raise gr.Error(html.escape(str(error)), print_exception=False) from error
        known = inserted is not None and inserted[0] == text
        original = inserted[1] if known else text
        return found.text, (found.text, original, found.spans or ()), ""

    def answer_file(self, file: Any, column: str, certify: bool) -> Iterator[tuple[Any, ...]]:
        """Answer an uploaded file."""
        import gradio as gr

        hidden = gr.update(visible=False)
        try:
            if not file:
                raise FuzzsmoothError("there is no file; drop one into the field, or choose one")
            path = Path(file)
            texts = read_file(path, column, self.desk, self._options)
            for seen in answer_file(texts, path.name, self.desk, self._folder, certify=certify):
                links = [gr.update(value=one, visible=True) for one in seen.downloads] or [hidden, hidden]
                yield fragments.file_status(seen), fragments.file_table(seen), *links
        except Exception as error:  # noqa: BLE001 - a page shows no traceback
            yield self._sentence(error), "", hidden, hidden

    def stopped(self) -> str:
        """What is said when a file was stopped."""
        return fragments.problem("stopped; what was answered is shown below, and nothing is kept")

    def _sentence(self, error: Exception) -> str:
        if isinstance(error, FuzzsmoothError):
            return fragments.problem(str(error))
        self._tell(f"a fault of ours: {_place(error)}")
        return fragments.problem("a fault of ours; what it is stands where this page was started")


def _place(error: Exception) -> str:
    """What a fault is and where, without what it says, which may quote a text."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f" at {place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
    return f"{type(error).__name__}{where}"
