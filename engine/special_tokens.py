"""Which tokens of a model are special, without loading its tokenizer."""

from __future__ import annotations

import json

from engine.checkpoint import find_checkpoint


def special_ids(model: str, revision: str | None = None) -> frozenset[int] | None:
    """Ids of a model's special tokens, from its ``tokenizer.json``.

    Args:
        model: A model folder or hub id.
        revision: Branch, tag or commit on the hub.

    Returns:
        The ids; None where the model has no such file, so that nothing says which they are.

    Raises:
        ModelError: The model can't be found.
    """
    folder = find_checkpoint(model, revision, tokenizer_only=True).folder
    path = folder / "tokenizer.json"
    if not path.is_file():
        return None
    added = json.loads(path.read_text("utf-8")).get("added_tokens", [])
    return frozenset(token["id"] for token in added if token["special"])
