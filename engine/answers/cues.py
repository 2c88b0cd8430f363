"""The words by which replies name, reject and weigh options, in seven languages.

Every pattern is searched in a lower-cased reply. Gaps are bounded, so that each search is linear
in the length of the reply. English is covered in depth; German, French, Spanish, Chinese, Japanese
and Korean with the forms that models use when they answer a multiple-choice question.
"""

from __future__ import annotations

import re


def any_of(*alternatives: str) -> re.Pattern[str]:
    """One pattern that matches any of the alternatives."""
    return re.compile("|".join(f"(?:{alternative})" for alternative in alternatives))


_ANSWER_NOUN = (
    r"(?:answers?(?! (?:options|choices))|ans|option|choice|response|selection|pick|solution|"
    r"conclusion|verdict|guess|letter|preference|view|opinion|"
    r"antwort|lösung|wahl|réponse|choix|respuesta|opción|elección)"
)
_LINK = (
    r"(?:\s{0,3}(?::|=|-+>|=>|→|⇒|[-–—](?=\s))|"
    r"(?:'s|\s{1,3}(?:is|are|was|were|would(?: \w{1,12})? be|should(?: \w{1,12})? be|must be|"
    r"will be|has to be|seems to be|appears to be|would have to be|remains|becomes|"
    r"ist|sind|lautet|wäre|est|sont|serait|es|son|sería))\b)"
)
_INSERT = r"(?:[^.:;?!\n()=\"]|\"[^\"\n]{0,80}\"|\([^()\n]{0,60}\))"
_I = (
    r"\b(?:i|we|let's|let us|let me)\b(?:'(?:d|ll|m|ve))?"
    r"(?:\s{1,2}(?!not\b|never\b|don't\b)[\w']{1,14}){0,5}?\s{1,2}"
)
_CHOOSE = (
    r"(?:choos(?:e|ing)|chose|chosen|select(?:ed|ing)?|pick(?:ed|ing)?|go(?:ing)? (?:with|for)|"
    r"opt(?:ing)? for|vote(?: for)?|answer(?:ed)?(?: with)?|respond(?: with)?|prefer|"
    r"lean(?:ing)? towards?|settl(?:e|ing) on|stick with|decide on|conclude|mark|circle|agree with|"
    r"describe (?:myself|it|this) as|identify (?:myself )?as|consider (?:myself|it|this)|"
    r"rate (?:it|this|them)(?: as)?)"
)
ANSWER_CUE = any_of(
    rf"\b{_ANSWER_NOUN}(?:\(s\))?(?:,?\s{_INSERT}{{1,80}}?)??{_LINK}",
    r"\bans\.\s",
    r"\banswer\s{1,3}(?=[(\"'\[]{0,2}\w\b)",
    r"(?:^|\n)\s{0,5}(?:correct|final|choose|select|selected|chosen|pick|richtig|correcta?|"
    r"correcte)\s{0,3}:",
    rf"{_I}{_CHOOSE}\b",
    rf"\b(?:should|must)\s{_CHOOSE}\b",
    r"(?:^|[.!\n]\s{0,3})(?:choosing|select|choose|pick|going with)\b",
    r"\b(?:best|most (?:accurate|appropriate|likely|suitable|correct|plausible|fitting|reasonable))"
    r"(?: (?:one|fit|match|description))?(?: (?:is|would be|seems to be)\b|\s?:)",
    r"\b(?:so|thus|therefore|hence|consequently|in conclusion|in summary|ultimately|overall)\b,?"
    r"\s{1,2}(?:it (?:is|must be|has to be|should be|would be)|it's|that's)\b",
    r"⇒|→|=>|-{1,2}>",
    r"\bich\s(?:wähle|würde|nehme|entscheide mich für|tippe auf|bevorzuge)\b",
    r"\b(?:je |j'|nous )(?:choisi(?:s|rais|t|ssons)|sélectionne(?:rais)?|dirais|opte(?:rais)? pour|"
    r"pense que|crois que|répond(?:s|rais)|préfère)\b",
    r"\b(?:elijo|elegiría|escojo|escogería|selecciono|seleccionaría|diría(?: que)?|opto por|"
    r"optaría por|creo que|me quedo con|respondo|prefiero)\b",
    r"\[(?:答案|正解|정답|解答)\]|正确的(?:选项|答案)?[是为]",
    r"(?:答案|选项|選項|答え|正解|回答|解答|答|结论|結論|정답|"
    r"답변|답|결론)"
    r"(?:应该|應該|应当|应|應|就|可能)?\s{0,2}(?:是|为|為|選|选|:|は|은|는|이|=|→)\s{0,2}:?",
    r"(?:选择|選擇|选(?!项|择)|選(?!項|擇|択))(?:的是|了|答案)?\s{0,2}:?|選ぶのは|選択するのは",
    r"私は|(?:저는|나는|제가|내가)\s",
)
"""Ends right before the option that the reply answers with."""

