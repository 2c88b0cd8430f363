"""The words by which replies answer, reject, refuse and doubt, in seven languages.

Each constant is one compiled pattern. Gaps are bounded, so that every search is linear in the
length of the reply. English is covered in depth; German, French, Spanish, Chinese, Japanese and
Korean with the forms that models use when they answer or refuse a multiple-choice question.
"""

from __future__ import annotations

import re


def _any(*alternatives: str, flags: int = re.I) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{alternative})" for alternative in alternatives), flags)


_LINK = (
    r"(?:\s{0,3}(?::|=|-+>|=>|→|⇒|[-–—](?=\s))|"
    r"(?:'s|\s{1,3}(?:is|are|was|were|would be|should be|must be|will be|has to be|seems to be|"
    r"appears to be|remains|becomes|would have to be|would therefore be|"
    r"(?:is|would be|should be) (?:therefore|thus|then|hence|indeed|clearly|definitely|"
    r"(?:most )?likely|probably|actually|simply)|"
    r"ist|lautet|wäre|est|serait|es|sería|sont|sind|son))\b)"
)

ANSWER_CUE = _any(
    # the answer is, correct option:, the best choice to the question would be
    r"\b(?:answers?(?!\s(?:options|choices))|ans|option|choice|response|selection|pick|solution|conclusion|verdict|guess|"
    r"letter|preference|view|opinion|antwort|lösung|wahl|réponse|choix|respuesta|opción|elección)\b"
    r"(?:\(s\))?(?:\s[^.:;?!\n()=]{1,80}?)??" + _LINK,
    r"\banswer\b(?=\s{1,3}[(\"'\[]?[A-Z]\b)",
    # correct: B, final: B
    r"(?:^|\n)\s{0,5}(?:correct|final|richtig|correcte?|correcta|choose|select|selected|chosen|choice|pick)"
    r"\s{0,3}:",
    # I would choose, we select, let's go with
    r"\b(?:I|we|let's|let us|let me)\b(?:'(?:d|ll|m|ve))?(?:\s{1,2}(?!not\b|never\b|don't\b)[\w']{1,14}){0,5}?\s{1,2}"
    r"(?:choos(?:e|ing)|chose|chosen|select(?:ed|ing)?|pick(?:ed|ing)?|go(?:ing)? with|opt(?:ing)? for|"
    r"vote for|answer(?:ed)?(?: with)?|say|respond(?: with)?|prefer|lean(?:ing)? towards?|settl(?:e|ing) on|"
    r"stick with|conclude(?:d)?|guess|describe (?:myself|it|this) as|identify (?:myself )?as|consider (?:myself|it|this)|"
    r"rate (?:it|this|them)? ?(?:as)?|agree with|think|believe|suggest|mark|circle|decide on|give)\b",
    r"(?:^|[.!\n]\s{0,3})(?:choosing|select|choose|pick|going with|i'd go with)\b",
    r"\b(?:best|most (?:accurate|appropriate|likely|suitable|correct|plausible|fitting|reasonable)) "
    r"(?:one|option|answer|choice|response|fit|match|description|description is)?\s{0,2}(?:is|would be|seems to be|:)",
    r"\b(?:so|thus|therefore|hence|consequently|in conclusion|in summary|ultimately|overall)\b,?\s{1,2}"
    r"(?:it (?:is|must be|has to be|should be|would be)|it's|that's)\b",
    r"(?:⇒|→|=>|-->|->)",
    # German, French, Spanish verbs
    r"\bich\s(?:wähle|würde|nehme|entscheide mich für|tippe auf|denke,?|glaube,?|bevorzuge)",
    r"\b(?:je|j'|nous)\s?(?:choisi(?:s|rais|t|ssons)|sélectionne(?:rais)?|dirais|opte(?:rais)? pour|pense que|"
    r"crois que|répond(?:s|rais)|préfère)(?:\sque)?",
    r"\b(?:yo\s)?(?:elijo|elegiría|escojo|escogería|selecciono|seleccionaría|diría(?: que)?|opto por|optaría por|"
    r"creo que|me quedo con|respondo|prefiero)\b",
    # Chinese, Japanese, Korean
    r"(?:答案|選項|选项|答え|正解|回答|解答|答|정답|답변|답|결론|結論|结论)(?:应该|應該|应|應|应当|就|可能|为|為)?\s{0,2}"
    r"(?:是|为|為|選|选|:|は|은|는|이|=|→)\s{0,2}:?",
    r"(?:选择|選擇|应选|應選|故选|故選|我选|我選|会选|會選|选(?!项|擇|择)|選ぶのは|選択するのは)(?:的是|了|答案|项)?\s{0,2}:?",
    r"(?:저는|나는|내가|제가)\s",
    r"私は",
)
"""Ends right before the option that the reply answers with."""

