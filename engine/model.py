"""Loading a model: files, dtype, device, whether it fits, and what it is."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tokenizers
import torch
import transformers

from engine.checkpoint import Checkpoint, find_checkpoint
from engine.errors import ModelError, OutOfMemory
from engine.linear import pack_linears
from engine.memory import free_memory, read_weights
from engine.plans import Plan
from engine.protocol import Load, VocabularyEntry
from engine.records import ModelInfo
from engine.rendered import Asked
from engine.selfcheck import Plans, choose_plans
from engine.vocabulary import template_hash, tokenizer_hash, vocabulary

_DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_OWN_FILES = {"local_files_only": True, "trust_remote_code": False}
"""How files are read: from this machine, and never running code that comes with them."""
_QUANTIZATIONS = ("none", "8bit", "4bit")

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to be probed.

    Attributes:
        model: The transformers model, in eval mode.
        tokenizer: Its tokenizer.
        info: What identifies it.
        vocabulary: What every id of the logits vector stands for.
        notes: Sentences that the user should read.
        plans: How its prompts are computed.
        position_limit: Longest text in tokens that it can compute at all; None for any.
    """

    model: Any
    tokenizer: Any
    info: ModelInfo
    vocabulary: tuple[VocabularyEntry, ...]
    notes: tuple[str, ...]
    plans: Plans
    position_limit: int | None

    def plan_for(self, asked: Asked, after: int, *, canonical: bool = False) -> Plan:
        """The plan that serves a prompt and ``after`` tokens behind it exactly.

        Raises:
            ModelError: They run over the positions that the model has learned. Models with rotary
                positions have no such limit: theirs compute, if badly, beyond the window
                (rendering keeps prompts inside it).
        """
        # A text's last token is never computed.
        longest = len(asked.token_ids) + after - 1
        if self.position_limit is not None and longest > self.position_limit:
            raise ModelError(
                f"Question {asked.question_id} in format {asked.format} needs {longest} tokens, "
                f"and the model has positions for {self.position_limit}.",
                "Use fewer shots or fewer new tokens.",
            )
        return self.plans.for_length(longest, canonical=canonical)


def load_tokenizer(name: str, revision: str | None = None) -> Any:
    """Load what rendering needs and no more.

    Raises:
        ModelError: The tokenizer can't be found or read.
    """
    return _read_tokenizer(name, find_checkpoint(name, revision, tokenizer_only=True))


def load_model(request: Load, on_stage: Callable[[str], None] = lambda stage: None) -> LoadedModel:
    """Load a model and its tokenizer.

    Args:
        request: Which model, and how; ``auto`` means bfloat16 on a GPU that computes it and
            float32 elsewhere, and the first GPU there is. The device ``all`` spreads the layers
            over every GPU.
        on_stage: Told in words what is happening.

    Raises:
        OutOfMemory: The model is larger than the free memory.
        ModelError: The model can't be found, read or run.
    """
    name = request.model
    device = _device(request.device)
    dtype = _dtype(request.dtype, device)
    _check_quantization(request.quantization, device)
    on_stage(f"looking for {name}")
    checkpoint = find_checkpoint(name, request.revision)
    config = _read_config(name, checkpoint)
    spread = request.device == "all"
    _check_memory(name, checkpoint, dtype, _devices(device, spread), request.quantization)
    on_stage("loading the tokenizer")
    tokenizer = _read_tokenizer(name, checkpoint)
    on_stage(f"loading the weights in {_name(dtype)} onto {device}")
    placement = "auto" if spread else {"": device}
    model = _read_model(name, checkpoint, config, dtype, device, placement, request.quantization)
    on_stage("checking the model against plain forward passes")
    return describe(
        model,
        tokenizer,
        name=name,
        revision=checkpoint.revision,
        quantization=request.quantization,
    )