CONCLUDING_CUE = any_of(
    rf"{_I}(?:say|think|believe|guess|suggest|give|mean|meant)\b",
    r"\b(?:so|thus|hence|therefore|but|it's|it is|that's|that is|this is|truth is|must be|"
    r"ha(?:s|ve) to be|leaves|leaving|left with|"
    r"sondern|sino|donc|mais|also|c'est|s'agit de|ist)\b[,:]?\s",
    r"=\s?|而是|所以",
)
"""May end right before the option that the reply answers with, if a clause ends after it."""

COPULA = re.compile(
    r"\b(?:is|are|be)(?::|(?=\s[(\"'\[]{0,2}\w{1,2}[\s\"')\]]{0,2}(?:[.,;:!)]|\n|$)))"
)
"""May do so where the reply has no more explicit answer: "The statement that fits is B."."""

FILLER = any_of(
    r"(?:that|it|its|it's|is|as|of|on|to|option|choice|answer|response|letter|number|statement|the|"
    r"my|a|an|most|more|likely|probably|definitely|clearly|indeed|either|both|best|correct|right|"
    r"final|following|would|be|one|with|for|therefore|thus|simply|only|given|choices|options|"
    r"single|accurate|appropriate|suitable|going|go|choose|select|selected|follows|below|this|"
    r"these|listed|provided|available|also|still|perhaps|maybe|now|here|then|so|are|was|in|opinion|view|i|"
    r"think|believe|guess|say|\w{2,14}ly|"
    r"die|der|das|ist|für|mich|antwort|lautet|buchstabe|möglichkeit|la|le|el|los|les|réponse|"
    r"lettre|proposition|que|c'est|est|pour|es|respuesta|letra|opción|alternativa|por)\b(?!')|l'",
    r"选项|選項|答案|選択肢|선택지|보기|是|的",
)
"""One word that may stand between a cue and the option."""

SEPARATORS = re.compile(r"[\s:,\"'(\[<>=–—→-]{0,20}")
"""What else may stand there."""

CONJUNCTION = re.compile(
    r"[\"')\].]{0,3}(?:"
    r"\s{0,2}[,;&/、]\s{0,2}(?:(?:and|or|und|oder|et|ou|y|o|as well as)\s{1,2})?"
    r"|\s{1,2}(?:and|or|und|oder|et|ou|y|o|as well as|plus|and/or)\s{1,2}(?:also\s)?"
    r"|\s?(?:和|或|与|與|及|と|か|または|와|과|및|또는)\s?)"
    r"(?:(?:maybe|perhaps|possibly|even)\s)?(?:(?:option|choice|answer|both|the)\s)?[\"'(\[]{0,2}"
)
"""What joins two options that are endorsed together."""

OPTION_NOUN_BEFORE = re.compile(
    r"(?:\b(?:option|choice|answer|letter|alternative|response|antwort|möglichkeit|buchstabe|"
    r"réponse|choix|lettre|opción|respuesta|letra|alternativa)s?|选项|選項|選択肢|선택지|보기)"
    r"\s{0,2}[:#]?\s{0,2}[\"'(\[]{0,2}\Z"
)
OPTION_NOUN_AFTER = re.compile(r"[\"')\]]{0,2}\s?(?:选项|選項|项(?!目)|번)")

REJECTED_BEFORE = re.compile(
    r"(?:\b(?:not|isn't|aren't|wasn't|never|neither|nor|than|instead of|over|against|except|unlike|"
    r"besides|without|wrong|incorrect|eliminat(?:e|es|ed|ing)|rul(?:e|es|ed|ing) out|"
    r"exclud(?:e|es|ed|ing)|reject(?:s|ed|ing)?|discard(?:ed|ing)?|dismiss(?:ed|ing)?|"
    r"nicht|statt|anstatt|kein|weder|pas|non|no|ni|plutôt que|en lugar de|descart(?:o|ar))"
    r"(?: {1,2}(?:necessarily|be|is|are|choose|select|pick|options?|choices?|answers?|letter|the|"
    r"to|la|le|el|opción|réponse|antwort)){0,3}|不是|不选|不選|排除|而非|不应选|并非)"
    r"[ \t\"'(\[:]{0,4}\Z"
)
"""Ends right before an option that the reply rejects."""