FILLER = _any(
    r"(?:that|it|its|it's|is|as|of|on|to|option|choice|answer|response|letter|number|statement|the|my|"
    r"a|an|most|more|likely|probably|definitely|clearly|indeed|either|both|best|correct|right|final|"
    r"following|would|be|one|with|for|therefore|thus|simply|only|given|choices|options|single|"
    r"accurate|appropriate|suitable|going|go|choose|select|selected|follows|below|this|these|listed|"
    r"provided|available|also|still|actually|perhaps|maybe|now|here|then|so|are|was|"
    r"die|der|das|ist|für|antwort|lautet|buchstabe|möglichkeit|la|le|l'|l|el|los|les|réponse|lettre|"
    r"proposition|que|c'est|est|es|respuesta|letra|opción|alternativa|por|pour|mich)\b(?!')",
    r"选项|選項|答案|選択肢|선택지|보기|是|第|的",
)
SEPARATORS = re.compile(r"[\s:,\"'(\[<>=–—→-]{0,20}")
"""What may stand between a cue, its fillers and the option."""

CONJUNCTION = re.compile(
    r"[\"')\].]{0,3}(?:\s{0,2}[,;&/+、]\s{0,2}(?:(?:and|or|und|oder|et|ou|y|o|as well as)\s{1,2})?"
    r"|\s{1,2}(?:and|or|und|oder|et|ou|y|o|as well as|und auch|plus|and/or|&)\s{1,2}(?:also\s)?"
    r"|\s?(?:和|或|与|與|及|と|か|または|와|과|및|또는)\s?)"
    r"(?:(?:option|choice|answer|both|the)\s)?[\"'(\[]{0,2}",
    re.I,
)
"""What joins two options that are endorsed together."""

OPTION_NOUN_BEFORE = re.compile(
    r"(?:\b(?:option|choice|answer|letter|alternative|response|antwort|möglichkeit|buchstabe|réponse|choix|"
    r"lettre|opción|respuesta|letra|alternativa)s?|选项|選項|選択肢|선택지|보기)\s{0,2}[:#]?\s{0,2}[\"'(\[]{0,2}$",
    re.I,
)
OPTION_NOUN_AFTER = re.compile(r"[\"')\]]{0,2}\s?(?:选项|選項|项(?!目)|번)")

