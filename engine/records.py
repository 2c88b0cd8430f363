"""What a probe is asked and what it answers: plain records, shared by both processes.

Every record is a :class:`msgspec.Struct`: it crosses the pipe as msgpack, prints as JSON and needs
neither torch nor duckdb. Logprobs are natural logarithms of the softmax over the full vocabulary,
computed in float32, unless a name says otherwise. Entropies are in nats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

FinishReason = Literal["stop", "length", "cancelled"]
GenerationKind = Literal["greedy", "sample", "extra", "branch"]
ContinuationKind = Literal["label", "text"]
Status = Literal[
    "option",
    "several",
    "none_of_these",
    "refusal",
    "dont_know",
    "truncated",
    "unparsed",
]
ReadingName = Literal[
    "first_token",
    "first_token_spellings",
    "vocab_argmax",
    "first_nonblank",
    "answer_position",
    "answer_position_options",
    "label_continuation",
    "continuation",
    "continuation_per_token",
    "continuation_per_character",
    "continuation_per_byte",
    "continuation_unconditional",
    "exact_match",
    "quasi_exact_match",
    "label_match",
    "greedy_text",
    "sample_text",
    "majority",
    "extra_text",
    "branch_text",
]
"""Ways to get an answer out of a probe; :mod:`engine.readings` defines them."""

LADDER_VERSION = 4
"""Of the rules in :mod:`engine.answers`: goes up with every change that can read a reply
differently. It stands here because asking for it must not compile them."""


class SamplerSettings(msgspec.Struct, frozen=True):
    """How samples are drawn. The defaults are pure sampling: nothing is cut, nothing is scaled.

    Attributes:
        temperature: Divides the logits; 0 takes the likeliest token after the penalty, top-k and
            top-p, without noise.
        top_p: Keep the smallest set of most likely tokens whose mass reaches this; 1 keeps all.
        top_k: Keep this many most likely tokens; 0 keeps all.
        repetition_penalty: Divides positive and multiplies negative logits of every token that
            is in the prompt or already written (Keskar et al. 2019, as in transformers); 1 is off.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0


class ProbeSettings(msgspec.Struct, frozen=True):
    """Everything that decides what one probe returns, besides the model and the prompt.

    Attributes:
        samples: Number of sampled generations.
        max_new_tokens: Longest generation, greedy and sampled, in tokens.
        kept: How many most likely tokens are kept at each position.
        sampler: How samples are drawn.
        seed: Together with question id, order and sample index it fixes all sampling noise.
        continuations: Whether the option continuations are scored.
        generations: Whether anything is generated at all.
        unconditional: Whether every option's text is also scored after the answer cue alone.
        canonical: Whether every prompt is computed in shapes that depend on nothing but itself, so
            that on a CPU it gives the same numbers, to the bit, alone and in any batch. Costs time,
            most of it where prompts share a long beginning, which is then computed for each.
    """

    samples: int = 8
    max_new_tokens: int = 48
    kept: int = 20
    sampler: SamplerSettings = SamplerSettings()
    seed: int = 0
    continuations: bool = True
    generations: bool = True
    canonical: bool = False
    unconditional: bool = False


class Distribution(msgspec.Struct, frozen=True):
    """One next-token distribution over the full vocabulary, cut to the most likely tokens.

    What an imported log does not hold is empty or None.

    Attributes:
        top_ids: The ``kept`` most likely token ids, most likely first; ties by lower id.
        top_logprobs: Their logprobs.
        entropy: Entropy of the whole distribution, nats.
        logsumexp: log of the sum of exp(logits); a logprob plus this is the raw logit.
        unseen: Probability mass outside ``top_ids``, between 0 and 1.
    """

    top_ids: list[int]
    top_logprobs: list[float]
    entropy: float | None
    logsumexp: float | None
    unseen: float | None


NOTHING_SEEN = Distribution([], [], None, None, None)
"""Of a first position that was not recorded."""


class Positions(msgspec.Struct, frozen=True):
    """The tokens of one generation as parallel columns, one entry a generated token.

    A column that an imported log does not hold in full is None; ``top_ids`` and ``top_logprobs``
    then have empty entries. ``sampler_*`` columns describe the distribution that the token was
    drawn from (after the repetition penalty, temperature, top-k and top-p); they are None for
    greedy generations.

    Attributes:
        token_ids: The generated ids, the stop token included.
        logprobs: Raw logprob of each generated token.
        ranks: 1 for the most likely token; ties by lower id.
        entropies: Entropy of the raw distribution at the position, nats.
        logsumexps: As in :class:`Distribution`.
        unseen: As in :class:`Distribution`.
        top_ids: ``kept`` ids a position.
        top_logprobs: Their raw logprobs.
        sampler_logprobs: Logprob of each generated token after the sampler.
        sampler_logsumexps: log of the sum of exp over the *kept* scaled logits, so that a kept
            token's logprob after the sampler is its scaled logit minus this.
        sampler_cutoffs: Smallest scaled logit that the sampler kept; below it a token is excluded.
        margins: Distance of the two largest raw logits, nats; where it is as small as rounding, the
            greedy text may differ in another batch or number format. None where not recorded.
    """

    token_ids: list[int]
    logprobs: list[float]
    ranks: list[int] | None
    entropies: list[float] | None
    logsumexps: list[float] | None
    unseen: list[float] | None
    top_ids: list[list[int]]
    top_logprobs: list[list[float]]
    sampler_logprobs: list[float] | None = None
    sampler_logsumexps: list[float] | None = None
    sampler_cutoffs: list[float] | None = None
    margins: list[float] | None = None

    def __len__(self) -> int:
        return len(self.token_ids)