def describe(
    model: Any,
    tokenizer: Any,
    *,
    name: str,
    revision: str | None = None,
    quantization: str = "none",
) -> LoadedModel:
    """Make a transformers model ready to be probed, wherever it comes from.

    Raises:
        ModelError: It is no causal language model.
    """
    model.eval()
    packed = pack_linears(model)
    plans = choose_plans(model, quantized=quantization != "none")
    config = model.config.get_text_config()
    window = getattr(config, "max_position_embeddings", None)
    logits = getattr(model.get_output_embeddings(), "out_features", config.vocab_size)
    info = ModelInfo(
        name=name,
        revision=revision,
        architecture=type(model).__name__,
        parameters=model.num_parameters(),
        dtype=_name(model.dtype),
        device=str(model.device),
        attention="cascade" if plans.shared else str(model.config._attn_implementation),
        quantization=quantization,
        plan="shared" if plans.shared else "plain",
        plan_reason=plans.reason,
        vocab_size=logits,
        tokenizer_size=len(tokenizer),
        window=window,
        bos_id=tokenizer.bos_token_id,
        stop_ids=_stop_ids(model, tokenizer),
        has_chat_template=bool(getattr(tokenizer, "chat_template", None)),
        tokenizer_hash=tokenizer_hash(tokenizer),
        template_hash=template_hash(tokenizer),
        generation_defaults=_generation_defaults(model),
        versions=_versions(),
        threads=torch.get_num_threads(),
        packed=packed,
    )
    return LoadedModel(
        model=model,
        tokenizer=tokenizer,
        info=info,
        vocabulary=vocabulary(tokenizer, logits),
        notes=tuple(_notes(info, plans)),
        plans=plans,
        position_limit=window if _learns_positions(model) else None,
    )


def _device(asked: str) -> torch.device:
    if asked == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda:0")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if asked == "all" and not torch.cuda.is_available():
        raise ModelError("There is no GPU on this machine.", "Use auto, cpu or mps.")
    if asked == "all" and importlib.util.find_spec("accelerate") is None:
        raise ModelError(
            "Spreading a model over several GPUs needs the package accelerate.",
            "Install accelerate, or name one device.",
        )
    try:
        device = torch.device("cuda:0" if asked in ("cuda", "all") else asked)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise ModelError(
            f"There is no device '{asked}' on this machine.", "Use auto, cpu, cuda, mps or all."
        ) from None
    return device


def _devices(device: torch.device, spread: bool) -> list[torch.device]:
    """The devices that a model's weights go to."""
    if not spread:
        return [device]
    return [torch.device("cuda", number) for number in range(torch.cuda.device_count())]


def _dtype(asked: str, device: torch.device) -> torch.dtype:
    if asked == "auto":
        on_gpu = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if on_gpu else torch.float32
    if asked not in _DTYPES:
        raise ModelError(f"There is no dtype '{asked}'.", f"Use auto, {', '.join(_DTYPES)}.")
    return _DTYPES[asked]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _check_quantization(quantization: str, device: torch.device) -> None:
    if quantization not in _QUANTIZATIONS:
        raise ModelError(
            f"There is no quantization '{quantization}'.", f"Use {', '.join(_QUANTIZATIONS)}."
        )
    if quantization == "none":
        return
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ModelError(
            f"Loading in {quantization} needs the package bitsandbytes.",
            "Install bitsandbytes and accelerate, or load without quantization.",
        )
    if device.type != "cuda":
        raise ModelError(
            f"Loading in {quantization} needs a CUDA GPU, not {device}.",
            "Load without quantization.",
        )


def _read_config(name: str, checkpoint: Checkpoint) -> Any:
    try:
        config = transformers.AutoConfig.from_pretrained(checkpoint.folder, **_OWN_FILES)
    except (ValueError, KeyError, OSError) as error:
        raise ModelError(
            f"The config of {name} can't be used: {_first_line(error)}",
            "The model may need a newer transformers, or code of its own, which is never run here.",
        ) from error
    known = type(config) in transformers.AutoModelForCausalLM._model_mapping
    if getattr(config, "is_encoder_decoder", False) or not known:
        raise ModelError(
            f"{name} is a {config.model_type} model, which is no causal language model.",
            "Choose a model that generates text from left to right.",
        )
    return config


def _check_memory(
    name: str,
    checkpoint: Checkpoint,
    dtype: torch.dtype,
    devices: Sequence[torch.device],
    quantization: str,
) -> None:
    """Refuse a model that can't fit before a byte of it is read."""
    needed = read_weights(checkpoint.safetensors).needed(dtype, quantization)
    known = [free_memory(device) for device in devices]
    free = sum(memory for memory in known if memory is not None)
    if None not in known and needed > free:
        raise OutOfMemory(
            f"{name} needs about {needed / 2**30:.1f} GiB in {_name(dtype)}, "
            f"but {' and '.join(map(str, devices))} "
            f"{'has' if len(devices) == 1 else 'have'} {free / 2**30:.1f} GiB free.",
            "Use --dtype bfloat16, another device or a smaller model.",
        )