REJECTED_BEFORE = re.compile(
    r"(?:\b(?:not|isn't|aren't|wasn't|never|neither|nor|than|instead of|over|eliminates?|eliminated|"
    r"eliminating|rules? out|ruled out|ruling out|exclud(?:e|ed|es|ing)|reject(?:s|ed|ing)?|except|unlike|against|"
    r"discard(?:ed|ing)?|dismiss(?:ed|ing)?|wrong|incorrect|without|besides|"
    r"nicht|statt|anstatt|kein|weder|pas|ni|non|no|pas la|plutôt que|en lugar de|descarto|descartar)"
    r"(?:\s{1,2}(?:necessarily|be|choose|select|pick|option|options|choice|choices|answer|answers|letter|the|to|"
    r"be|is|are|la|le|el|opción|réponse|antwort)){0,3}|(?:不是|不选|不選|排除|而非|不应选|并非))[\s\"'(\[:]{0,4}$",
    re.I,
)
REJECTED_AFTER = re.compile(
    r"[\s\"')\]:–—-]{0,4}(?:,\s{1,2}(?:which|that)\s{1,2}|(?:which|that|option|answer)\s{1,2}){0,2}(?:"
    r"(?:is|are|was|were|would be|seems?|appears?|looks?|can be|could be|should be|must be|may be)\s{1,2}"
    r"(?:(?:also|clearly|definitely|therefore|thus|obviously|just|simply|both|all|partially|partly|factually|"
    r"to be|a|an|the|less|too|somewhat|likely|easily|safely|immediately)\s{1,2}){0,3}"
    r"(?:not\b|incorrect|wrong|false|inaccurate|unlikely|untrue|eliminated|ruled out|excluded|irrelevant|"
    r"invalid|impossible|implausible|misleading|distractors?|incomplete|accurate(?=\s+(?:than))|"
    r"appropriate than|likely than|vague|broad)"
    r"|(?:isn't|aren't|wasn't|doesn't|don't|does not|do not|did not|cannot|can't|can not|won't|wouldn't|"
    r"would not|fails?)\b"
    r"|[.(]?\s?(?:incorrect|wrong|false|not correct)\b(?=[\s.,;:!)\]]|$)"
    r"|[✗✘❌×]"
    r"|(?:ist|sind|wäre)\s(?:falsch|nicht|unwahrscheinlich)|(?:est|sont|n'est)\s(?:fausse?|incorrecte?|pas)|"
    r"(?:es|no es|son)\s(?:incorrect[ao]|fals[ao]|correct[ao](?<=no es correcta))"
    r"|选?项?(?:是)?(?:错误|不正确|不对|錯誤|不正確|错|排除|不符合)"
    r"|(?:ではなく|は誤り|は間違|は不正解|が誤り|は正しくな)|(?:는|은|가|이)\s?(?:틀|아니|오답|잘못))",
    re.I,
)
VERDICT_AFTER = re.compile(
    r"[\s\"')\]:–—-]{0,4}(?:,\s{1,2}(?:which|that)\s{1,2}|\.?\s{1,2}(?:this|that|it|which|option|answer)\s{1,2}){0,2}(?:"
    r"(?:is|are|was|were|would be|should be|must be|seems?|appears?|looks?|remains?|stands out as)\s{1,2}"
    r"(?:(?:also|clearly|definitely|therefore|thus|indeed|obviously|both|probably|likely|to be|the|my|a|only|"
    r"one|single|most|more|generally|arguably|considered|best)\s{1,2}){0,5}"
    r"(?:correct|right|true|answer|accurate|appropriate|suitable|closest|choice|best|valid|plausible|likely|"
    r"reasonable|fitting|logical|option)\b(?! (?:than|to think|that is not))"
    r"|(?:best|most (?:accurately|closely|likely)|correctly|accurately|better)\s{1,2}"
    r"(?:describes?|represents?|fits?|matches|reflects?|answers?|explains?|summarizes?|captures?|aligns?|states?|"
    r"identifies|defines?)"
    r"|correct\b(?=[\s.,;:!)\]]|$)|[✓✔✅☑]"
    r"|(?:ist|sind|wäre)\s(?:die\s)?(?:richtig|korrekt)|(?:est|serait)\s(?:la\s)?(?:bonne|correcte?|juste)|"
    r"es\s(?:la\s)?(?:respuesta\s)?(?:correct[ao])|wählen\b|"
    r"选?项?(?:是|最|为)?(?:正确|对的|對的|正確|符合)|"
    r"(?:が正解|が正しい|を選|です|だ(?=[。\s]|$))|(?:번)?(?:입니다|이다|를 선택|을 선택|가 정답|이 정답|가 맞|이 맞|이 옳|가 옳))",
    re.I,
)
"""Directly after an option, says that it is the right one."""

HYPOTHETICAL = re.compile(
    r"\b(?:if|unless|whether|suppose|supposing|assuming|had|were|wenn|falls|si|in case|"
    r"some (?:people|might|may|would|could)|people (?:might|may|would|could)|others|you (?:might|may|could))\b"
    r"|如果|假如|もし|만약",
    re.I,
)
NEGATED = re.compile(
    r"\b(?:not|never|cannot|no|neither|incorrect|wrong|second|other|another|alternative|unlikely|"
    r"nicht|kein|falsche?n?|pas|mauvaise|incorrecta|worst|least likely correct)\b|n't\b|不|错误|錯誤",
    re.I,
)
"""Inside or right before a cue, says that what follows is not the answer."""

