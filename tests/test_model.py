from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import torch
from huggingface_hub import errors as hub_errors
from tokenizers import Tokenizer, decoders, models
from transformers import (
    BertConfig,
    BertLMHeadModel,
    GenerationConfig,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from engine import checkpoint
from engine.errors import ModelError, OutOfMemory
from engine.memory import free_memory, read_weights
from engine.model import describe, load_model, load_tokenizer
from engine.protocol import Load
from engine.selfcheck import choose_plans
from engine.vocabulary import template_hash, tokenizer_hash, vocabulary
from tests.tiny_models import save_tiny, tiny_model, tiny_tokenizer

OFFLINE = "import os; os.environ['HF_HUB_OFFLINE'] = '1'\n"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy of a saved model that a test may spoil."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def load(name: Path | str, **options: str) -> Load:
    return Load(1, str(name), **{"device": "cpu", **options})


def test_loads_a_folder_and_says_what_it_is(saved: Path) -> None:
    stages: list[str] = []
    loaded = load_model(load(saved), stages.append)
    info = loaded.info
    assert (info.name, info.revision, info.architecture) == (str(saved), None, "LlamaForCausalLM")
    assert (info.dtype, info.device, info.quantization) == ("float32", "cpu", "none")
    assert (info.plan, info.attention) == ("shared", "cascade")
    assert info.parameters == sum(p.numel() for p in loaded.model.parameters())
    assert (info.vocab_size, info.tokenizer_size, info.window) == (300, 258, 256)
    assert (info.bos_id, info.stop_ids, info.has_chat_template) == (1, [0], True)
    assert set(info.versions) == {"python", "torch", "transformers", "tokenizers", "logitscope"}
    assert loaded.notes == ()
    assert not loaded.model.training
    assert len(stages) >= 4
    msgspec.json.encode(info)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_loads_in_the_dtype_asked_for(saved: Path, dtype: str) -> None:
    loaded = load_model(load(saved, dtype=dtype))
    assert loaded.info.dtype == dtype
    assert loaded.model.dtype == getattr(torch, dtype)
    assert loaded.info.plan == "shared"


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda f: (f / "config.json").unlink(), r"model folder .* has no config\.json"),
        (lambda f: (f / "model.safetensors").unlink(), r"has no weights \(no \*\.safetensors"),
        (lambda f: (f / "tokenizer.json").unlink(), r"has no tokenizer \(no tokenizer\.json\)"),
        (lambda f: (f / "config.json").write_text("{"), r"The config of .* can't be used"),
        (
            lambda f: (f / "config.json").write_text('{"model_type": "novel"}'),
            r"The config of .* can't be used",
        ),
        (
            lambda f: (f / "config.json").write_text(
                '{"model_type": "novel", "auto_map": {"AutoConfig": "code.Config"}}'
            ),
            r"The config of .* can't be used",
        ),
        (lambda f: (f / "tokenizer.json").write_text("{}"), r"The tokenizer of .* can't be read"),
    ],
)
def test_an_incomplete_folder_is_named(folder: Path, spoil, sentence: str) -> None:
    spoil(folder)
    with pytest.raises(ModelError, match=sentence) as raised:
        load_model(load(folder))
    assert str(folder) in raised.value.sentence
    assert raised.value.hint
    assert "\n" not in raised.value.sentence


@pytest.mark.parametrize("keep", [4, 1000, -10])
def test_cut_off_weights_are_noticed_before_loading(folder: Path, keep: int) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"model\.safetensors is damaged or incomplete"):
        load_model(load(folder))


def test_weights_that_are_no_weights_are_noticed(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ModelError, match="damaged or incomplete"):
        load_model(load(folder))


def test_missing_tensors_are_not_filled_in_at_random(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["num_hidden_layers"] = 4
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"lack 9 tensors, model\.layers\.3\."):
        load_model(load(folder))


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["intermediate_size"] = 40
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="can't be loaded"):
        load_model(load(folder))


def test_encoder_decoder_models_are_refused(tmp_path: Path) -> None:
    config = T5Config(vocab_size=300, d_model=16, d_ff=16, num_layers=1, num_heads=2, d_kv=8)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="t5 model, which is no causal language model"):
        load_model(load(tmp_path))


def test_a_model_that_looks_ahead_is_refused() -> None:
    config = BertConfig(
        vocab_size=300,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        initializer_range=0.5,
    )
    with pytest.raises(ModelError, match="not a causal language model"):
        choose_plans(BertLMHeadModel(config).eval())


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no model folder"):
        load_model(load(tmp_path / "nothing"))
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="is a file"):
        load_model(load(tmp_path / "file"))


