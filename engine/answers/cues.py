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
    r"\b(?:richtig|korrekt|zutreffend) (?:ist|wäre|sind)\b|\bl[ae] (?:bonne|correcte|juste) "
    r"(?:est|serait)\b|\bla correcta (?:es|sería)\b",
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
    r"(?:应该|應該|应当|应|應|就|可能|最可能|很可能)?\s{0,2}(?:是|为|為|選|选|:|は|은|는|이|=|→)\s{0,2}:?",
    r"(?:选择|選擇|选(?!项|择)|選(?!項|擇|択))(?:的是|了|答案)?\s{0,2}:?|選ぶのは|選択するのは",
    r"私は|(?:저는|나는|제가|내가)\s",
)
"""Ends right before the option that the reply answers with."""

CONCLUDING_CUE = any_of(
    rf"{_I}(?:say|think|believe|guess|suggest|give|mean|meant)\b",
    r"\b(?:so|thus|hence|therefore|but|it's|it is|that's|that is|this is|truth is|must be|"
    r"ha(?:s|ve) to be|(?:leaves|leaving|left)(?: (?:us|me|you|only))?(?: with)?|"
    r"sondern|sino|donc|mais|also|c'est|s'agit de|ist)\b[,:]?\s",
    r"=\s?|而是|所以",
    r"(?<=\bno,\s)|(?<=\bwait,\s)|(?<=\bactually,\s)|(?<=\brather,\s)|(?<=second thought,\s)",
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
    r"de|die|der|das|ist|für|mich|antwort|lautet|buchstabe|möglichkeit|la|le|el|los|les|réponse|"
    r"lettre|proposition|que|c'est|est|pour|es|respuesta|letra|opción|alternativa|por)\b(?!')|l'",
    r"选项|選項|答案|選択肢|선택지|보기|是|的",
)
"""One word that may stand between a cue and the option."""

SEPARATORS = re.compile(r"[\s:,\"'(\[<>=–—→-]{0,20}")
"""What else may stand there."""

_AND = (
    r"(?:and/or|and|or|as well as|plus|und|oder|als auch|sowie|wie auch|et|ou|ainsi que|y|o|"
    r"así como|como)"
)
CONJUNCTION = re.compile(
    rf"[\"')\].]{{0,3}}(?:\s{{0,4}}[,;&/、]\s{{0,4}}(?:{_AND}\s{{1,2}})?|\s{{1,4}}{_AND}\s{{1,4}}"
    r"(?:also\s)?|\s?(?:和|或者?|与|與|以?及|还有|跟|と|や|か|または|および|와|과|및|또는|이?나)\s?)"
    r"(?:(?:maybe|perhaps|possibly|even)\s)?(?:(?:option|choice|answer|both|the|la|le)\s)?"
    r"[\"'(\[]{0,2}"
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
    r"|[.(]?\s?(?:incorrect|wrong|false|not correct)\b"
    r"(?!\s{1,3}(?:option|answer|choice|statement|alternative)s?)(?=[\s.,;:!)\]]|$)"
    r"|(?<=[:–—-]\s)no\b|\.\sno\b(?=[\s.,;]|$)"
    r"|[✗✘❌×]"
    r"|(?:ist|sind|wäre)\s(?:(?:also|daher|somit|auch|ebenfalls)\s)?"
    r"(?:falsch|nicht|unwahrscheinlich|unzutreffend|keine)"
    r"|trifft nicht|scheidet aus|entfällt|passt nicht|kommt nicht in"
    r"|(?:est|sont)\s(?:(?:donc|également|aussi|toutes)\s)?(?:faux|fausses?|incorrecte?s?|inexacte?s?|"
    r"erronée?s?|pas|éliminée?s?|exclue?s?)|n'est pas|ne (?:convient|correspond|sont|décrit)"
    r"|no (?:es|son|corresponde|describe)\b|(?:es|son)\s(?:también\s)?(?:incorrect|fals|erróne)"
    r"|queda(?:n)? descartad"
    r"|(?:选?项)?(?:也|都|均|则|就)?是?(?:错误|不正确|不对|錯誤|不正確|错|排除|不符合|不是)"
    r"|(?:では|じゃ)なく|[はがも]?(?:誤り|誤って|間違|不正解|正しくな|不適切|違い(?:ます|ま))"
    r"|(?:는|은|가|이|도)?\s?(?:틀|아니|아닌|오답|잘못|옳지 않|맞지 않))"
)
"""Directly after an option, rejects it."""

