"""Text that terminals get wrong: what is wide, unseen, joined, written from right to left."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from hypothesis import strategies as st
from rich.cells import cell_len, get_character_cell_size
from textual.strip import Strip

from engine.browse import ProbeView
from engine.questions import Option, Question
from engine.readings import Reading
from engine.records import ProbeSettings, SamplerSettings
from engine.store import Store, open_store
from tests.question_views import FILLERS, VOCABULARY, Said, generation, make_view
from tests.sample_store import MODEL, REPLIES, sample_probe, vocabulary

SPECIMENS = {
    "chinese": "水星离太阳最近。",
    "japanese": "答えは「Ｂ」です",
    "korean syllables": "정답은 나",
    "korean letters": "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "half width": "ｱﾝｻｰ",
    "face": "Sure 🙂!",
    "family": "👨\u200d👩\u200d👧\u200d👦",
    "skin tone": "👍🏽👍🏿",
    "flag": "🇩🇪🇯🇵",
    "half a flag": "🇩",
    "tag flag": "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "heart": "❤\ufe0f and ❤\ufe0e",
    "keycap": "1\ufe0f\u20e3",
    "vietnamese": "Đa\u0301p a\u0301n la\u0300 B",
    "stacked marks": "Z\u0351\u036b\u0343a\u0334\u0321l\u0337g\u0338o\u0341",
    "only a mark": "\u0301",
    "thai": "คำตอบคือ ข",
    "hindi": "उत्तर है ख",
    "sinhala": "ශ\u0dca\u200dරී",
    "arabic": "الجواب هو ب: القاهرة 42",
    "harakat": "مَرْحَبًا",
    "persian": "می\u200cخواهم",
    "hebrew": "התשובה היא B",
    "override": "\u202eCBA\u202c",
    "isolates": "\u2066a\u2067b\u2068c\u2069\u200e\u200f\u061c",
    "zero width": "a\u200bb\u2060c\ufeffd\u00ade",
    "blanks": "a\u00a0b\u2003c\u3000d\u2800e\u3164f",
    "controls": "\x1b[31m\x00\x07\b\x7f\x85\x9b2J",
    "line breaks": "a\r\nb\n\tc\u2028d\u2029e\vf\fg",
    "our own glyphs": "·↵⇥⟨a⟩◌‥…",
    "private and unassigned": "\ue000\U0010ffff\u0378",
    "replacement": "half \ufffd a letter",
    "markup": "[bold red]\\[/] [link=x]",
}
"""What each of them is, and a text of it."""

WRITES_THE_OPTION = REPLIES.index("{label}. {text}")

FRAGMENTS = sorted({*SPECIMENS.values(), *"".join(SPECIMENS.values()), " ", "word", "\n"})
ANY_TEXT = st.lists(
    st.one_of(
        st.sampled_from(FRAGMENTS), st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
    ),
    min_size=1,
    max_size=12,
).map("".join)
"""Anything a database can hold, and often something of the above."""


def assert_exact(line: str, cells: int) -> None:
    """A line takes exactly so many cells, character by character, and holds nothing that acts."""
    assert cell_len(line) == cells, f"{cell_len(line)} cells instead of {cells}: {line!r}"
    alone = sum(map(get_character_cell_size, line))
    assert alone == cells, f"{alone} cells instead of {cells}, each character alone: {line!r}"
    acting = {c for c in line if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert acting <= {"\u200c"}, f"{sorted(map(ascii, acting))} in {line!r}"
    assert "\ufe0f" not in line
    first = line[:1]
    assert not first or get_character_cell_size(first), f"begins with a mark: {line!r}"


def assert_exact_strips(strips: Iterable[Strip], cells: int) -> None:
    """As :func:`assert_exact`, for what a widget draws; a strip's own claim is held too."""
    for strip in strips:
        assert strip.cell_length == cells
        assert_exact(strip.text, cells)


def pieces_of(text: str) -> list[bytes]:
    """A text as tokens of one to four bytes, so that characters are split."""
    raw = text.encode()
    pieces, start = [], 0
    while start < len(raw):
        length = 1 + (start + raw[start]) % 4
        pieces.append(raw[start : start + length])
        start += length
    return pieces


def hard_view(texts: Sequence[str]) -> ProbeView:
    """A probe in which every text that a screen shows is one of these."""
    view = make_view(1)

    def text(number: int) -> str:
        return texts[number % len(texts)]

    said: list[Said] = [
        ([t.encode()] if n % 2 else pieces_of(t), "option", "A", (0, min(2, len(t))))
        for n, t in enumerate(map(text, range(5)))
    ]
    generations = tuple(generation(f"hard {n}", n, each) for n, each in enumerate(said))
    question = Question(
        text(0), tuple(Option(label, text(n)) for n, label in enumerate("ABCD")), "B", text(1), "x"
    )
    prompt = [b"<|im_start|>", *(piece for t in texts for piece in pieces_of(t))]
    ids = tuple(VOCABULARY[piece] for piece in prompt)
    tokens = VOCABULARY.entries
    # Whatever a distribution lists is one of the texts too.
    tokens |= {i: (text(n), text(n).encode(), n % 5 == 0) for n, i in enumerate(FILLERS)}
    shares = tuple(zip("ABCD", (0.35, 0.31, 0.05, 0.01), strict=True))
    row = msgspec.structs.replace(
        view.row,
        question=question.text,
        subject=question.subject,
        option_probabilities=shares,
        vocab_token=text(0),
        top_tokens=tuple((text(n), 0.2) for n in range(4)),
        greedy_text=text(2),
    )
    readings = [
        Reading("sample_text" if n else "greedy_text", "option", n or None, "A", rule="declared",
                span=each[3])
        for n, each in enumerate(said)
    ]  # fmt: skip
    return msgspec.structs.replace(
        view,
        row=row,
        question=question,
        prompt=b"".join(prompt).decode(errors="replace"),
        prompt_ids=ids,
        generations=generations,
        readings=tuple(readings),
        tokens=tokens,
        warnings=((("hard"), text(3)),),
        spellings=tuple(msgspec.structs.replace(s, spelling=text(0)) for s in view.spellings),
    )


def make_hard_store(path: Path) -> Store:
    """A store whose questions, options and answers are the specimens."""
    texts = list(SPECIMENS.values())
    settings = ProbeSettings(samples=4, sampler=SamplerSettings(temperature=0.8, top_p=0.95))
    questions = [
        Question(
            text,
            tuple(Option(label, texts[(n + k) % len(texts)]) for k, label in enumerate("ABCD")),
            "A",
            name,
            "hard",
        )
        for n, (name, text) in enumerate(SPECIMENS.items())
    ]
    store = open_store(path)
    store.add_vocabulary(MODEL.tokenizer_hash, vocabulary())
    store.add_questions(questions)
    run_id = store.add_run(
        kind="run",
        name="hard text",
        model=MODEL.name,
        source="hard.jsonl",
        formats=["low"],
        orders=1,
        planned=len(questions),
        fingerprint="hard",
        settings=msgspec.json.encode({"model": MODEL.name, "settings": settings}).decode(),
        model_info=MODEL,
    )
    store.write(
        run_id,
        [
            msgspec.structs.replace(
                sample_probe(question, WRITES_THE_OPTION, "low", 0, settings), question_index=n
            )
            for n, question in enumerate(questions)
        ],
    )
    store.finish_run(run_id, "finished")
    return store
