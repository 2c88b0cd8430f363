"""Where a model's files are: a folder, or the hub and its local cache."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from engine.errors import ModelError

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_TOKENIZER = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_SMALL_FILES = ("*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken")
_SAFETENSORS = "*.safetensors"
_PICKLED = "pytorch_model*.bin"


@dataclass(frozen=True)
class Checkpoint:
    """A model's files on this machine.

    Attributes:
        folder: Where they are.
        revision: The hub commit, None for a folder of the user's.
    """

    folder: Path
    revision: str | None

    @property
    def safetensors(self) -> list[Path]:
        """The weight files in safetensors format."""
        return sorted(self.folder.glob(_SAFETENSORS))


def find_checkpoint(
    name: str, revision: str | None = None, *, tokenizer_only: bool = False
) -> Checkpoint:
    """Find a model's files, downloading what a hub model lacks.

    Args:
        name: A folder or a hub id.
        revision: Branch, tag or commit on the hub; ignored for a folder.
        tokenizer_only: Whether the weights are not needed.

    Raises:
        ModelError: The folder lacks something, or the hub doesn't have or give the model.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        found = Checkpoint(folder, None)
    elif folder.exists():
        raise ModelError(
            f"{name} is a file, not a model folder.", "Name the folder that holds config.json."
        )
    elif name.startswith((".", "~", "/")) or not _HUB_ID.fullmatch(name):
        raise ModelError(f"There is no model folder {name}.", "Check the path.")
    else:
        found = _from_hub(name, revision, tokenizer_only=tokenizer_only)
    _check_complete(name, found.folder, tokenizer_only=tokenizer_only)
    return found


def _check_complete(name: str, folder: Path, *, tokenizer_only: bool) -> None:
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"The model folder {name} has no config.json.",
            "Name the folder that a transformers model was saved to.",
        )
    if not any((folder / file).is_file() for file in _TOKENIZER):
        raise ModelError(
            f"The model folder {name} has no tokenizer (no {_TOKENIZER[0]}).",
            "Save the tokenizer into the same folder.",
        )
    weights = (_SAFETENSORS, _PICKLED)
    if not tokenizer_only and not any(any(folder.glob(pattern)) for pattern in weights):
        raise ModelError(
            f"The model folder {name} has no weights (no {_SAFETENSORS} file).",
            "Copy the weight files into it or download the model again.",
        )


def _from_hub(name: str, revision: str | None, *, tokenizer_only: bool) -> Checkpoint:
    """The hub model's snapshot in the local cache, completed first where the hub is reachable."""
    folder = _download(name, revision, _SMALL_FILES)
    if not tokenizer_only:
        _download(name, folder.name, (_SAFETENSORS,))
        if not any(folder.glob(_SAFETENSORS)):
            _download(name, folder.name, (_PICKLED,))
    return Checkpoint(folder, folder.name)


def _download(name: str, revision: str | None, patterns: tuple[str, ...]) -> Path:
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(patterns)))
    except GatedRepoError:
        raise ModelError(
            f"The model {name} is gated: its owner grants access on request.",
            "Ask for access on the hub, then log in with `hf auth login`.",
        ) from None
    except RevisionNotFoundError:
        raise ModelError(
            f"The model {name} has no revision '{revision}'.", "Check the branch, tag or commit."
        ) from None
    except (RepositoryNotFoundError, HFValidationError):
        raise ModelError(
            f"There is no model folder {name} and no hub model of that name.",
            "Check the spelling; for a private model log in with `hf auth login`.",
        ) from None
    except LocalEntryNotFoundError:
        raise ModelError(
            f"The model {name} is not on this machine and the hub can't be reached.",
            "Check the network, or name a model folder.",
        ) from None
    except Exception as error:
        # The hub library passes on whatever its transport raises, with no common base class.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"The model {name} could not be downloaded: {reason}", "Try again, or name a folder."
        ) from error
