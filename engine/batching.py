"""Which prompts are computed together, and how many at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from engine.canonical import width
from engine.memory import free_memory
from engine.records import ProbeSettings
from engine.rendered import RenderedPrompt

_FAMILY_PREFIX = 128
"""Prompts that begin with the same so many tokens are batched among themselves."""
_MOST = 256
"""Largest automatic batch."""
_FAMILY_SIZE = 8
"""Smaller families join the rest: a small batch costs more than a shared prefix saves."""


@dataclass(frozen=True)
class Workload:
    """What one model costs; the basis of the automatic batch size.

    Attributes:
        parameters: Number of parameters.
        vocabulary: Length of the logits vector.
        layers: Number of layers.
        key_values: Numbers that one token leaves in the keys and values of one layer.
        width: Largest hidden size of a layer.
        item_size: Bytes a number.
        device: Where the model runs.
    """

    parameters: int
    vocabulary: int
    layers: int
    key_values: int
    width: int
    item_size: int
    device: torch.device

    @classmethod
    def of(cls, model: Any) -> Workload:
        """Read a transformers model's sizes."""
        config = model.config.get_text_config()
        heads = getattr(config, "num_attention_heads", 0)
        size = getattr(config, "head_dim", None) or config.hidden_size // max(1, heads)
        inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
        return cls(
            parameters=model.num_parameters(),
            vocabulary=config.vocab_size,
            layers=config.num_hidden_layers,
            key_values=2 * size * (getattr(config, "num_key_value_heads", None) or heads),
            width=max(inner, config.hidden_size),
            item_size=model.dtype.itemsize,
            device=model.device,
        )

    def batch_size(self, prompts: Sequence[RenderedPrompt], settings: ProbeSettings) -> int:
        """Prompts in a batch: about a second's work, as far as it fits into half the free memory.

        The estimate is arithmetic, so the same call makes the same batches on the same machine
        (as long as memory does not bind). Batches of about a second keep results flowing and
        bound what a kill or a cancel loses; below the least size the hardware is poorly used.
        """
        on_cpu = self.device.type == "cpu"
        rate, least, most = (1e11, 8, 64) if on_cpu else (1e14, 16, _MOST)
        longest = max(len(prompt.token_ids) for prompt in prompts)
        forced = max(forced_tokens(prompt) for prompt in prompts) if settings.continuations else 0
        branches = settings.samples + 1 if settings.generations else 0
        tokens = longest + forced + branches * settings.max_new_tokens
        by_time = max(least, int(rate / (2 * self.parameters * tokens)))
        memory = free_memory(self.device)
        if memory is None:
            return min(by_time, most)
        keys = tokens * self.layers * self.key_values * self.item_size * 2
        hidden = max(longest, forced) * self.width * self.item_size * 4
        logits = max(1, branches) * self.vocabulary * 4 * 4
        by_memory = int(memory / 2 / (keys + hidden + logits))
        return max(1, min(by_time, by_memory, most))


def forced_tokens(prompt: RenderedPrompt) -> int:
    """Tokens computed to score a prompt's continuations."""
    return sum(len(continuation.token_ids) - 1 for continuation in prompt.continuations)


def batches(
    prompts: Sequence[RenderedPrompt],
    indices: Sequence[int],
    settings: ProbeSettings,
    workload: Workload,
    size: int,
) -> Iterator[list[int]]:
    """Split prompts into batches of similar lengths, prompts with a long common prefix together.

    Args:
        prompts: All prompts of a job.
        indices: Those to be batched.
        settings: What the probes ask for.
        workload: What the model costs.
        size: Prompts in a batch; 0 chooses (see :meth:`Workload.batch_size`).

    Yields:
        Lists of indices into ``prompts``; longest prompts of a family first, so that a batch that
        doesn't fit shows early.
    """
    for family in _families(prompts, indices, settings):
        family.sort(key=lambda index: -len(prompts[index].token_ids))
        while family:
            next_ones = [prompts[index] for index in family[:_MOST]]
            count = size or workload.batch_size(next_ones, settings)
            yield family[:count]
            family = family[count:]


def _families(
    prompts: Sequence[RenderedPrompt], indices: Sequence[int], settings: ProbeSettings
) -> list[list[int]]:
    """Prompts that are batched among themselves."""
    families: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index in indices:
        prompt = prompts[index]
        ids = prompt.token_ids
        families[(width(len(ids)),) if settings.canonical else ids[:_FAMILY_PREFIX]].append(index)
    if settings.canonical:
        return list(families.values())
    large = [family for family in families.values() if len(family) >= _FAMILY_SIZE]
    rest = [index for family in families.values() if len(family) < _FAMILY_SIZE for index in family]
    return [*large, rest]
