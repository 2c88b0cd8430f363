"""Which plan serves a model exactly: what its config says, then a measurement.

The shared plan replaces a model's attention, so it must know everything that attention does. The
config names what it can't know; whatever passes is probed once both ways on a short made-up batch
and must agree with forward passes through the untouched model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.canonical import CanonicalPlan
from engine.errors import ModelError
from engine.kernel import Kernel, Keys
from engine.plans import CausalModel, PlainPlan, Plan, Session, SharedPlan
from engine.prefixes import Ids
from engine.static_decode import StaticSession

_TOLERANCE = {torch.float64: 1e-4, torch.float32: 1e-3, torch.float16: 0.1, torch.bfloat16: 0.5}
"""Largest logprob difference among likely tokens, nats; wrong attention is off by more."""
_LIKELY = 20
_FULL, _SLIDING = "full_attention", "sliding_attention"
_FAILURES = (RuntimeError, TypeError, ValueError, KeyError, AttributeError, IndexError)
"""What a model raises that is called in a way it doesn't know."""


def _in_short(error: BaseException) -> str:
    return f"{type(error).__name__} ({(str(error).splitlines() or [''])[0][:120]})"


@dataclass(frozen=True)
class Plans:
    """How a model's prompts are computed.

    Attributes:
        shared: The shared plan, None where it does not serve the model exactly.
        plain: The plain plan.
        limit: Longest text, prompt and generation together, that the shared plan serves exactly;
            None for any.
        reason: Why the plans are what they are, in words.
        canonical: The shared plan's counterpart in canonical shapes, where it is there.
    """

    shared: SharedPlan | None
    plain: PlainPlan
    limit: int | None
    reason: str
    canonical: CanonicalPlan | None = None

    def forget(self) -> None:
        """Drop what earlier prompts left to be used again."""
        if self.shared is not None:
            self.shared.prefixes.forget()

    def for_length(self, tokens: int, *, canonical: bool = False) -> Plan:
        """The plan for a text of so many tokens; the plain plan is canonical by itself."""
        if self.shared is None or (self.limit is not None and tokens > self.limit):
            return self.plain
        return self.canonical if canonical and self.canonical is not None else self.shared


@torch.inference_mode()
def choose_plans(model: Any, *, quantized: bool = False) -> Plans:
    """Find out which plans serve ``model`` exactly.

    Raises:
        ModelError: A token's logits depend on later tokens: the model is not causal.
    """
    causal = CausalModel(model)
    check = _Check(causal, quantized=quantized)
    check.causality()
    on_gpu = causal.device.type == "cuda"
    obstacle = _obstacle(model) or check.attention_obstacle()
    shared = SharedPlan(causal, StaticSession if on_gpu else None)
    trouble = "" if obstacle else check.sharing_obstacle(shared)
    if trouble and on_gpu:
        # Whatever the GPU's own kernels make of it, plain matrix products may still be right.
        causal.fused = causal.captures = False
        shared = SharedPlan(causal)
        trouble = check.sharing_obstacle(shared)
    obstacle = obstacle or trouble
    limit, why = _limit(model.config.get_text_config())
    # The cache matters only where the plain plan is used.
    trust_cache = not (obstacle or limit) or check.cache_is_right()
    plain = PlainPlan(causal, trust_cache=trust_cache)
    if obstacle:
        return Plans(None, plain, None, obstacle)
    way = "" if causal.fused else " with plain matrix products, its fused attention does not"
    why = f"agrees with plain forward passes{way}{why}"
    return Plans(shared, plain, limit, why, CanonicalPlan(causal))


def _obstacle(model: Any) -> str:
    """What in the config rules the shared plan out; empty for nothing."""
    config = model.config.get_text_config()
    if not model._can_set_attn_implementation():
        return "its attention can't be replaced (no AttentionInterface)"
    if getattr(model, "_is_stateful", False):
        return "it carries a recurrent state"
    if getattr(config, "alibi", False):
        return "it uses ALiBi position biases"
    kinds = set(getattr(config, "layer_types", None) or ()) - {_FULL, _SLIDING}
    if kinds:
        return f"it has layers of type {', '.join(sorted(kinds))}"
    if getattr(config, "attention_chunk_size", None) is not None:
        return "its attention works in chunks"
    return ""


def _windows(config: Any) -> list[int | None]:
    """The sliding window of each layer, by the config."""
    window = getattr(config, "sliding_window", None)
    if not getattr(config, "use_sliding_window", True):
        window = None
    kinds = getattr(config, "layer_types", None) or [_SLIDING] * config.num_hidden_layers
    return [window if kind == _SLIDING else None for kind in kinds]


def _limit(config: Any) -> tuple[int | None, str]:
    """Text length from which rotary frequencies depend on the batch, and that in words."""
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") in ("dynamic", "longrope"):
        limit = rope.get("original_max_position_embeddings") or config.max_position_embeddings
        return int(limit), f"; texts over {limit} tokens take the plain plan (rotary scaling)"
    return None, ""


class _Witness:
    """A pass that computes nothing and notes how each layer asks for attention."""

    def __init__(self) -> None:
        self.kernels: dict[int, Kernel] = {}

    def attend(self, layer: int, query: Tensor, new: Keys, kernel: Kernel) -> Tensor:
        """Note the kernel; the output is of the right shape and meaningless."""
        self.kernels[layer] = kernel
        return query.transpose(1, 2).contiguous()


