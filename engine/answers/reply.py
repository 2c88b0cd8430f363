"""A reply prepared for reading: without what is not the answer, in plainer characters.

Thinking before the answer and the middle of a very long reply are left out. In the rest every
character that carries no answer (special tokens, markup) is replaced by a blank and every
character that has a plainer form by that form, one for one, so that a place in the prepared text
leads back to its place in the original.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LONGEST = 65_536
"""Of a longer reply, its thinking aside, only the first and the last half of this are read."""

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_CIRCLED = {code: ord("A") + code - 0x24B6 for code in range(0x24B6, 0x24D0)} | {
    code: ord("1") + code - 0x2460 for code in range(0x2460, 0x2469)
}
_PUNCTUATION = str.maketrans(
    "\u3000\xa0‘’‚‛ʼ“”„‟«»「」『』〈〉《》【】−", "  '''''" + '"' * 14 + "[]-"
)
_FOLD = _FULL_WIDTH | _CIRCLED | _PUNCTUATION

_THINK = re.compile(
    r"<(?P<end1>/)?(?:think|thinking|thought|reasoning|reflection|scratchpad)\b[^<>\n]{0,40}>"
    r"|\[(?P<end2>/)?THINK\]"
    r"|◁(?P<end3>/)?think▷"
    r"|<\|(?:begin|(?P<end4>end))_of_thought\|>"
    r"|<\|channel\|>(?:analysis|(?P<end5>final))(?:<\|message\|>)?",
    re.I,
)
_SPECIAL = re.compile(
    r"<\|[^|<>\n]{1,40}\|>|<｜[^｜<>\n]{1,40}｜>|</?s>"
    r"|<(?:bos|eos|pad|unk|end_of_turn|start_of_turn)>|\[/?INST\]|<0x[0-9A-Fa-f]{2}>"
)
_MARKUP = re.compile(
    r"~~[^~\n]{1,400}~~|\[[ xX]\](?=\s)|[*_`~|${}\u200b\u200c\u200d\ufeff]|\\[()\[\]]"
    r"|\\(?:boxed|fbox|text|textbf|textit|textrm|mathrm|mathbf|mathsf|bf|rm)\b\s?"
    r"|</?[a-z][a-z_]{0,20}\s?/?>|\[/?(?:answer|ANSWER|Answer|ans|ANS)\]"
    r"|(?m:^[ \t]{0,12}(?:#{1,6}|>|[-+•◦▪–—])[ \t])"
)
_NEXT_TURN = re.compile(
    r"<\|(?:endoftext|end_of_text|eot_id|im_end)\|>|</s>|<(?:eos|end_of_turn)>|\[INST\]"
    r"|<\|(?:im_start|start_header_id)\|>\s?(?:user|human)|<start_of_turn>\s?user"
    r"|(?m:^The following (?:are|is a) multiple)"
    r"|(?m:^[ \t]{0,4}(?:#{2,3} ?)?(?:Question|Q|Human|User|Instruction|"
    r"Problem)(?: ?\d{1,4})?[ \t]?:)"
)


class Reply(NamedTuple):
    """A prepared reply.

    Attributes:
        text: What is read: markup blanked, forms folded.
        marked: The same with its markup still in place.
        turn_end: Where in ``text`` the model begins to write the next question or turn itself,
            otherwise the length. Base models do not stop; what follows is about another question.
        open_think: Start and end in the original of a think tag that never closes, both 0 where
            the prompt holds it, or None.
        offset: Characters left out at the beginning.
        cut: Place in ``text`` from which characters of the middle are left out.
        left_out: How many.
    """

    text: str
    marked: str
    turn_end: int
    open_think: tuple[int, int] | None
    offset: int
    cut: int
    left_out: int

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Start and end in the original of a stretch of ``text``."""
        return self._place(start), self._place(end - 1) + 1

    def _place(self, position: int) -> int:
        return position + self.offset + (self.left_out if position >= self.cut else 0)


def prepare(original: str, *, thinking: bool = False) -> Reply:
    """Fold, blank and shorten a reply.

    Thinking is stripped up to the last end tag (lm-evaluation-harness#3675, #3322): a trace that
    quotes a tag must not end early.

    Args:
        original: The reply.
        thinking: Whether the prompt ends in a think tag, so that the reply begins inside a block.
    """
    offset = 0
    open_think = (0, 0) if thinking else None
    for tag in _THINK.finditer(original):
        if tag.lastgroup:
            offset, open_think = tag.end(), None
        elif open_think is None:
            open_think = tag.span()
    body = original[offset:]
    left_out = max(0, len(body) - LONGEST)
    cut = LONGEST // 2 if left_out else len(body)
    if left_out:
        body = body[:cut] + body[cut + left_out :]
    folded = body.translate(_FOLD)
    marked = _SPECIAL.sub(_blank, folded)
    text = _MARKUP.sub(_blank, marked)
    first = len(marked) - len(marked.lstrip())
    turns = (turn.start() for turn in _NEXT_TURN.finditer(folded))
    turn_end = next((start for start in turns if start > first), len(text))
    return Reply(text, marked, turn_end, open_think, offset, cut, left_out)


def _blank(match: re.Match[str]) -> str:
    """As many blanks as the match is long; line breaks stay."""
    return re.sub(r"[^\n]", " ", match[0])
