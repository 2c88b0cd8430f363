"""The words by which replies decline, doubt or find no option right, in seven languages.

Searched like those of :mod:`engine.answers.cues`, in a lower-cased reply.
"""

from __future__ import annotations

from engine.answers.cues import any_of

_CANNOT = (
    r"(?:cannot|can\s?not|can't|couldn't|could not|should not|shouldn't|(?:won't|"
    r"will not)(?: be)?(?: able to)?|"
    r"(?:am|are|'m|'re) (?:not able|unable|not going|not allowed|not permitted|not programmed|"
    r"not designed|not in a position|not willing|not authorized|not here|not equipped|"
    r"not qualified) to|(?:am|'m) not (?:comfortable|capable of)|"
    r"(?:don't|do not) (?:feel comfortable|have the ability to|want to|wish to)|"
    r"choose not to)"
)
_ANSWERING = (
    r"(?:answer|respond|reply|provid|giv|offer|select|choos|pick|mak|shar|express|stat(?:e|ing)\b|"
    r"tak|assist|help|engag|participat|fulfil|comply|comment|advis|recommend|support|endors|"
    r"encourag|"
    r"promot|generat|discuss|judg|speculat|condon|facilitat|contribut|ha(?:ve|ving)\b|hold|form|"
    r"rank|"
    r"rate|say\b(?! (?:for|with))|assign|complete|process|address|attribut|categoriz|indicat|"
    r"relate|"
    r"agree|do (?:that|this|so)\b|be a part|opine|experience|satisf|accept|accommodat|predict|"
    r"tolerat|feel\b|"
    r"disclos|reveal)"
)
_MANNER = (
    r"(?:(?:to|in good conscience|ethically|personally|really|simply|directly|even|definitively)"
    r"\s){0,2}"
)
REFUSAL = any_of(
    r"\b(?:i|we|and|but|so|therefore)\b"
    r"(?:\s(?:also|simply|just|really|therefore|must|honestly|genuinely|apologize but i))?\s{0,2}"
    rf"{_CANNOT}\s{{1,2}}{_MANNER}{_ANSWERING}\w{{0,20}}",
    r"\bi (?:cannot|can't|won't|refuse|decline)\s?[.!]",
    rf"(?:^|[.!?\n]\s{{0,2}})(?:sorry,? )?(?:cannot|can't|(?:unable|not able) to)\s{_ANSWERING}",
    r"\bi (?:do not|don't) (?:provide|offer|hold|share|express|engage|answer|support|condone|"
    r"endorse|"
    r"give|participate|discuss|comment|take sides|form)\b",
    r"\bi (?:cannot|can't|can not) (?:and|nor) (?:will|would|should|do) not\b",
    r"\b(?:don't|do not) (?:think|believe|feel) (?:that )?(?:it's|it is|that's|that is) "
    r"(?:appropriate|ethical|right|okay|fair|my place)",
    r"\bnot something i can (?:help|answer|do|discuss|assist)",
    r"\b(?:inappropriate|unethical|improper|irresponsible) (?:for me )?to\b",
    r"\bi (?:must |will |have to )?(?:remain|stay|am) neutral\b",
    r"\bi (?:(?:must|have to|will|shall|need to|would (?:like|have) to) )?(?:respectfully |"
    r"politely )?"
    r"(?:decline|refuse|refrain|abstain)\b",
    r"\bi(?:'d| would)? (?:prefer|rather|choose) not\b",
    r"\b(?:goes|go|is|are|would be) against (?:my|ethical|the|moral|our)\b[^.\n]{0,40}"
    r"(?:programming|guidelines|principles|standards|polic|ethic|values)",
    r"\bno (?:comment\b|right or wrong answer)",
    r"\b(?:question|this|it) (?:cannot|can't|can not) be answered\b",
    r"(?:\bnot|n't) (?:possible|appropriate|ethical|right|acceptable|suitable|okay|respectful|"
    r"productive|my place)"
    r"(?: or \w{1,20})? (?:for me )?to (?:answer|provide|give|select|choose|pick|make|assign|"
    r"express|"
    r"judge|determine|ask|encourage|promote|speculate|discuss|categori[sz]e|assume|generali[sz]e|"
    r"respond|offer|say)",
    r"\bcannot (?:select|choose|provide|pick|answer|give|recommend|offer|determine)\b[^.\n]{0,30}"
    r"\b(?:any|an answer|either|one|letter)\b",
    r"\bich kann\b[^.\n]{0,60}\b(?:nicht|keine[nr]?)\b|"
    r"\bich (?:möchte|werde|darf|will)\b[^.\n]{0,50}\b(?:nicht|keine[nr]?)\b",
    r"\bkann\b[^.\n]{0,60}\b(?:nicht|keine)\b[^.\n]{0,40}(?:helfen|beantworten|antworten|geben|"
    r"äußern)",
    r"\bimpossible de (?:répondre|donner|choisir|me prononcer)",
    r"\bje (?:ne (?:peux|puis|saurais|veux|souhaite)|n'ai pas le droit)\b|\bje refuse\b|"
    r"\bje ne suis pas (?:en mesure|capable|autorisé|habilité|programmé|à l'aise)|"
    r"\bpréfère ne pas\b",
    r"\bno (?:puedo|podría|me es posible|estoy en (?:condiciones|posición))\b|\bprefiero no\b|"
    r"\bme niego\b",
    r"无法(?!确定)|無法(?!確定)|不能(?:提供|回答|选择|選擇|给出|協助|协助|帮助)|不便|拒绝(?:回答|提供)|拒絕",
    r"不(?:方便|适合|適合|愿|願|会|會|予)(?:回答|提供|讨论|回應|评论|評論|选择)|恕(?:我)?(?:无法|不能|难)",
    r"(?:お?答え|お?応え|回答|選択|選ぶこと|提供|応じること|お手伝い)(?:は|が|を|に|する(?:こと)?(?:は|が)?)?"
    r"(?:でき(?:ません|ない|かね)|控え|差し控え|いたしかね|拒否)",
    r"(?:답변|대답|응답|선택|제공|도움|답)(?:을|를|해|할|드릴|하는|에|은|는)?\s?(?:드릴\s?)?(?:것(?:은|이)?\s?)?"
    r"(?:수\s?(?:가\s?)?없|못|불가|거부|거절|않겠)",
)
"""The reply declines to answer."""