@pytest.mark.slow
def test_an_unknown_hub_id_without_a_network(tmp_path: Path) -> None:
    code = (
        f"{OFFLINE}"
        "from engine.checkpoint import find_checkpoint\n"
        "from engine.errors import ModelError\n"
        "try: find_checkpoint('nobody/no-such-model')\n"
        "except ModelError as error: print(error.sentence)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"HF_HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.strip() == (
        "The model nobody/no-such-model is not on this machine and the hub can't be reached."
    )


class _Response:
    """As much of an HTTP response as the hub's errors look at."""

    headers: dict[str, str] = {}  # noqa: RUF012
    status_code = 403
    request = None


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (hub_errors.GatedRepoError, "The model a/b is gated"),
        (hub_errors.RepositoryNotFoundError, "There is no model folder a/b and no hub model"),
        (hub_errors.RevisionNotFoundError, "The model a/b has no revision 'v9'"),
        (hub_errors.LocalEntryNotFoundError, "a/b is not on this machine and the hub can't"),
        (RuntimeError, "The model a/b could not be downloaded: went wrong"),
    ],
)
def test_what_the_hub_refuses_is_said_in_one_sentence(monkeypatch, error, sentence: str) -> None:
    def refuse(*_: object, **__: object) -> str:
        if issubclass(error, hub_errors.HfHubHTTPError):
            raise error("went wrong", response=_Response())
        raise error("went wrong")

    monkeypatch.setattr(checkpoint, "snapshot_download", refuse)
    with pytest.raises(ModelError, match=sentence):
        load_model(load("a/b", revision="v9"))


def test_a_hub_model_is_loaded_from_its_snapshot(monkeypatch, folder: Path) -> None:
    asked: list[tuple[str | None, tuple[str, ...]]] = []

    def download(name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        assert name == "owner/name"
        asked.append((revision, tuple(allow_patterns)))
        return str(folder)

    monkeypatch.setattr(checkpoint, "snapshot_download", download)
    loaded = load_model(load("owner/name"))
    assert loaded.info.name == "owner/name"
    assert loaded.info.revision == folder.name
    assert [revision for revision, _ in asked] == [None, folder.name]
    assert asked[1][1] == ("*.safetensors",)
    asked.clear()
    assert len(load_tokenizer("owner/name")) == 258
    assert all("*.safetensors" not in patterns for _, patterns in asked)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dtype": "float8"}, "There is no dtype 'float8'"),
        ({"device": "toaster"}, "There is no device 'toaster'"),
        ({"device": "cuda:77"}, "There is no device 'cuda:77'"),
        ({"quantization": "3bit"}, "There is no quantization '3bit'"),
        ({"quantization": "4bit"}, "Loading in 4bit needs"),
    ],
)
def test_impossible_wishes(saved: Path, options: dict[str, str], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        load_model(load(saved, **options))


def test_a_model_larger_than_memory_is_refused_before_loading(saved: Path, monkeypatch) -> None:
    monkeypatch.setattr("engine.model.free_memory", lambda device: 50_000)
    with pytest.raises(OutOfMemory, match=r"needs about 0\.0 GiB in float32, but cpu has 0\.0 GiB"):
        load_model(load(saved))


def test_the_memory_needed_is_read_from_headers(saved: Path) -> None:
    weights = read_weights(saved.glob("*.safetensors"))
    numbers = tiny_model().num_parameters()
    assert (weights.numbers, weights.stored) == (numbers, 4 * numbers)
    assert weights.needed(torch.float32, "none") == int(4.4 * numbers)
    assert weights.needed(torch.bfloat16, "none") == int(2.2 * numbers)
    assert weights.needed(torch.bfloat16, "4bit") < numbers


def test_free_memory_is_a_number_of_bytes() -> None:
    free = free_memory(torch.device("cpu"))
    assert free is None or 10**7 < free < 10**14
    assert free_memory(torch.device("meta")) is None


def test_the_models_own_generation_config_is_told_and_not_applied() -> None:
    model = tiny_model()
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=0.6, top_k=20, repetition_penalty=1.1, eos_token_id=[5, 0, 9]
    )
    loaded = describe(model, tiny_tokenizer(), name="tiny")
    defaults = loaded.info.generation_defaults
    assert {key: defaults[key] for key in ("temperature", "top_k", "repetition_penalty")} == {
        "temperature": 0.6,
        "top_k": 20,
        "repetition_penalty": 1.1,
    }
    assert "transformers_version" not in defaults
    assert loaded.info.stop_ids == [0, 5, 9]
    (note,) = loaded.notes
    assert "temperature 0.6, top_k 20, repetition_penalty 1.1" in note
    assert "not applied" in note