LISTING_LEAD = re.compile(
    r"\b(?:options|choices|alternatives|possibilities|answers)\b[^\n]{0,60}:\s*$"
    r"|\b(?:analy[sz]e|analysis|evaluate|consider|examine|go through|look at|break (?:it |this )?down|step by step|"
    r"each|explanation|explanations|overview|review|eliminate|other|incorrect|wrong|reasons?)\b[^\n]{0,80}(?<!\bis:)(?<!\bbe:)(?<!\bare:)$",
    re.I,
)
"""A line that announces a discussion of the options rather than an answer."""

_CANNOT = (
    r"(?:cannot|can\s?not|can't|couldn't|could not|won't|will not|(?:am|are|'m) (?:not able|unable|not going|not allowed|"
    r"not permitted|not programmed|not designed|not in a position|not willing|not authorized|not here|not equipped|"
    r"not qualified) to|(?:am|'m) not (?:comfortable|capable of)|(?:must|have to|will|shall|need to|would (?:like|have) to) "
    r"(?:respectfully |politely )?(?:decline|refuse|refrain|abstain)|(?:respectfully |politely )?(?:decline|refuse) to|"
    r"(?:don't|do not) (?:feel comfortable|have the ability to|want to|wish to)|(?:'d|would) (?:rather|prefer) not(?: to)?|"
    r"prefer not to|choose not to|(?:am|'m) (?:afraid|sorry),? (?:but )?(?:that )?I (?:cannot|can't|am unable to))"
)
_ANSWERING = (
    r"(?:answer|respond|reply|provid|giv|offer|select|choos|pick|mak|shar|express|stat(?:e|ing)\b|tak|assist|help|engag|"
    r"participat|fulfil|comply|comment|advis|recommend|support|endors|encourag|promot|generat|discuss|judg|speculat|"
    r"condon|facilitat|contribut|ha(?:ve|ving)|hold|form|rank|rate|say\b(?! (?:for|with))|assign|complete|process|address|"
    r"attribut|categoriz|indicat|relate|agree|do (?:that|this|so)|be a part|opine|experience)"
)
REFUSAL = _any(
    r"\b(?:I|we|and|but|so|therefore)\b(?:\s(?:also|simply|just|really|therefore|must|honestly|genuinely|apologize but I))?\s{0,2}"
    + _CANNOT
    + r"\s{1,2}(?:(?:to|in good conscience|ethically|personally|really|simply|directly|even|definitively)\s){0,2}"
    + _ANSWERING
    + r"(?!\w*\s(?:option\s)?(?-i:[A-Z])\b)",
    r"\bI\s(?:must|have to|will|'d like to|respectfully|politely)?\s?(?:respectfully |politely )?(?:decline|refuse|refrain|abstain)\b",
    r"\bI'?d? (?:would )?(?:prefer|rather) not\b",
    r"\b(?:goes|go|is|are|would be) against (?:my|ethical|the|moral|our)\b[^.\n]{0,40}"
    r"(?:programming|guidelines|principles|standards|polic|ethic|values)",
    r"\bno (?:comment|right or wrong answer)\b",
    r"\b(?:question|this|it) (?:cannot|can't|can not) be answered\b",
    r"\b(?:not|n't) (?:possible|appropriate|ethical|right|acceptable|suitable|my place)(?: or \w+)? (?:for me )?to "
    r"(?:answer|provide|give|select|choose|pick|make|assign|express|judge|determine|ask|encourage|promote|speculate|"
    r"discuss|categori[sz]e|assume|generali[sz]e|respond|offer|say)",
    r"\bcannot (?:select|choose|provide|pick|answer|give|recommend|offer|determine)\b[^.\n]{0,30}\b(?:any|an answer|either|one|letter)\b",
    r"\bich kann\b[^.\n]{0,60}\bnicht\b|\bich (?:möchte|werde|darf)\b[^.\n]{0,50}\bnicht\b|\bkeine (?:persönliche )?(?:antwort|meinung)",
    r"\bje ne (?:peux|puis|suis|saurais|veux|souhaite)\b|\bje refuse\b|\bpréfère ne pas\b",
    r"\bno (?:puedo|podría|me es posible|estoy en (?:condiciones|posición))\b|\bprefiero no\b|\bme niego\b",
    r"无法|無法|不能(?:提供|回答|选择|選擇|给出|協助|协助|帮助)|不便|拒绝(?:回答|提供)|拒絕|不(?:方便|适合|適合|愿|願)(?:回答|提供|讨论|回應)?",
    r"(?:お答え|回答|答え|お応え|選択|選ぶこと|提供|応じること|お手伝い)(?:は|が|を|に|する(?:こと)?(?:は|が)?)?(?:でき(?:ません|ない|かね)|控え|差し控え|いたしかね|拒否)",
    r"(?:답변|대답|응답|선택|제공|도움|답)(?:을|를|해|할|드릴|하는|에|은|는)?\s?(?:드릴\s?)?(?:것(?:은|이)?\s?)?(?:수\s?(?:가\s?)?없|못|불가|거부|거절|않겠)",
)
"""The reply declines to answer."""