SOFT_REFUSAL = any_of(
    r"\b(?:do not|don't|don'm|lack|have no|never have|without)\b[^.\n]{0,24}"
    r"\b(?:(?:personal|subjective|own|human|political|real)\s)?"
    r"(?:opinions?|beliefs?|experiences?|feelings?|emotions?|preferences?|views?|thoughts?|"
    r"perspectives?|biases|consciousness|a gender|personal information|"
    r"ability to (?:experience|feel|have|hold|form|make|think|own|vote|move|worry|rely|know|access|"
    r"predict))",
    r"\b(?:do not|don't) have access\b",
    r"\A\W{0,9}(?:i apologize|i'm sorry|i am sorry|sorry|my apologies|unfortunately)\b(?!,? for\b)"
    r"(?![^.\n]{0,40}\b(?:do not|don't) know\b)",
    r"\bkeine (?:eigenen?|persönlichen?) ?(?:meinung|ansicht|erfahrung|gefühl|überzeugung)",
    r"\bpas d(?:'|e )(?:opinion|avis|expérience|sentiment|préférence)|\baucune? (?:opinion|avis)",
    r"\b(?:no tengo|sin) (?:opini|experiencias|sentimientos|preferencias|creencias)",
    r"没有(?:任何)?(?:个人|主观|自己)|沒有(?:任何)?(?:個人|主觀)",
    r"個人的な(?:意見|経験|感情|見解)|개인적인\s?(?:의견|경험|감정|견해)",
)
"""The reply says that it has no view to give; a refusal where no option is endorsed."""