def _read_tokenizer(name: str, checkpoint: Checkpoint) -> Any:
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint.folder, **_OWN_FILES)
    except Exception as error:
        # Tokenizer files fail in as many ways as there are parsers for them.
        raise ModelError(
            f"The tokenizer of {name} can't be read: {_first_line(error)}",
            "Save it again with transformers' save_pretrained.",
        ) from error
    if not tokenizer.is_fast:
        raise ModelError(
            f"The tokenizer of {name} has no fast version.",
            "Convert it to a tokenizer.json with transformers.",
        )
    return tokenizer


def _read_model(
    name: str,
    checkpoint: Checkpoint,
    config: Any,
    dtype: torch.dtype,
    device: torch.device,
    placement: str | dict[str, torch.device],
    quantization: str,
) -> Any:
    options: dict[str, Any] = {"dtype": dtype}
    if quantization != "none":
        options["quantization_config"] = transformers.BitsAndBytesConfig(
            load_in_8bit=quantization == "8bit", load_in_4bit=quantization == "4bit"
        )
    if device.type != "cpu" and importlib.util.find_spec("accelerate") is not None:
        options["device_map"] = placement
    try:
        model, report = transformers.AutoModelForCausalLM.from_pretrained(
            checkpoint.folder,
            config=config,
            output_loading_info=True,
            **_OWN_FILES,
            **options,
        )
        if quantization == "none" and placement != "auto":
            model.to(device)
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise OutOfMemory(
            f"Memory ran out while {name} was loaded.", "Use a smaller dtype or another device."
        ) from error
    except Exception as error:
        # Weight files and model classes fail in too many ways to tell apart.
        raise ModelError(
            f"{name} can't be loaded: {_first_line(error)}",
            "Check that the weight files are complete and belong to this config.",
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelError(
            f"The weight files of {name} lack {len(missing)} tensors, {missing[0]} among them.",
            "Copy or download all weight files; nothing is filled in at random.",
        )
    return model


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _stop_ids(model: Any, tokenizer: Any) -> list[int]:
    """Ids that end a generation: what the tokenizer, the model and the chat template end with."""
    configured = model.generation_config.eos_token_id if model.generation_config else None
    ids = set(configured if isinstance(configured, list) else [configured])
    ids |= {tokenizer.eos_token_id, _template_end(tokenizer)}
    return sorted(token for token in ids if token is not None)


def _template_end(tokenizer: Any) -> int | None:
    """The special token that the chat template puts right after an assistant's message."""
    if not getattr(tokenizer, "chat_template", None):
        return None
    message = "end-of-message-probe"
    try:
        text: str = tokenizer.apply_chat_template(
            [{"role": "user", "content": "?"}, {"role": "assistant", "content": message}],
            tokenize=False,
        )
    except Exception:
        # A template is a program and may refuse any conversation in its own way.
        return None
    _, found, after = text.rpartition(message)
    ids = tokenizer(after, add_special_tokens=False).input_ids if found else []
    added = tokenizer.added_tokens_decoder
    return ids[0] if ids and ids[0] in added and added[ids[0]].special else None


def _generation_defaults(model: Any) -> dict[str, object]:
    """What the model's own generation config sets, apart from bookkeeping."""
    if model.generation_config is None:
        return {}
    changed: dict[str, object] = model.generation_config.to_diff_dict()
    bookkeeping = ("_", "transformers_version", "output_", "use_cache", "return_dict")
    return {name: value for name, value in changed.items() if not name.startswith(bookkeeping)}


def _learns_positions(model: Any) -> bool:
    """Whether positions come from a table, which ends, and not from a formula."""
    config = model.config.get_text_config()
    return not (
        getattr(config, "rope_parameters", None)
        or getattr(config, "alibi", False)
        or getattr(model, "_is_stateful", False)
    )


def _versions() -> dict[str, str]:
    versions = {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "transformers": str(transformers.__version__),
        "tokenizers": str(tokenizers.__version__),
    }
    try:
        versions["logitscope"] = importlib.metadata.version("logitscope")
    except importlib.metadata.PackageNotFoundError:
        versions["logitscope"] = "not installed"
    return versions


_DECODING = ("temperature", "top_p", "top_k", "repetition_penalty", "min_p", "typical_p")


def _notes(info: ModelInfo, plans: Plans) -> Sequence[str]:
    """What a user should know about the model before reading any number."""
    notes = []
    defaults = info.generation_defaults
    own = {name: defaults[name] for name in _DECODING if name in defaults}
    if own:
        settings = ", ".join(f"{key} {value}" for key, value in own.items())
        notes.append(
            f"The model's own generation config ({settings}) is not applied; "
            "samples are drawn with the run's settings alone."
        )
    if plans.shared is None:
        notes.append(f"This model takes the plain plan, which is exact and slower: {plans.reason}.")
    return notes