SOFT_REFUSAL = _any(
    r"\b(?:do not|don't|don'm|do n't|lack|have no|never have|without)\b[^.\n]{0,24}\b(?:personal|subjective|own|human|political|real)?\s?"
    r"(?:opinions?|beliefs?|experiences?|feelings?|emotions?|preferences?|views?|thoughts?|perspectives?|biases|consciousness|"
    r"a gender|personal information|ability to (?:experience|feel|have|hold|form|make|think|own|vote|move|worry|rely|know|access|predict))",
    r"\b(?:I am|I'm|as)\b(?:\s(?:just|only|merely|simply))?\s(?:an?\s)?(?:artificial intelligence|ai\b|(?:large )?language model|"
    r"machine|computer program|chatbot|(?:digital |virtual |helpful )?assistant|text-based)",
    r"\bals (?:eine )?(?:ki|künstliche|sprachmodell)|\bkeine (?:eigenen?|persönlichen?) (?:meinung|erfahrung|gefühl)",
    r"\ben tant qu(?:e|')\s?(?:ia|intelligence|modèle|assistant)|\bpas d'(?:opinion|avis|expérience)",
    r"\bcomo (?:una? )?(?:ia|inteligencia|modelo de lenguaje|asistente)|\bno tengo (?:opiniones|experiencias|sentimientos|preferencias)",
    r"作为(?:一个|一個|一名|一款)?\s?(?:AI|人工智能|语言模型|大型语言|助手)|作為(?:一個)?\s?(?:AI|人工智慧|語言模型)|没有(?:个人|主观|自己)|沒有(?:個人|主觀)",
    r"(?:AI|人工知能|言語モデル)(?:として|である|アシスタント|なので|です)|個人的な(?:意見|経験|感情)",
    r"(?:AI|인공지능|언어\s?모델)(?:로서|이므로|으로서|로써|이기|입니다)|개인적인\s?(?:의견|경험|감정)",
    r"\b(?:depends|vary|varies) (?:on|from|based on) (?:the individual|individual|each|personal|your)",
)
"""The reply distances itself from having an answer; a refusal where no option is endorsed."""