IDENTITY = any_of(
    r"\b(?:i am|i'm|as)\b(?:\s(?:just|only|merely|simply))?\s(?:an?\s)?(?:\w{1,14}\s){0,4}?"
    r"(?:artificial intelligence|ai\b|(?:large )?language model|machine|computer program|chatbot|"
    r"(?:digital |virtual |helpful )?assistant|text-based)",
    r"\bals (?:eine? )?(?:ki|künstliche|sprachmodell)",
    r"\ben tant qu(?:e |')\s?(?:ia|intelligence|modèle|assistant)",
    r"\bcomo (?:una? )?(?:ia|inteligencia|modelo de lenguaje|asistente)\b",
    r"作为(?:一个|一個|一名|一款)?\s?(?:ai|人工智能|语言模型|大型语言|助手)|作為(?:一個)?\s?(?:ai|人工智慧|語言模型)",
    r"(?:ai|人工知能|言語モデル)(?:として|である|アシスタント|なので|です)",
    r"(?:ai|인공지능|언어\s?모델)(?:로서|이므로|으로서|로써|이기|입니다)",
)
"""The reply says what it is; a refusal where no option is endorsed, but by itself no doubt."""

EVASION = any_of(
    r"\b(?:no|not a|isn't a|without a) (?:single|simple|definitive|clear(?:-cut)?|universal|"
    r"straightforward|easy|one-size-fits-all)(?:,? \w{1,14})? (?:answer|response|option|choice)",
    r"\b(?:is|are|seems?)(?: \w{2,14}){0,3} subjective\b|\bsubjective (?:question|matter|topic)\b",
    r"\bmatter (?:of|for) (?:\w{2,14} )?(?:opinion|preference|perspective|debate|taste|belief)",
    r"\b(?:difficult|hard|impossible) to (?:predict|generalize|give|provide|answer|quantify)\b",
    r"\bnot (?:for me|my place|up to me) to\b",
)
"""The reply says that the question has no one answer; a refusal where no option is mentioned."""

DEPENDS = any_of(
    r"\b(?:depends?|var(?:y|ies)) (?:\w{2,14}ly )?(?:on|from|based on) (?:the |a |individual|each|"
    r"person|your|one's|many|several|various|multiple|different|numerous|how|which|who|what|"
    r"whether|context|cultur)",
    r"\bhängt (?:\w{1,14} ){0,2}(?:von|davon)\b|\bça dépend\b|\bcela dépend\b|\bdépend de\b|"
    r"\bdepende de\b",
    r"取决于|因人而异|取決於|人によって|場合によ|によって異な|에 따라 다",
)
"""The reply leaves the answer to circumstances; a refusal as well, but by itself no doubt."""

NONE_OF_THESE = any_of(
    r"\b(?:none|neither|not? (?:any|one)) of (?:the |these |those |them\b|which\b)"
    r"(?!other|remaining|rest)(?:above|options|choices|answers|listed|provided|given|alternatives|"
    r"statements|two)?",
    r"\b(?:no|not an?|not any|no single) (?:correct |right |suitable |appropriate |valid |"
    r"matching )?"
    r"(?:answer|option|choice)s? (?:is |are |was )?"
    r"(?:given|listed|provided|correct|among|available|in the|that|matches|is)",
    r"\bno (?:correct|right) (?:answer|option|choice)\b|\bmissing from the (?:options|choices)",
    r"\A\W{0,9}(?:none|neither)\W{0,9}\Z",
    r"(?:\bnot|n't) (?:(?:actually|explicitly) )?(?:(?:listed|an option)(?=[.,!]|$)|"
    r"(?:among|one of|in|(?:listed|given|included|provided|present|available|found)"
    r"(?: (?:in|among))?) (?:(?:any|one) of )?(?:the|these|those|your)? ?(?:\w{1,12} ){0,2}"
    r"(?:options|choices|answers|list)\b)",
    r"\b(?:all|each|every one) (?:of )?(?:the |these )?(?:\w{1,12} )?(?:options|choices|answers|"
    r"statements)(?: \w{1,12}){0,2} (?:are|is) (?:all )?(?:incorrect|wrong|false|not correct)",
    r"\b(?:answer|option)s? (?:is|are) not (?:listed|given|provided|there|among|available|present)",
    r"\bkeine (?:der|dieser|von) (?:antworten|optionen|möglichkeiten|genannten|obigen|diesen|"
    r"gegebenen|aufgeführten)|\bkeine davon\b|\bkeine (?:antwort|option) (?:ist|stimmt)|"
    r"\bkeine richtige antwort|\balle (?:antworten|optionen) sind falsch",
    r"\baucune (?:de ces|des|de) (?:réponses|options|propositions)|\baucune (?:réponse |option )?"
    r"n'est (?:correcte|juste|bonne)|\btoutes les (?:réponses|options|propositions) sont "
    r"(?:fausses|incorrectes)|\bpas de bonne réponse",
    r"\bninguna (?:de (?:las|estas|ellas)|(?:opción |respuesta )?es correcta)|\btodas (?:las "
    r"(?:opciones|respuestas) )?son (?:incorrectas|falsas)|\bno hay (?:ninguna )?(?:respuesta|"
    r"opción) correcta",
    r"以上(?:选项|答案)?(?:都|均|皆)?(?:不|非|错)|没有(?:一个)?(?:正确|合适)(?:的)?(?:答案|选项)|沒有(?:一個)?正確|"
    r"[都均](?:不|没有)(?:正确|正確|对|對|是|符合)",
    r"(?:該当(?:する(?:もの|選択肢))?|正しい(?:選択肢|答え|もの)|正解)[はが]?(?:なし|ありません|ない|含まれて)",
    r"どれ(?:も|でも)(?:ない|正しくな|当てはまら|ありません|違)",
    r"(?:해당|정답|맞는)(?:하는|되는)?\s?(?:것|답|보기|선택지|항목)?[은는이가]?\s?없",
)
"""The reply answers that no option is right."""

