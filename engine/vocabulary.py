"""What every token id stands for: its name and its bytes.

A token need not be text: half a character is a token too, and ids may exist that no tokenizer
knows. Names come from the tokenizer, bytes from the way its decoder turns names into text.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from engine.protocol import VocabularyEntry

_BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")


def vocabulary(tokenizer: Any, size: int) -> tuple[VocabularyEntry, ...]:
    """Describe ids 0 to ``size`` - 1 of the logits vector.

    Args:
        tokenizer: A transformers fast tokenizer.
        size: Length of the logits vector; ids that the tokenizer doesn't know have no piece.
    """
    added = tokenizer.added_tokens_decoder
    to_bytes = _piece_bytes(tokenizer)
    entries = []
    for token, piece in enumerate(tokenizer.convert_ids_to_tokens(list(range(size)))):
        if piece is None:
            entries.append(VocabularyEntry(None, b"", False))
        elif token in added:
            entries.append(VocabularyEntry(piece, piece.encode(), added[token].special))
        else:
            entries.append(VocabularyEntry(piece, to_bytes(piece), False))
    return tuple(entries)


def _piece_bytes(tokenizer: Any) -> Any:
    """How this tokenizer's pieces become bytes."""
    decoders = _decoders(tokenizer)
    kinds = {decoder["type"] for decoder in decoders}
    if "ByteLevel" in kinds:
        return _byte_level
    if kinds & {"ByteFallback", "Metaspace"} or any(
        decoder.get("pattern") == {"String": "▁"} for decoder in decoders
    ):
        return _sentencepiece
    if "WordPiece" in kinds:
        return lambda piece: piece.removeprefix("##").encode()
    return str.encode


def _decoders(tokenizer: Any) -> list[dict[str, Any]]:
    decoder = _definition(tokenizer).get("decoder") or {"type": ""}
    return list(decoder.get("decoders", [decoder]))


def _definition(tokenizer: Any) -> dict[str, Any]:
    """The content of the tokenizer's ``tokenizer.json``."""
    definition: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    return definition


def _sentencepiece(piece: str) -> bytes:
    byte = _BYTE_PIECE.fullmatch(piece)
    return bytes([int(byte[1], 16)]) if byte else piece.replace("▁", " ").encode()


def _byte_level(piece: str) -> bytes:
    try:
        return bytes(_BYTES[character] for character in piece)
    except KeyError:
        return piece.encode()


def _byte_characters() -> dict[str, int]:
    """The byte that each character of a byte-level piece stands for.

    Byte-level tokenizers (GPT-2) name printable bytes by themselves and give the other bytes, in
    order, the characters from U+0100 on.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    other = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(0x100 + number): byte for number, byte in enumerate(other)
    }


_BYTES = _byte_characters()


def tokenizer_hash(tokenizer: Any) -> str:
    """Hash of vocabulary, merges and special tokens: equal for tokenizers that act the same."""
    definition = _definition(tokenizer)
    for setting_of_a_call in ("padding", "truncation"):
        definition.pop(setting_of_a_call, None)
    return _hash(json.dumps(definition, sort_keys=True, ensure_ascii=False))


def template_hash(tokenizer: Any) -> str | None:
    """Hash of the chat template; None without one."""
    template = getattr(tokenizer, "chat_template", None)
    if not template:
        return None
    return _hash(template if isinstance(template, str) else json.dumps(template, sort_keys=True))


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