class _Check:
    """A made-up batch, asked both ways."""

    def __init__(self, model: CausalModel, *, quantized: bool) -> None:
        self._model = model
        dtype = model.model.dtype
        self._tolerance = 1.0 if quantized else _TOLERANCE.get(dtype, 0.5)
        vocabulary = model.model.config.get_text_config().vocab_size
        made_up = [(7 + 37 * at + 11 * at * at) % vocabulary for at in range(64)]
        self.prompts: list[Ids] = [made_up[:24], [*made_up[:18], *made_up[40:43]]]
        self._forced: list[list[Ids]] = [
            [made_up[30:33], made_up[50:55]],
            [made_up[33:35], made_up[44:48]],
        ]
        self._written = [made_up[56:59], made_up[60:63]]

    def causality(self) -> None:
        """Compare a text's logits with those of the same text with more behind it."""
        text = self._model.tensor([self.prompts[0]])
        longer = torch.cat([text, text.flip(1)], 1)
        wanted = self._model.tensor([text.shape[1] - 1])
        short, long = self._model.plain(text, wanted)[0], self._model.plain(longer, wanted)[0]
        if self._difference(short, long) > self._tolerance:
            raise ModelError(
                f"{type(self._model.model).__name__} is not a causal language model: what it says "
                "about a token depends on the tokens after it.",
                "Choose a model that generates text from left to right.",
            )

    def attention_obstacle(self) -> str:
        """What of the config's attention never reaches the attention function; empty if nothing.

        A short check can't see a window longer than itself, so windows are compared by name.
        """
        config = self._model.model.config.get_text_config()
        witness = _Witness()
        ids = self._model.tensor(self.prompts[0])
        at = torch.arange(len(ids), device=ids.device)
        try:
            self._model.flat(ids, at, at[-1:], witness)
        except _FAILURES as error:
            return f"its attention can't be replaced: {_in_short(error)}"
        seen = [witness.kernels[layer] for layer in sorted(witness.kernels)]
        if [kernel.window for kernel in seen] != _windows(config):
            return "its layers don't pass on their sliding windows"
        softcap = getattr(config, "attn_logit_softcapping", None)
        if any(kernel.softcap != softcap for kernel in seen):
            return "its layers don't pass on their softcapping"
        return ""

    def sharing_obstacle(self, shared: SharedPlan) -> str:
        """How the shared plan differs from plain forward passes, in words; empty if it doesn't."""
        trouble = self._against_forward(shared, self.prompts)
        shared.prefixes.forget()
        return f"the shared plan failed its check: {trouble}" if trouble else ""

    def cache_is_right(self) -> bool:
        """Whether going on from the model's own cache equals computing the whole text again."""
        return not self._against_forward(PlainPlan(self._model), self.prompts[:1])

    def _against_forward(self, plan: Plan, prompts: Sequence[Ids]) -> str:
        """Compare everything a plan computes with forward passes over whole texts.

        Returns:
            What disagreed or failed, in words; empty if nothing.
        """
        try:
            plan.prepare(prompts)
            session = plan.prefill(prompts)
            for name, part in (
                ("first token", self._first),
                ("continuations", self._continuations),
                ("generation", self._generation),
            ):
                found, texts = part(session, prompts)
                worst = self._difference(found, self._forward(texts))
                if not worst <= self._tolerance:
                    return f"{name} off by {worst:.2g} nats"
        except _FAILURES as error:
            return _in_short(error)
        return ""

    def _first(self, session: Session, prompts: Sequence[Ids]) -> tuple[Tensor, list[Ids]]:
        return session.first, list(prompts)

    def _continuations(self, session: Session, prompts: Sequence[Ids]) -> tuple[Tensor, list[Ids]]:
        forced = self._forced[: len(prompts)]
        texts: list[Ids] = [
            [*prompt, *ids[: end + 1]]
            for prompt, of_prompt in zip(prompts, forced, strict=True)
            for ids in of_prompt
            for end in range(len(ids) - 1)
        ]
        return torch.cat(list(session.follow(forced))), texts

    def _generation(self, session: Session, prompts: Sequence[Ids]) -> tuple[Tensor, list[Ids]]:
        """Three branches on the first prompt: one is dropped and one split after a token."""
        owners = [0, 0, 0, *range(1, len(prompts))]
        session.branch(self._model.tensor(owners))
        texts = [list(prompts[owner]) for owner in owners]
        for step, going_on in ((0, [0, 2, 2, *range(3, len(owners))]), (1, None), (2, None)):
            tokens = [self._written[at % 2][step] for at in range(len(texts))]
            logits = session.step(self._model.tensor(tokens))
            texts = [[*text, token] for text, token in zip(texts, tokens, strict=True)]
            if going_on:
                session.select(self._model.tensor(going_on))
                texts = [texts[at] for at in going_on]
        return logits, [list(text) for text in texts]

    def _forward(self, texts: Sequence[Ids]) -> Tensor:
        """Logits after each text, from one forward pass over whole texts."""
        longest = max(map(len, texts))
        padded = [[*text, *[text[-1]] * (longest - len(text))] for text in texts]
        ends = sorted({len(text) - 1 for text in texts})
        logits = self._model.plain(self._model.tensor(padded), self._model.tensor(ends))
        last = [ends.index(len(text) - 1) for text in texts]
        return torch.stack([row[at] for row, at in zip(logits, last, strict=True)])

    def _difference(self, found: Tensor, right: Tensor) -> float:
        """Largest logprob difference among each row's likely tokens."""
        right = torch.log_softmax(right, -1)
        likely = right.topk(min(_LIKELY, right.shape[1])).indices
        found = torch.log_softmax(found, -1).gather(1, likely)
        return float((found - right.gather(1, likely)).abs().max())