VERDICT_AFTER = re.compile(
    r"[\s\"')\]:–—-]{0,4}(?:, {1,2}(?:which|that) {1,2}|(?:\.?\s{1,2}(?:this|that|it))\s{1,2}|"
    r"(?:which|that|option|answer) {1,2}){0,2}(?:"
    r"(?:is|are|was|were|would be|should be|must be|seems?|appears?|looks?|remains?)\s{1,2}"
    r"(?:(?:also|therefore|thus|indeed|both|in fact|to be|the|my|a|only|one|single|most|more|"
    r"considered|better|"
    r"best|(?!hard|bare|unlike|scarce|incorrect|part)\w{1,14}ly)\s{1,2}){0,5}"
    r"(?:correct|right|true|answer|accurate|appropriate|suitable|closest|choice|best|valid|"
    r"plausible|likely|reasonable|fitting|logical|option|fit|match|left|"
    r"remaining)\b(?! (?:than|to think|that is not))"
    r"|(?:best|most (?:accurately|closely|likely)|correctly|accurately|better)\s{1,2}"
    r"(?:describe|represent|fit|match|reflect|answer|explain|summarize|capture|align|state|identif|"
    r"define)"
    r"|(?<=\b\w\s)(?:is|are)(?=\s?(?:[.!;]|$))|it is(?=[.!]|$)"
    r"|(?:correct|richtig|korrekt)\b(?=[\s.,;:!)\]]|$)|(?:[.(]\s?|(?<=[:–—-]\s))(?:right|true|yes|"
    r"correct)\b(?=[\s.,;!)]|$)"
    r"|[✓✔✅☑]"
    r"|(?:ist|sind|wären?)\s(?:(?:die|das|der|also|somit|daher|damit|beide)\s){0,2}"
    r"(?:richtig|korrekt|zutreffend|beste)|trifft (?:am besten )?zu\b"
    r"|(?:est|sont|serait|seraient)\s(?:(?:la|le|les|donc|toutes|tous|deux)\s){0,3}"
    r"(?:bonn|correct|juste|exact|vrai|meilleur)"
    r"|(?:es|son|sería|serían)\s(?:(?:la|las|el|los|ambas|también)\s){0,2}"
    r"(?:(?:respuesta|opción|opciones)s?\s)?(?:correct[ao]s?|verdader[ao]s?|más adecuad)|wählen\b"
    r"|(?:选?项)?(?:都|均|才)?(?:是|最为?|为|較為|较为)?"
    r"(?:正确|对的|對的|正確|符合|合适|恰当|准确|贴切)"
    r"|(?:の(?:両方|どちら|二つ|2つ))?(?:とも|も)?[はがも]?(?:正解|正しい|答え(?:です|だ|となり)|適切です)"
    r"|を選|です|だ(?=[。\s]|$)"
    r"|번?(?:입니다|이다|[를을] 선택|(?:[가이]|는|은)?\s?(?:모두\s|둘 다\s|가장\s)?"
    r"(?:정답|맞|옳|적절|적합|알맞|올바)))"
)
"""Directly after an option, says that it is the right one."""

TICKED_CELL = re.compile(
    r"[^|\w]{0,4}\|\s{0,20}(?:yes|true|correct|right)\W{0,20}\|", re.IGNORECASE
)
"""Directly after an option, calls it right in the next cell of a table."""

TICKED_BEFORE = re.compile(r"(?:\[[xX]\]|[✓✔✅☑])[\s*_\"'(\[-]{0,4}\Z")
"""Ends right before an option that is ticked."""

SUPPOSED = any_of(
    r"\b(?:unless|whether|suppose|supposing|assuming|wenn|falls|in case)\b",
    r"\bif\b(?! (?:(?:i|we|you) )?(?:had|have|must|were|forced|pressed|pushed|asked))",
    r"^\s?had\b",
    r"\b(?:some (?:people|might|may|would|could)|(?:people|others|you|one) (?:might|may|could))\b",
    r"\bat first\b|\binitially\b|\btempt(?:ed|ing) to\b|\b(?:first|initial|original|earlier) "
    r"(?:guess|thought|instinct|impression|inclination)\b",
    r"如果|假如|もし|만약",
)
"""Before a cue in its clause, says that what follows is only supposed, or said by others."""

ATTRIBUTED = re.compile(
    r"\b(?:some|others|other (?:people|experts)|critics|opponents|proponents|supporters)\b"
    r"(?: \w{1,14}){0,3} (?:argue|believe|say|think|feel|claim|would|might|may|could|consider|see|"
    r"view|find|contend|suggest|prefer)\b"
)
"""Before an option's text in its sentence, says that it is the view of others."""

NEGATED = any_of(
    r"\b(?:not|never|cannot|no|neither|incorrect|wrong|second|other|another|alternative|unlikely|"
    r"worst|initial(?:ly)?|original(?:ly)?|earlier|previous(?:ly)?|tempt(?:ed|ing)|"
    r"nicht|kein|falsche?n?|pas|mauvaise|incorrecta)\b",
    r"n't\b|不|错误|錯誤",
)
"""Inside a cue, says that what follows is not the answer."""

DEMANDED_BEFORE = re.compile(r"\b(?:should|must|ought to) be\s\Z")
"""Right before an option's text, makes it the reply's demand: "there should be more women"."""

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

TENTATIVE_CUE = any_of(
    r"\b(?:(?:could|might|may|can)(?: also)?(?: be)?|either|perhaps|maybe|possibly|probably|"
    r"vielleicht|vermutlich|wahrscheinlich|möglicherweise|entweder|peut-être|probablement|"
    r"pourrait être|soit|quizás?|tal vez|probablemente|podría ser)\b[,:]?\s",
    r"\((?=\w{1,2}(?:\s?[,/&]|\s(?:or|and))\s?\w{1,2}\))",
    r"可能(?:是|为)|也许(?:是)?|或许(?:是)?|大概是|应该是|おそらく|たぶん|多分|아마도?\s",
)
"""Ends right before an option that the reply holds possible."""

CONCLUSION = any_of(
    r"\b(?:therefore|thus|so|hence|overall|in conclusion|in summary|somit|daher|deshalb|folglich|"
    r"donc|ainsi|en conclusion|por lo tanto|por tanto|así que|por eso)\b",
    r"因此|所以|故|综上|よって|したがって|従って|ゆえに|따라서|그러므로",
)

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
