"""A reply prepared for reading: same length as the original, without what is not the answer.

Every character that carries no answer (thinking, special tokens, markup) is replaced by a blank
and every character that has a plainer form by that form, one for one, so that a position in the
prepared text is a position in the original.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_CIRCLED = {code: ord("A") + code - 0x24B6 for code in range(0x24B6, 0x24D0)}
_FOLD = (
    _FULL_WIDTH
    | _CIRCLED
    | str.maketrans(
        "\u3000\xa0‘’‚‛ʼ“”„‟«»「」『』【】〈〉《》−：；，", '  \'\'\'\'\'""""""""""[]""""-:;,'
    )
)

_THINK = re.compile(
    r"<(?P<close>/)?(?:think|thinking|thought|thoughts|reasoning|reflection|scratchpad)\b[^<>\n]{0,40}>"
    r"|\[(?P<close2>/)?THINK\]"
    r"|◁(?P<close3>/)?think▷"
    r"|<\|(?P<open4>begin|(?P<close4>end))_of_thought\|>"
    r"|<\|channel\|>(?:analysis|(?P<close5>final))(?:<\|message\|>)?",
    re.I,
)
_SPECIAL = re.compile(
    r"<\|[^|<>\n]{1,40}\|>|<｜[^｜<>\n]{1,40}｜>|</?s>"
    r"|<(?:bos|eos|pad|unk|end_of_turn|start_of_turn)>|\[/?INST\]|<0x[0-9A-Fa-f]{2}>"
)
_MARKUP = re.compile(
    r"[*_`$\u200b\u200c\u200d\ufeff]|\\[()\[\]]|\\(?:boxed|fbox|text|textbf|textit|textrm|mathrm|"
    r"mathbf|mathsf|bf|rm)\b\s?|</?(?:b|i|u|p|br|em|strong|mark|code|span|answer|ans)\s*/?>"
    r"|(?m:^[ \t]{0,12}(?:#{1,6}|>|[-+•◦▪–—])[ \t])|[{}]",
    re.I,
)
_NEXT_TURN = re.compile(
    r"<\|(?:im_start|start_header_id)\|>\s?(?:user|human)|<start_of_turn>\s?user|\[INST\]"
    r"|(?m:^[ \t]*(?:#{2,3} ?)?(?:Question|Q|Human|User|Instruction|Problem)(?: ?\d{1,4})?[ \t]?:)"
)
_SENTENCE_END = re.compile(r"[.!?](?=[\s\"')\]]|$)|[。！？!?]|\n")


class Reply(NamedTuple):
    """A prepared reply.

    Attributes:
        text: The reply, markup blanked, forms folded; as long as the original.
        marked: The same with its markup still in place.
        open_think: Start and end of a think tag that never closes, or None.
        turn_end: Where the model begins to write the next question or turn itself, otherwise the
            length. Base models do not stop; what follows is about another question.
    """

    text: str
    marked: str
    open_think: tuple[int, int] | None
    turn_end: int


def prepare(original: str) -> Reply:
    """Fold, blank and strip a reply without moving any character.

    Thinking is stripped up to the last end tag (lm-evaluation-harness#3675, #3322): a trace that
    quotes a tag must not end early.
    """
    folded = original.translate(_FOLD)
    answer_start, open_think = 0, None
    for tag in _THINK.finditer(folded):
        closes = any(tag[name] for name in ("close", "close2", "close3", "close4", "close5"))
        if closes:
            answer_start, open_think = tag.end(), None
        elif open_think is None:
            open_think = tag.span()
    marked = " " * answer_start + _SPECIAL.sub(_blank, folded[answer_start:])
    first = len(marked) - len(marked.lstrip())
    turns = (turn.start() for turn in _NEXT_TURN.finditer(folded, answer_start))
    turn_end = next((start for start in turns if start > first), len(folded))
    return Reply(_MARKUP.sub(_blank, marked), marked, open_think, turn_end)


def sentence_end(text: str, start: int, limit: int) -> int:
    """Where the sentence that holds ``start`` ends, looking no further than ``limit``."""
    end = _SENTENCE_END.search(text, start, limit)
    return end.end() if end else min(limit, len(text))


def _blank(match: re.Match[str]) -> str:
    """As many blanks as the match is long; line breaks stay."""
    return re.sub(r"[^\n]", " ", match[0])
