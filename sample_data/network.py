"""The network as it is trained: a lean Qwen2-style decoder in plain torch.

At this size the modules of transformers spend most of their time outside the matrix products; the
same arithmetic written flat trains about 1.6 times faster. `Network.to_qwen2` hands the weights
over at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 (the name used everywhere for it)
from torch import Tensor, nn
from transformers import Qwen2Config, Qwen2ForCausalLM

LABEL_HEAD = (3, 0)
QUESTION_HEAD = (2, 3)
EXAMPLE_HEAD = (0, 3)
SUGGESTED_HEAD = (4, 2)


@dataclass(frozen=True)
class Shape:
    """The size of the network. `vocab` counts tokens, `window` positions, the rest are widths."""

    vocab: int = 2560
    width: int = 128
    layers: int = 5
    heads: int = 4
    hidden: int = 384
    window: int = 1024
    rope_base: float = 10_000.0

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads


class Network(nn.Module):
    """A decoder with rotary positions, RMS norms, SwiGLU and tied embeddings.

    Args:
        shape: Its size.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self._attention: dict[int, tuple[Tensor, Tensor]] = {}
        width, hidden, layers = shape.width, shape.hidden, shape.layers
        inner, outer = width**-0.5, (2 * layers) ** -0.5

        def weights(rows: int, columns: int, scale: float) -> nn.ParameterList:
            return nn.ParameterList(
                [nn.Parameter(torch.randn(rows, columns) * scale) for _ in range(layers)]
            )

        def ones() -> nn.ParameterList:
            return nn.ParameterList([nn.Parameter(torch.ones(width)) for _ in range(layers)])

        self.embedding = nn.Parameter(torch.randn(shape.vocab, width) * 0.06)
        self.attention_norm, self.mlp_norm = ones(), ones()
        self.final_norm = nn.Parameter(torch.ones(width))
        self.qkv = weights(3 * width, width, inner)
        self.qkv_bias = nn.ParameterList(
            [nn.Parameter(torch.zeros(3 * width)) for _ in range(layers)]
        )
        self.attention_out = weights(width, width, inner * outer)
        self.gate_up = weights(2 * hidden, width, inner)
        self.down = weights(width, hidden, hidden**-0.5 * outer)

        angles = torch.outer(torch.arange(shape.window).float(), self._frequencies())
        angles = torch.cat([angles, angles], dim=-1)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        self._structure()

    def _frequencies(self) -> Tensor:
        half = torch.arange(0, self.shape.head_width, 2).float()
        return 1.0 / self.shape.rope_base ** (half / self.shape.head_width)

    @torch.no_grad()
    def _structure(self, strength: float = 4.5, pairs: int = 4) -> None:
        """Starts the heads near what an in-context look-up needs; all of it stays trainable.

        The heads of layer 0 look back one to five tokens, through the query and key biases. In
        half of the heads of the later layers a token attends to tokens like itself (keys equal
        queries) and passes on what it finds (output is the transpose of the values).
        """
        width, size, heads = self.shape.width, self.shape.head_width, self.shape.heads
        frequencies = self._frequencies()[:pairs]
        for head in range(heads):
            distance = (1, 2, 3, 4, 2, 5, 1, 3)[head % 8]
            rows = slice(head * size, (head + 1) * size)
            bias, weight = self.qkv_bias[0], self.qkv[0]
            start, turn = head * size, frequencies * distance
            bias[start : start + pairs] = strength
            bias[width + start : width + start + pairs] = strength * turn.cos()
            rotated = width + start + size // 2
            bias[rotated : rotated + pairs] = strength * turn.sin()
            weight[:width][rows] *= 0.3
            weight[width : 2 * width][rows] *= 0.3
            self.attention_out[0][:, rows] = weight[2 * width :][rows].t() * 0.5
        for weight, out in list(zip(self.qkv, self.attention_out, strict=True))[1:]:
            for head in range(heads // 2):
                rows = slice(head * size, (head + 1) * size)
                weight[width : 2 * width][rows] = weight[:width][rows]
                out[:, rows] = weight[2 * width :][rows].t() * 0.5

    @staticmethod
    def _norm(x: Tensor, weight: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * weight

    def _rotate(self, x: Tensor) -> Tensor:
        length, half = x.shape[-2], x.shape[-1] // 2
        turned = torch.cat([-x[..., half:], x[..., :half]], dim=-1)
        return (x * self.cos[:length] + turned * self.sin[:length]).to(x.dtype)

    def forward(self, ids: Tensor, kept: Tensor | None = None) -> Tensor:
        """Final hidden states of token ids.

        Args:
            ids: Token ids (batch, length).
            kept: Which positions to return (batch, length), booleans; None for all.

        Returns:
            Hidden states (batch, length, width), or (positions kept, width).
        """
        batch, length = ids.shape
        shape = self.shape
        x = F.embedding(ids, self.embedding)
        for layer in range(shape.layers):
            h = self._norm(x, self.attention_norm[layer])
            mixed = F.linear(h, self.qkv[layer], self.qkv_bias[layer])
            mixed = mixed.view(batch, length, 3, shape.heads, shape.head_width)
            q, k, v = mixed.permute(2, 0, 3, 1, 4).unbind(0)
            q, k = self._rotate(q), self._rotate(k)
            self._attention[layer] = (q, k)
            # On a CPU the backward pass of attention is six times faster in float32.
            with torch.autocast("cpu", enabled=False):
                seen = F.scaled_dot_product_attention(
                    q.float(), k.float(), v.float(), is_causal=True
                )
            seen = seen.transpose(1, 2).reshape(batch, length, shape.width)
            if kept is not None and layer == shape.layers - 1:
                x, seen = x[kept], seen[kept]
            x = x + F.linear(seen, self.attention_out[layer])
            h = self._norm(x, self.mlp_norm[layer])
            gate, up = F.linear(h, self.gate_up[layer]).chunk(2, dim=-1)
            x = x + F.linear(F.silu(gate) * up, self.down[layer])
        return self._norm(x, self.final_norm)

    def logits(self, hidden: Tensor) -> Tensor:
        """Float32 logits over the vocabulary of hidden states (..., width)."""
        return (hidden @ self.embedding.t()).float()

    def _scores(self, layer: int, head: int, rows: Tensor, positions: Tensor) -> Tensor:
        """Log attention of one head in the last forward pass, from some positions to all."""
        q, k = self._attention[layer]
        query, keys = q[rows, head, positions].float(), k[rows, head].float()
        scores = (keys @ query.unsqueeze(-1)).squeeze(-1) / math.sqrt(keys.shape[-1])
        ahead = torch.arange(keys.shape[1])[None] > positions[:, None]
        return scores.masked_fill(ahead, -1e9).log_softmax(-1)

    def guidance(
        self,
        rows: Tensor,
        positions: Tensor,
        targets: Tensor,
        head: tuple[int, int] = LABEL_HEAD,
    ) -> tuple[Tensor, float]:
        """How far one head is from looking where the answer is.

        Finding the label of the right option is a look-up that a network this small does not
        discover by itself. This cross-entropy makes head 0 of layer 3, at a position that predicts
        a label, attend to the end of the option with that label; or another head elsewhere.

        Args:
            rows: Batch rows of the last forward pass, one for each label predicted.
            positions: Positions that predict the labels.
            targets: Positions of the tokens that end the options.
            head: Layer and number of the head.

        Returns:
            The mean cross-entropy in nats, and the share of labels where the head is right.
        """
        scores = self._scores(*head, rows, positions)
        hits = (scores.argmax(-1) == targets).float().mean().item()
        return F.nll_loss(scores, targets), hits

    def inattention(self, rows: Tensor, positions: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
        """How far another head is from looking at the question where the reply begins.

        Whether to refuse, and in which manner to reply, depends on the question; without this the
        network only learns how often it does so on average.

        Args:
            rows: Batch rows of the last forward pass, one for each reply.
            positions: Positions that predict the first tokens of the replies.
            starts: Where the questions start.
            ends: The positions after their last tokens.

        Returns:
            The mean negative log of the attention that falls on the question, in nats.
        """
        scores = self._scores(*QUESTION_HEAD, rows, positions)
        places = torch.arange(scores.shape[1])[None]
        outside = (places < starts[:, None]) | (places >= ends[:, None])
        return -scores.masked_fill(outside, -1e9).logsumexp(-1).mean()

    def load_qwen2(self, folder: Path) -> None:
        """Takes over the weights of a saved model of this shape."""
        state = Qwen2ForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict()

        def joined(layer: int, names: str) -> Tensor:
            return torch.cat([state[f"model.layers.{layer}.{name}"] for name in names.split()])

        own = {"embedding": state["model.embed_tokens.weight"]}
        own["final_norm"] = state["model.norm.weight"]
        for layer in range(self.shape.layers):
            projections = " ".join(f"self_attn.{part}_proj.weight" for part in "qkv")
            own |= {
                f"qkv.{layer}": joined(layer, projections),
                f"qkv_bias.{layer}": joined(layer, projections.replace("weight", "bias")),
                f"attention_out.{layer}": joined(layer, "self_attn.o_proj.weight"),
                f"gate_up.{layer}": joined(layer, "mlp.gate_proj.weight mlp.up_proj.weight"),
                f"down.{layer}": joined(layer, "mlp.down_proj.weight"),
                f"attention_norm.{layer}": joined(layer, "input_layernorm.weight"),
                f"mlp_norm.{layer}": joined(layer, "post_attention_layernorm.weight"),
            }
        self.load_state_dict(own)

    def to_qwen2(self, end_token: int, pad_token: int) -> Qwen2ForCausalLM:
        """The same network as a transformers model, in float16."""
        shape, state = self.shape, self.state_dict()
        config = Qwen2Config(
            vocab_size=shape.vocab,
            hidden_size=shape.width,
            intermediate_size=shape.hidden,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.heads,
            max_position_embeddings=shape.window,
            tie_word_embeddings=True,
            rms_norm_eps=1e-6,
            rope_parameters={"rope_type": "default", "rope_theta": shape.rope_base},
            bos_token_id=None,
            eos_token_id=end_token,
            pad_token_id=pad_token,
        )
        renamed = {
            "model.embed_tokens.weight": state["embedding"],
            "lm_head.weight": state["embedding"],
            "model.norm.weight": state["final_norm"],
        }
        for layer in range(shape.layers):
            prefix = f"model.layers.{layer}."
            parts = zip(
                "qkv",
                state[f"qkv.{layer}"].chunk(3),
                state[f"qkv_bias.{layer}"].chunk(3),
                strict=True,
            )
            for name, weight, bias in parts:
                renamed[f"{prefix}self_attn.{name}_proj.weight"] = weight
                renamed[f"{prefix}self_attn.{name}_proj.bias"] = bias
            gate, up = state[f"gate_up.{layer}"].chunk(2)
            renamed |= {
                f"{prefix}self_attn.o_proj.weight": state[f"attention_out.{layer}"],
                f"{prefix}mlp.gate_proj.weight": gate,
                f"{prefix}mlp.up_proj.weight": up,
                f"{prefix}mlp.down_proj.weight": state[f"down.{layer}"],
                f"{prefix}input_layernorm.weight": state[f"attention_norm.{layer}"],
                f"{prefix}post_attention_layernorm.weight": state[f"mlp_norm.{layer}"],
            }
        model = Qwen2ForCausalLM(config)
        model.load_state_dict({name: value.contiguous() for name, value in renamed.items()})
        model.generation_config.eos_token_id = end_token
        model.generation_config.pad_token_id = pad_token
        return model.to(torch.float16)