class Generation(msgspec.Struct, frozen=True):
    """One text the model wrote after the prompt.

    Attributes:
        kind: ``greedy``; ``sample`` as the run drew it; ``extra`` for a sample drawn later by hand;
            ``branch`` for a text that takes an alternative of another one and goes on greedily.
        index: 0 for greedy, the sample's number from 1 for samples and extra samples, -1, -2, ...
            for branches.
        text: The decoded tokens, special tokens visible, without the final stop token.
        finish_reason: ``stop`` (an end token was written) or ``length`` (the limit was reached);
            None where an imported log does not say.
        positions: Every generated token with its distribution; empty where not recorded.
        parent: Index of the generation that a branch leaves.
        fork: Number of the first token that is not the parent's.
    """

    kind: GenerationKind
    index: int
    text: str
    finish_reason: FinishReason | None
    positions: Positions
    parent: int | None = None
    fork: int | None = None


class Continuation(msgspec.Struct, frozen=True):
    """The log-likelihood of one option as a forced continuation of the prompt.

    Attributes:
        label: The option's label in this order.
        kind: ``label`` scores the label alone, ``text`` the option's text.
        text: The continuation as appended to the prompt, its leading space included.
        token_ids: Its tokens, from tokenising prompt and continuation jointly; empty where an
            imported log gives the sum alone.
        logprobs: One logprob a token.
        is_greedy: Whether every token is the most likely one at its position.
        unconditional: Its log-likelihood after the answer cue alone, without the question; None
            where that was not asked for.
        recorded_total: The sum, where ``logprobs`` is empty.
    """

    label: str
    kind: ContinuationKind
    text: str
    token_ids: list[int]
    logprobs: list[float]
    is_greedy: bool | None
    unconditional: float | None = None
    recorded_total: float | None = None

    @property
    def total(self) -> float:
        """Sum of the token logprobs: the log-likelihood lm-evaluation-harness reports."""
        return math.fsum(self.logprobs) if self.recorded_total is None else self.recorded_total


class Spelling(msgspec.Struct, frozen=True):
    """One way to write an option label as the first token, and its probability there.

    Attributes:
        label: The option's label.
        spelling: The text, e.g. ``"A"``, ``" A"``, ``"(A"``.
        token_id: First token of the spelling in this context.
        whole: Whether that token is the whole spelling (otherwise it is only its beginning).
        logprob: The token's raw logprob at the first position.
    """

    label: str
    spelling: str
    token_id: int
    whole: bool
    logprob: float


class ProbeResult(msgspec.Struct, frozen=True):
    """Everything one probe found out about one rendered prompt, from one prefill.

    Attributes:
        first: The distribution of the first token after the prompt.
        label_logprobs: Raw logprob of each option label's token in this very context, in the
            order of the options; empty where not recorded, with None for a label that an imported
            log has no logprob of.
        spellings: Every spelling of every label.
        continuations: Label and text of every option; empty when not asked for.
        generations: Greedy first, then the samples in order.
        seconds: Wall time of the probe's share of its batch; None where not recorded.
        label_logits: Raw logits of the labels' tokens, where an imported log has no logprobs.
    """

    first: Distribution
    label_logprobs: Sequence[float | None]
    spellings: list[Spelling]
    continuations: list[Continuation]
    generations: list[Generation]
    seconds: float | None = 0.0
    label_logits: list[float] = []


class ModelInfo(msgspec.Struct, frozen=True):
    """What identifies a loaded model; stored whole with every run.

    Attributes:
        name: The folder or hub id as the user gave it.
        revision: The hub commit, or None for a folder.
        architecture: The transformers class, e.g. ``Qwen2ForCausalLM``.
        parameters: Number of parameters.
        dtype: E.g. ``float32``.
        device: E.g. ``cpu`` or ``cuda:0``.
        attention: The attention kernel in use.
        quantization: ``none``, ``8bit`` or ``4bit``.
        plan: How branches are computed: ``shared`` (one prefill) or ``plain`` (full forwards).
        plan_reason: Why the plan is what it is, in words.
        vocab_size: Length of the logits vector.
        tokenizer_size: Number of ids that the tokenizer knows.
        window: Longest context in tokens, or None where the config names none.
        bos_id: The begin token or None.
        stop_ids: Ids that end a generation.
        has_chat_template: Whether the tokenizer brings one.
        tokenizer_hash: Hash of vocabulary, merges and special tokens.
        template_hash: Hash of the chat template, or None.
        generation_defaults: What the model's own generation config would have set; never applied.
        versions: Versions of python, torch, transformers, tokenizers and logitscope.
        threads: CPU threads torch may use.
        packed: Whether linear layers multiply with packed weights (:mod:`engine.linear`).
    """

    name: str
    revision: str | None
    architecture: str
    parameters: int
    dtype: str
    device: str
    attention: str
    quantization: str
    plan: str
    plan_reason: str
    vocab_size: int
    tokenizer_size: int
    window: int | None
    bos_id: int | None
    stop_ids: list[int]
    has_chat_template: bool
    tokenizer_hash: str
    template_hash: str | None
    generation_defaults: dict[str, object]
    versions: dict[str, str]
    threads: int
    packed: bool = False