_AFTER_OPTION = (
    r"[\s\"')\]:–—-]{0,4}(?:, {1,2}(?:which|that) {1,2}|(?:which|that|option|answer) {1,2})?"
)
REJECTED_AFTER = re.compile(
    _AFTER_OPTION + r"(?:"
    r"(?:is|are|was|were|would be|seems?|appears?|looks?|(?:can|could|should|must|may) be)\s{1,2}"
    r"(?:(?:also|therefore|thus|just|both|all|to be|a|an|the|less|too|somewhat|"
    r"\w{1,14}ly)\s{1,2}){0,3}"
    r"(?:not\b|incorrect|wrong|false|inaccurate|unlikely|untrue|eliminated|ruled out|excluded|"
    r"irrelevant|invalid|impossible|implausible|misleading|distractor|incomplete|vague|broad|"
    r"(?:accurate|appropriate|likely) than)"
    r"|(?:isn't|aren't|wasn't|doesn't|don't|does not|do not|did not|cannot|can't|can not|won't|"
    r"wouldn't|would not|fails?)\b"
    r"|[.(]?\s?(?:incorrect|wrong|false|not correct)\b(?=[\s.,;:!)\]]|$)"
    r"|(?<=[:–—-]\s)no\b|\.\sno\b(?=[\s.,;]|$)"
    r"|[✗✘❌×]"
    r"|(?:ist|sind|wäre)\s(?:falsch|nicht|unwahrscheinlich)"
    r"|(?:est|sont)\s(?:fausse?|incorrecte?|pas)|n'est pas"
    r"|(?:no es|es incorrect|es fals)"
    r"|(?:选?项)?[都均]?是?(?:错误|不正确|不对|錯誤|不正確|错|排除|不符合)"
    r"|ではなく|[はが](?:誤り|間違|不正解|正しくな)|(?:는|은|가|이)\s?(?:틀|아니|오답|잘못))"
)
"""Directly after an option, rejects it."""

VERDICT_AFTER = re.compile(
    r"[\s\"')\]:–—-]{0,4}(?:, {1,2}(?:which|that) {1,2}|(?:\.?\s{1,2}(?:this|that|it))\s{1,2}|"
    r"(?:which|that|option|answer) {1,2}){0,2}(?:"
    r"(?:is|are|was|were|would be|should be|must be|seems?|appears?|looks?|remains?)\s{1,2}"
    r"(?:(?:also|therefore|thus|indeed|both|in fact|to be|the|my|a|only|one|single|most|more|"
    r"considered|"
    r"best|(?!hard|bare|unlike|scarce|incorrect|part)\w{1,14}ly)\s{1,2}){0,5}"
    r"(?:correct|right|true|answer|accurate|appropriate|suitable|closest|choice|best|valid|"
    r"plausible|likely|reasonable|fitting|logical|option)\b(?! (?:than|to think|that is not))"
    r"|(?:best|most (?:accurately|closely|likely)|correctly|accurately|better)\s{1,2}"
    r"(?:describe|represent|fit|match|reflect|answer|explain|summarize|capture|align|state|identif|"
    r"define)"
    r"|(?<=\b\w\s)(?:is|are)(?=\s?(?:[.!;]|$))|it is(?=[.!]|$)"
    r"|(?:correct|richtig|korrekt)\b(?=[\s.,;:!)\]]|$)|(?:[.(]\s?|(?<=[:–—-]\s))(?:right|true|yes|"
    r"correct)\b(?=[\s.,;!)]|$)"
    r"|[✓✔✅☑]"
    r"|(?:ist|sind|wäre)\s(?:die\s)?(?:richtig|korrekt)"
    r"|(?:est|serait)\s(?:la\s)?(?:bonne|correcte?|juste)"
    r"|es\s(?:la\s)?(?:respuesta\s)?correct[ao]|wählen\b"
    r"|(?:选?项)?(?:是|最|为)?(?:正确|对的|對的|正確|符合)"
    r"|が正解|が正しい|を選|です|だ(?=[。\s]|$)"
    r"|번?(?:입니다|이다|[를을] 선택|[가이] 정답|[가이] 맞|[가이] 옳))"
)
"""Directly after an option, says that it is the right one."""

TICKED_BEFORE = re.compile(r"(?:\[[xX]\]|[✓✔✅☑])[\s*_\"'(\[-]{0,4}\Z")
"""Ends right before an option that is ticked."""

SUPPOSED = any_of(
    r"\b(?:unless|whether|suppose|supposing|assuming|wenn|falls|in case)\b",
    r"\bif\b(?! (?:(?:i|we|you) )?(?:had|have|must|were|forced|pressed|pushed|asked))",
    r"^\s?had\b",
    r"\b(?:some (?:people|might|may|would|could)|(?:people|others|you|one) (?:might|may|could))\b",
    r"如果|假如|もし|만약",
)
"""Before a cue in its clause, says that what follows is only supposed, or said by others."""

NEGATED = any_of(
    r"\b(?:not|never|cannot|no|neither|incorrect|wrong|second|other|another|alternative|unlikely|"
    r"worst|nicht|kein|falsche?n?|pas|mauvaise|incorrecta)\b",
    r"n't\b|不|错误|錯誤",
)
"""Inside a cue, says that what follows is not the answer."""