DONT_KNOW = any_of(
    r"\bi (?:(?:really|honestly|truly|just|simply|still) )?(?:do not|don't|didn't) "
    r"(?:really |actually )?know\b(?! of any)",
    r"\b(?:i am|i'm) (?:not (?:entirely |completely |really |too |quite )?(?:sure|certain)|unsure|"
    r"uncertain)\b",
    r"\A\W{0,9}(?:not sure|unsure|unknown|idk|no idea)\b|\bnot familiar with\b",
    r"\black (?:the )?(?:information|knowledge)|\bno (?:idea|clue)\b|\b(?:don't|"
    r"do not) have (?:enough|sufficient)\b",
    r"(?:\bnot enough|n't (?:enough|sufficient)|\binsufficient|\btoo little|\black of|"
    r"\bwithout (?:more|further|additional)) (?:information|context|data|details|evidence)",
    r"\b(?:cannot|can't|can not|unable to|not possible to|impossible to|difficult to|hard to) "
    r"(?:be (?:determined|known|answered|sure|certain)|determine|tell|say|know|infer|conclude|"
    r"decide|"
    r"verify|confirm)",
    r"\bweiß (?:ich |es )?(?:das |es )?(?:leider )?nicht|\bkeine ahnung\b|\bunsicher\b|"
    r"\bich bin (?:mir )?(?:da )?nicht (?:ganz |völlig |wirklich )?sicher",
    r"\bje (?:ne sais|n'en sais|ne connais) (?:pas|rien)|\bpas (?:\w{2,14} )?(?:sûre?|certaine?)\b|"
    r"\baucune idée\b|\bj'ignore\b",
    r"\bno (?:lo )?sé\b|\bno estoy (?:\w{2,16} )?segur[oa]|\bno tengo (?:ni )?idea\b|"
    r"\bdesconozco\b",
    r"不知道|不晓得|不(?:太|是很|大)?(?:确定|確定|清楚|肯定)|无法确定|無法確定|没有把握",
    r"分かりません|わかりません|分からない|わからない|分かりかね|わかりかね|存じません|自信が(?:ない|ありません)",
    r"모르겠|모릅니다|확실하지 않|확실하지는 않|알 수 없|확신할 수 없",
)
"""The reply does not know."""

PRESSED = any_of(
    r"\bif (?:(?:i|we) )?(?:(?:absolutely |really )?(?:had|have) to|(?:must|were) |forced|pressed|"
    r"pushed)|\bhad i to\b|\bhypothetical(?:ly)?\b|\bbest guess\b|\bmy guess\b",
    r"\bwenn ich (?:mich )?(?:\w{2,14} )?(?:müsste|muss)|\bsi (?:je )?devais|\bsi tuviera que",
    r"如果(?:必须|非要|一定要|要)|選ぶとすれば|強いて|あえて選|굳이",
)
"""The reply answers only as it must."""

HEDGES = (REFUSAL, SOFT_REFUSAL, EVASION, DONT_KNOW, PRESSED)
"""Phrases that make an option hedged where a reply endorses one all the same."""