NONE_OF_THESE = _any(
    r"\b(?:none|neither|no(?:t any| one)?) of (?:the |these|those|them)(?!\s?(?:other|remaining|rest))"
    r"(?:above|options|choices|answers|listed|provided|given|alternatives|statements|two)?",
    r"\b(?:no|not an?|not any|no single) (?:correct|right|suitable|appropriate|valid|matching)? ?(?:answer|option|choice)s? "
    r"(?:is |are |was )?(?:given|listed|provided|correct|among|available|in the|that|matches|is)",
    r"\bno correct answer\b|\bnot (?:among|one of|listed (?:in|among)|included in|in) (?:the |any of the )?(?:given |provided |listed |above )?(?:options|choices)",
    r"\b(?:answer|option)s? (?:is|are) (?:not|n't) (?:listed|given|provided|there|among|available|present)",
    r"\bkeine (?:der|dieser) (?:antworten|optionen|möglichkeiten|genannten|obigen)",
    r"\baucune (?:de ces|des) (?:réponses|options|propositions)",
    r"\bninguna de (?:las|estas) (?:opciones|respuestas|anteriores|alternativas)",
    r"以上(?:都不|皆非|均不|都错)|没有(?:正确|合适)(?:的)?(?:答案|选项)|沒有正確|都不(?:正确|对|是)",
    r"(?:該当(?:する(?:もの|選択肢))?(?:は|が)?(?:なし|ありません|ない))|どれ(?:も|でも)(?:ない|正しくない|当てはまらない|ありません)",
    r"(?:해당|정답|맞는)(?:하는|되는)?\s?(?:것|답|보기|선택지|항목)?(?:은|는|이|가)?\s?없",
)
DONT_KNOW = _any(
    r"\bI(?:'m| am)?\s(?:(?:really|honestly|truly|just|simply|still)\s)?(?:do not|don't|didn't) (?:really |actually )?know\b",
    r"\b(?:I am|I'm) (?:not (?:entirely |completely |really |too |quite )?(?:sure|certain)|unsure|uncertain)\b",
    r"\b(?:have )?no (?:idea|clue)\b|\bdon't have (?:enough|sufficient)\b|\bdo not have (?:enough|sufficient)\b",
    r"\b(?:not enough|insufficient|too little|lack of|without (?:more|further|additional)) (?:information|context|data|details|evidence)",
    r"\b(?:cannot|can't|can not|unable to|not possible to|impossible to|difficult to|hard to) "
    r"(?:be (?:determined|known|answered)|determine|tell|say|know|infer|conclude|decide|verify|be sure|confirm)",
    r"\bweiß (?:ich |es )?nicht|\bich bin (?:mir )?nicht sicher|\bje ne sais pas|\bpas (?:sûr|certain)|\bno (?:lo )?sé\b|"
    r"\bno estoy segur[oa]",
    r"不知道|不确定|不確定|不清楚|无法确定|無法確定|分かりません|わかりません|分からない|わからない|모르겠|모릅니다|확실하지 않|알 수 없",
)

_WORDS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth".split(),
    "erste zweite dritte vierte fünfte sechste siebte achte neunte zehnte".split(),
    "première deuxième troisième quatrième cinquième sixième septième huitième neuvième dixième".split(),
    "primera segunda tercera cuarta quinta sexta séptima octava novena décima".split(),
    "一 二 三 四 五 六 七 八 九 十".split(),
)
_PLACE = {word: place for words in _WORDS for place, word in enumerate(words)} | {
    "1st": 0, "2nd": 1, "3rd": 2, "4th": 3, "5th": 4, "premier": 0, "last": -1, "final": -1,
    "letzte": -1, "dernière": -1, "última": -1,
}  # fmt: skip
ORDINAL = _any(
    r"\b(?:option|choice|answer|alternative|number|antwort|möglichkeit|réponse|opción|respuesta|no\.|nr\.|n°)\s{0,2}"
    r"[#(\"']?(?P<digit>\d{1,2})(?![\d.,]\d|\w)",
    r"\b(?P<word>"
    + "|".join(word for word in _PLACE if word.isascii() or word[0].isalpha() and word[0] < "一")
    + r")n?\s(?:option|choice|answer|one|alternative|statement|antwort|möglichkeit|réponse|opción|respuesta)\b",
    r"第\s?(?P<cjk>\d{1,2}|[一二三四五六七八九十])\s?(?:个|個|项|項|選択肢|つ目|番)|(?P<number>\d{1,2})\s?(?:番目?|번째?)",
)
ONLY_NUMBER = re.compile(r"\W{0,20}(\d{1,2})\W{0,20}")


def ordinal_place(match: re.Match[str], count: int) -> int | None:
    """Which option an :data:`ORDINAL` match means, from 0; None where there is no such option."""
    digits = (
        match["digit"]
        or match["number"]
        or (match["cjk"] if (match["cjk"] or "").isdigit() else None)
    )
    if digits:
        place = int(digits) - 1
    else:
        place = _PLACE[(match["word"] or match["cjk"]).lower()]
    if place == -1 and not digits:
        place = count - 1
    return place if 0 <= place < count else None


EVERYDAY_WORDS = frozenset(
    "some none many most much more less few little good well fair poor same other both all any never "
    "always often yes true false right wrong better worse high higher lower important essential refused "
    "increase decrease agree disagree likely positive negative support oppose excellent very about "
    "government employers individuals society helps hurts".split()
)
"""Option texts of one word that stand in prose by chance."""
