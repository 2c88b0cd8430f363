"""Datasets on the Hugging Face hub: which files hold a split, and where they are once fetched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import msgspec

from engine.errors import QuestionError
from engine.tables import READERS

_CONVERTED = "refs/convert/parquet"
_TIMEOUT = 20.0
_SPLITS = ("test", "validation", "dev", "train")
_NAME = re.compile(r"[\w.-]+/[\w.-]+")


class HubName(msgspec.Struct, frozen=True):
    """A dataset, and what of it: ``hub:owner/name[:config][:split]``."""

    repo: str
    parts: tuple[str, ...] = ()


def parse_name(source: str) -> HubName | None:
    """Read ``hub:owner/name[:config][:split]`` or plain ``owner/name``; None for anything else."""
    name, *parts = source.removeprefix("hub:").split(":")
    if not _NAME.fullmatch(name) or (len(parts) > 2):
        return None
    if not source.startswith("hub:") and PurePosixPath(name).suffix.lower() in READERS:
        return None
    return HubName(name, tuple(parts))


def fetch(name: HubName, split: str | None = None) -> list[Path]:
    """Download the files of one split.

    The hub keeps a parquet copy of most datasets, one folder a configuration and split; where it
    has none, the repository's own parquet, jsonl, json or csv files are taken.

    Args:
        name: The dataset.
        split: Split to take unless the name holds one; None takes the first of test, validation,
            dev and train that there is.

    Returns:
        The local files, in the order of their names.

    Raises:
        QuestionError: The dataset, the configuration or the split is not there, or the hub can't
            be reached.
    """
    with _explained(name.repo):
        splits, named = _locate(name)
        wanted = [named] if named else [split] if split else [*_SPLITS, *splits]
        taken = next((part for part in wanted if part in splits), None)
        if taken is None:
            raise QuestionError(
                f"The dataset {name.repo} has no configuration or split '{wanted[0]}'.",
                f"Its splits are {_some(splits)}.",
            )
        return _download(name.repo, splits[taken])


def fetch_beside(name: HubName, split: str) -> list[Path]:
    """Download one split of a dataset, whatever split the name holds.

    Returns:
        The local files; empty where the dataset has no such split.

    Raises:
        QuestionError: As in :func:`fetch`.
    """
    with _explained(name.repo):
        splits, _ = _locate(name)
        return _download(name.repo, splits.get(split, []))


class _RemoteFile(msgspec.Struct, frozen=True):
    path: str
    revision: str | None
    config: str
    split: str


def _remote_files(repo: str) -> list[_RemoteFile]:
    import huggingface_hub
    from huggingface_hub import errors

    def paths(revision: str | None) -> list[str]:
        info = huggingface_hub.HfApi().dataset_info(repo, revision=revision, timeout=_TIMEOUT)
        return sorted(file.rfilename for file in info.siblings or ())

    try:
        found = [_converted(path) for path in paths(_CONVERTED) if path.endswith(".parquet")]
    except errors.RevisionNotFoundError:
        found = []
    if found:
        return found
    found = [_own(path) for path in paths(None) if PurePosixPath(path).suffix.lower() in READERS]
    if not found:
        raise QuestionError(
            f"The dataset {repo} has no files that can be read.",
            f"Known endings are {', '.join(READERS)}.",
        )
    return found


def _converted(path: str) -> _RemoteFile:
    """A file of the hub's parquet copy: ``config/split/0000.parquet``."""
    config, split, *_ = PurePosixPath(path).parts
    return _RemoteFile(path, _CONVERTED, config, split.removeprefix("partial-"))


def _own(path: str) -> _RemoteFile:
    """A file of the repository: its folder is the configuration, its name tells the split."""
    parts = PurePosixPath(path)
    config = parts.parent.name if parts.parent.name not in ("", "data") else "default"
    words = re.split(r"[^a-z]+", parts.stem.lower())
    return _RemoteFile(path, None, config, next((s for s in _SPLITS if s in words), "train"))


def _locate(name: HubName) -> tuple[dict[str, list[_RemoteFile]], str | None]:
    """The files of each split of the configuration that is meant, and the split that is named."""
    files = _remote_files(name.repo)
    configs = list(dict.fromkeys(file.config for file in files))
    parts = list(name.parts)
    if parts and parts[0] in configs:
        config = parts.pop(0)
    elif len(parts) < 2 and (len(configs) == 1 or "default" in configs):
        config = configs[0] if len(configs) == 1 else "default"
    else:
        problem = f"no configuration '{parts[0]}'" if parts else "several configurations"
        raise QuestionError(
            f"The dataset {name.repo} has {problem}.",
            f"Name one, as in hub:{name.repo}:{configs[0]}; there are {_some(configs)}.",
        )
    splits: dict[str, list[_RemoteFile]] = {}
    for file in files:
        if file.config == config:
            splits.setdefault(file.split, []).append(file)
    return splits, parts[0] if parts else None


def _download(repo: str, files: list[_RemoteFile]) -> list[Path]:
    import huggingface_hub

    return [
        Path(
            huggingface_hub.hf_hub_download(
                repo, file.path, repo_type="dataset", revision=file.revision
            )
        )
        for file in files
    ]


@contextmanager
def _explained(repo: str) -> Iterator[None]:
    """Turn what the hub's client raises into one sentence."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise QuestionError(
            f"The dataset {repo} is gated.",
            "Accept its terms on the hub, then log in with `hf auth login`.",
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise QuestionError(
            f"There is neither a file nor a public dataset called {repo}.", "Check the name."
        ) from error
    except (errors.HTTPError, errors.HFValidationError, OSError) as error:
        problem = str(error).partition("\n")[0].rstrip(".")
        raise QuestionError(
            f"{repo} is no local file, and loading it from the hub failed: {problem}.",
            "Check the network, or give a local file.",
        ) from error


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