ABOUT_ANOTHER = re.compile(
    r"\b(?:not|incorrect|wrong|other|second|worst|another|each|every|all)\s(?:(?:the|an)\s)?"
    r"(?:(?:answer|option|choice)s?\s)?\Z|(?:n't|cannot)\s\Z"
)
"""Right before a cue, says the same."""

CONDITIONAL = re.compile(r"\b(?:would|could|might)\b")

LISTING_LEAD = any_of(
    r"\b(?:options|choices|alternatives|possibilities|answers)\b[^\n]{0,60}(?<!\bare):$",
    r"\b(?:analy[sz]e|analysis|evaluate|consider|examine|go through|look at|break (?:it |"
    r"this )?down|"
    r"step by step|understand|explain|each|explanations?|overview|review|eliminate|other|"
    r"incorrect|wrong|reasons?)\b"
    r"[^\n]{0,80}(?<!\bis:)(?<!\bbe:)(?<!\bare:)$",
)
"""A line that announces a discussion of the options rather than an answer."""

BREAKS_LISTING = re.compile(r"\b(?:explanation|others?|remaining|incorrect|wrong|reason)\b")
"""Between two listed options, says that a new list begins."""

TENTATIVE_CUE = re.compile(
    r"\b(?:(?:could|might|may|can)(?: also)? be|either|perhaps|maybe|possibly)\b[,:]?\s"
)
"""Ends right before an option that the reply holds possible."""

CONCLUSION = re.compile(r"\b(?:therefore|thus|so|hence|overall|in conclusion|in summary)\b")

INTERJECTION = re.compile(
    r"\W{0,40}(?:(?:sure|certainly|of course|absolutely|okay|ok|yes|well|thank you|thanks|"
    r"great question|good question|hmm?|um+|ah|oh)[!,.:]{0,3}\s{0,3}){0,2}"
)

_EVERYDAY = (
    "a about all almost always an and answer any anything are at bad big both can could deal "
    "do does false few good great high higher i in is it kind less little lot low lower many "
    "maybe mind more most mostly much my neither never no none nor not nothing of often only "
    "option options or other possible question quite rarely really refused right same seldom "
    "some something sometimes somewhat sort sure that the them there things this time to too "
    "true very we well what wrong yes you "
)
EVERYDAY_WORDS = frozenset(_EVERYDAY.split())
"""Words that stand in prose by chance: a text of nothing else needs more than to be mentioned."""

_ORDINAL_WORDS = {
    word: place
    for words in (
        "first second third fourth fifth sixth seventh eighth ninth tenth",
        "erste zweite dritte vierte fünfte sechste siebte achte neunte zehnte",
        "première deuxième troisième quatrième cinquième sixième septième huitième",
        "primera segunda tercera cuarta quinta sexta séptima octava novena décima",
        "1st 2nd 3rd 4th 5th",
        "premier second",
    )
    for place, word in enumerate(words.split())
} | dict.fromkeys(("last", "final", "letzte", "dernière", "última"), -1)
_CJK_NUMERALS = "一二三四五六七八九十"
_OPTION_NOUN = (
    r"(?:option|choice|answer|one|alternative|statement|antwort|möglichkeit|réponse|opción|"
    r"respuesta)"
)
ORDINAL = any_of(
    rf"\b(?:{_OPTION_NOUN}|number|no\.|nr\.|n°)\s{{0,2}}[#(\"']?(?P<digits>\d{{1,2}})(?![\w.,]\d|"
    rf"\w)",
    rf"\b(?P<word>{'|'.join(_ORDINAL_WORDS)})n?\s{_OPTION_NOUN}\b",
    rf"第\s?(?P<cjk>\d{{1,2}}|[{_CJK_NUMERALS}])\s?(?:个|個|项|項|選択肢|つ目|番)",
    r"(?P<count>\d{1,2})\s?(?:番目?|번째?)",
)
NUMERAL = re.compile(r"(?<![\w.,$€£+-])#?(\d{1,2})(?=[\s\"')\]]{0,3}(?:$|[.,;:)!\n]))(?![.,]\d)")
"""A number on its own, which may stand for the option at that place."""


def ordinal_place(match: re.Match[str], count: int) -> int | None:
    """Which of ``count`` options an :data:`ORDINAL` match means, from 0; None if there is none."""
    digits = match["digits"] or match["count"]
    if match["cjk"]:
        place = _CJK_NUMERALS.find(match["cjk"])
        digits = None if place >= 0 else match["cjk"]
    elif match["word"]:
        place = _ORDINAL_WORDS[match["word"]]
        place = count - 1 if place < 0 else place
    if digits:
        place = int(digits) - 1
    return place if 0 <= place < count else None
