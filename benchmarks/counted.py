"""The operations and bytes that a forward pass needs, counted from the model's shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from torch import nn


@dataclass(frozen=True)
class Shape:
    """What one token costs in a Llama-like model.

    Attributes:
        layers: Weights of the linear layers of all blocks.
        head: Weights of the output layer.
        queries: Numbers in the queries of a token, all layers together.
        key_values: Numbers in the keys and values of a token, all layers together.
        item: Bytes a number.
    """

    layers: int
    head: int
    queries: int
    key_values: int
    item: int

    @classmethod
    def of(cls, model: Any) -> Self:
        """Read it off a transformers model."""
        config, head = model.config, model.get_output_embeddings()
        linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
        size = config.hidden_size // config.num_attention_heads
        return cls(
            layers=sum(linear.weight.numel() for linear in linears if linear is not head),
            head=head.weight.numel(),
            queries=config.num_hidden_layers * config.num_attention_heads * size,
            key_values=2 * config.num_hidden_layers * config.num_key_value_heads * size,
            item=model.dtype.itemsize,
        )

    def prefill(self, lengths: Sequence[int]) -> int:
        """Operations that compute whole prompts of these lengths, with the logits at their ends."""
        products = 2 * self.layers * sum(lengths) + 2 * self.head * len(lengths)
        seen = sum(length * (length + 1) // 2 for length in lengths)
        return products + 4 * self.queries * seen

    def step(self, lengths: Sequence[int], branches: int, written: float) -> float:
        """Operations of a decode step.

        Args:
            lengths: Tokens of the prompts.
            branches: Texts that go on from each prompt.
            written: Tokens that each of these has by now.
        """
        rows = branches * len(lengths)
        seen = branches * sum(lengths) + rows * written
        return 2 * (self.layers + self.head) * rows + 4 * self.queries * seen

    def step_bytes(self, lengths: Sequence[int], branches: int, written: float) -> float:
        """Bytes that a decode step reads: weights, and keys and values, shared ones once."""
        kept = sum(lengths) + branches * len(lengths) * written
        return (self.layers + self.head + self.key_values * kept) * self.item