def test_the_end_of_a_chat_message_is_a_stop_token() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|turn|>"]})
    tokenizer.chat_template = tokenizer.chat_template.replace("<|end|>", "<|turn|>\n")
    turn = tokenizer.convert_tokens_to_ids("<|turn|>")
    assert describe(tiny_model(), tokenizer, name="t").info.stop_ids == [0, turn]
    tokenizer.chat_template = "{{ raise_exception('never') }}"
    assert describe(tiny_model(), tokenizer, name="t").info.stop_ids == [0]


def test_the_plain_plan_is_announced() -> None:
    loaded = describe(tiny_model("mamba"), tiny_tokenizer(), name="tiny")
    assert loaded.info.plan == "plain"
    assert loaded.info.attention != "cascade"
    assert loaded.info.plan_reason == "it carries a recurrent state"
    assert any("slower: it carries a recurrent state." in note for note in loaded.notes)


def test_wrong_attention_is_noticed_at_load(monkeypatch) -> None:
    from engine.attention import DecodePass

    right = DecodePass.advance
    monkeypatch.setattr(DecodePass, "advance", lambda self: right(self) + 1)
    plans = choose_plans(tiny_model())
    assert plans.shared is None
    assert "failed its check: generation off by" in plans.reason


def test_a_window_that_attention_is_not_told_of_rules_sharing_out() -> None:
    model = tiny_model("llama")
    model.config.sliding_window = 100
    plans = choose_plans(model)
    assert plans.shared is None
    assert plans.reason == "its layers don't pass on their sliding windows"


def test_a_rotary_scale_that_changes_with_length_limits_sharing() -> None:
    model = tiny_model("llama")
    model.config.rope_parameters = {
        **model.config.rope_parameters,
        "rope_type": "dynamic",
        "original_max_position_embeddings": 64,
    }
    plans = choose_plans(model)
    assert plans.limit == 64
    assert plans.for_length(64) is plans.shared
    assert plans.for_length(65) is plans.plain
    assert replace(plans, limit=None).for_length(10_000) is plans.shared


def test_byte_level_pieces_become_their_bytes() -> None:
    entries = vocabulary(tiny_tokenizer(), 300)
    assert len(entries) == 300
    assert (entries[0].piece, entries[0].raw, entries[0].special) == ("<|end|>", b"<|end|>", True)
    assert sorted(entry.raw for entry in entries[2:258]) == [bytes([byte]) for byte in range(256)]
    assert not any(entry.special for entry in entries[2:])
    assert all((e.piece, e.raw, e.special) == (None, b"", False) for e in entries[258:])
    ids = tiny_tokenizer()("naïve €", add_special_tokens=False).input_ids
    assert b"".join(entries[token].raw for token in ids) == "naïve €".encode()


def test_sentencepiece_pieces_become_their_bytes() -> None:
    names = ["<unk>", "<0xE2>", "<0x0A>", "▁Paris", "é", "▁"]
    backend = Tokenizer(models.BPE({name: at for at, name in enumerate(names)}, []))
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")
    raw = [entry.raw for entry in vocabulary(tokenizer, 6)]
    assert raw == [b"<unk>", b"\xe2", b"\n", b" Paris", "é".encode(), b" "]


def test_hashes_change_with_what_they_stand_for() -> None:
    one, other = tiny_tokenizer(), tiny_tokenizer()
    assert tokenizer_hash(one) == tokenizer_hash(other)
    one(["a", "bcd"], padding=False, truncation=True, max_length=1)
    assert tokenizer_hash(one) == tokenizer_hash(other)
    assert template_hash(one) == template_hash(other)
    other.add_tokens(["more"])
    other.chat_template += " "
    assert tokenizer_hash(one) != tokenizer_hash(other)
    assert template_hash(one) != template_hash(other)
    assert template_hash(tiny_tokenizer(chat=False)) is None


def test_a_real_trained_model_passes_its_check(shared_data: Path) -> None:
    loaded = load_model(load(shared_data / "models" / "aidreams260K"))
    assert loaded.info.plan == "shared"
    assert not loaded.info.has_chat_template
    assert loaded.vocabulary[13].raw == b"\n"
