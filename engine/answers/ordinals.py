"""Options named by their place: "option 2", "the third one", "第二个", "네 번째"."""

from __future__ import annotations

import re

from engine.answers.cues import any_of

_ORDINALS = {
    word: place
    for words in (
        "first second third fourth fifth sixth seventh eighth ninth tenth",
        "erste zweite dritte vierte fünfte sechste siebte achte neunte zehnte",
        "première deuxième troisième quatrième cinquième sixième septième huitième",
        "primera segunda tercera cuarta quinta sexta séptima octava novena décima",
        "primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo",
        "1st 2nd 3rd 4th 5th 6th 7th 8th 9th 10th",
        "premier second",
    )
    for place, word in enumerate(words.split())
} | dict.fromkeys(("last", "final", "letzte", "dernière", "dernier", "última", "último"), -1)
_CARDINALS = {
    word: place
    for words in (
        "one two three four five six seven eight nine ten",
        "eins zwei drei vier fünf sechs sieben acht neun zehn",
        "un deux trois quatre cinq six sept huit neuf dix",
        "uno dos tres cuatro cinco seis siete ocho nueve diez",
    )
    for place, word in enumerate(words.split())
}
_CHINESE = "一二三四五六七八九十"
_KOREAN = {"첫": 0, "두": 1, "세": 2, "네": 3, "다섯": 4, "여섯": 5, "일곱": 6, "여덟": 7}
_NOUN = r"(?:option|choice|answer|alternative|antwort|möglichkeit|réponse|opción|respuesta)"
_NUMBER = r"(?:number|no\.|nr\.|n°|nummer|numéro|número)"
_WORD = "|".join(_ORDINALS)
ORDINAL = any_of(
    rf"\b(?:{_NOUN}|one|{_NUMBER})\s{{0,2}}[#(\"']?(?P<digits>\d{{1,2}})(?![\w.,]\d|\w)",
    rf"\b(?:{_NOUN}|{_NUMBER})\s(?P<cardinal>{'|'.join(_CARDINALS)})\b",
    rf"\b(?P<word>{_WORD})[nrs]?\s(?:{_NOUN}|one|statement|proposition|aussage|choix)\b",
    rf"\b(?:the|die|der|das|la|le|el)\s(?P<alone>{_WORD})[nrs]?(?=\s{{0,2}}(?:[.,;:!)\n]|$))",
    rf"第\s?(?P<cjk>\d{{1,2}}|[{_CHINESE}])\s?(?:个|個|项|項|選択肢|つ目|番|种|條|条)",
    r"(?P<end>最后一?[个项]|最後一?[個項]|最後の(?=選択|もの|答|項)|마지막\s?(?=선택|보기|답|것|번))",
    rf"(?P<korean>{'|'.join(_KOREAN)})\s?번째",
    r"(?P<count>\d{1,2})\s?(?:番目?|번째?)",
)
"""An option's place in words; the one group that matches is the number itself."""
NUMERAL = re.compile(r"(?<![\w.,$€£+-])#?(\d{1,2})(?=[\s\"')\]]{0,3}(?:$|[.,;:)!\n]))(?![.,]\d)")
"""A number on its own, which may stand for the option at that place."""


def ordinal_place(match: re.Match[str], count: int) -> int | None:
    """Which of ``count`` options an :data:`ORDINAL` match means, from 0; None if there is none."""
    kind = match.lastgroup or ""
    number = match[kind]
    if kind == "end":
        place = -1
    elif kind in ("word", "alone"):
        place = _ORDINALS[number]
    elif kind == "cardinal":
        place = _CARDINALS[number]
    elif kind == "korean":
        place = _KOREAN[number]
    else:
        place = _CHINESE.find(number) if number in _CHINESE else int(number) - 1
    if place < 0 and kind in ("end", "word", "alone"):
        place += count
    return place if 0 <= place < count else None
