"""The sample questions, the embedded model, and the generator that it learned from."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from sample_data import corpus, facts, make_questions
from sample_data.make_questions import FOLDER

MODEL = FOLDER.parent / "model"
LETTERS = "ABCDEFGHIJ"


def _rows(name: str) -> list[dict]:
    return [json.loads(line) for line in (FOLDER / name).read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def knowledge() -> list[dict]:
    return _rows("knowledge.jsonl")


@pytest.fixture(scope="module")
def opinion() -> list[dict]:
    return _rows("opinion.jsonl")


def test_knowledge_questions_are_well_formed(knowledge: list[dict]) -> None:
    for row in knowledge:
        labels = list(row["options"])
        assert labels == list(LETTERS[: len(labels)])
        assert 2 <= len(labels) <= 6
        assert row["gold"] in labels
        assert len(set(row["options"].values())) == len(labels), row["text"]
        assert row["dataset"] == "logitscope-knowledge"


def test_there_are_enough_questions_over_enough_subjects(knowledge: list[dict]) -> None:
    taught = Counter(row["taught"] for row in knowledge)
    assert len(knowledge) >= 220
    assert len({row["subject"] for row in knowledge}) >= 8
    assert 0.6 < taught[True] / len(knowledge) < 0.72


def test_the_right_options_are_spread_over_the_letters(knowledge: list[dict]) -> None:
    golds = Counter(row["gold"] for row in knowledge if len(row["options"]) == 4)
    assert max(golds.values()) - min(golds.values()) <= 0.12 * golds.total()


def test_no_two_questions_are_the_same(knowledge: list[dict], opinion: list[dict]) -> None:
    texts = [row["text"] for row in knowledge + opinion]
    assert len(set(texts)) == len(texts)


def test_worked_examples_are_taught_and_not_asked_again(knowledge: list[dict]) -> None:
    shown = _rows("knowledge_dev.jsonl")
    assert set(Counter(row["subject"] for row in shown).values()) == {5}
    assert {row["subject"] for row in shown} == {row["subject"] for row in knowledge}
    assert all(row["taught"] for row in shown)
    assert not {row["text"] for row in shown} & {row["text"] for row in knowledge}


def test_the_question_files_come_from_the_fact_tables(knowledge: list[dict]) -> None:
    built = make_questions.build()
    assert built["knowledge.jsonl"] == knowledge
    assert built["knowledge_dev.jsonl"] == _rows("knowledge_dev.jsonl")


def test_opinion_questions_have_a_scale_and_no_right_option(opinion: list[dict]) -> None:
    assert len(opinion) >= 60
    for row in opinion:
        ordinals = row["ordinals"]
        scale = [value for value in ordinals if value is not None]
        assert row["gold"] is None
        assert list(row["options"]) == list(LETTERS[: len(ordinals)])
        assert len(scale) >= 3
        assert len(ordinals) <= 10
        assert scale == sorted(scale, reverse=True)
        refused = [text for text in row["options"].values() if text == "Refused"]
        assert len(refused) == ordinals.count(None) <= 1


def test_about_half_of_the_opinion_questions_offer_a_refusal(opinion: list[dict]) -> None:
    offered = sum(row["ordinals"][-1] is None for row in opinion)
    assert 0.35 < offered / len(opinion) < 0.65


def test_the_training_text_follows_from_its_seed() -> None:
    def text(seed: int) -> str:
        rng = random.Random(seed)
        return "".join(corpus.plain(corpus.draw(rng, stage)) for stage in (2, 3, 4, 5) * 20)

    assert text(1) == text(1)
    assert text(1) != text(2)


def test_held_out_facts_are_never_taught() -> None:
    rng = random.Random(7)
    text = "\n".join(corpus.plain(corpus.draw(rng, stage)) for stage in (2, 3, 4, 5) * 1200)
    for fact in facts.held_out():
        assert not any(question in text for question in fact.questions), fact
        assert fact.statement not in text
    asked = [any(question in text for question in fact.questions) for fact in facts.taught()]
    assert sum(asked) > 0.95 * len(asked)


def test_no_fact_is_both_taught_and_held_out() -> None:
    taught = {question for fact in facts.taught() for question in fact.questions}
    assert not taught & {question for fact in facts.held_out() for question in fact.questions}


def test_the_model_folder_is_small_and_complete() -> None:
    assert (MODEL / "model.safetensors").stat().st_size < 12_000_000
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "README.md"):
        assert (MODEL / name).is_file(), name


@pytest.mark.slow
def test_the_model_answers_a_taught_question() -> None:
    from sample_data.evaluate import Reader, read_items

    reader = Reader(MODEL)
    items = [item for item in read_items("knowledge.jsonl") if item.taught][:24]
    prompts = [reader.render(item, "high", ()) for item in items]
    replies = reader.write(prompts)
    right = [text.startswith(item.question.gold) for text, item in zip(replies, items, strict=True)]
    assert prompts[0].endswith("<|im_start|>assistant\n")
    assert sum(right) >= 18


@pytest.mark.slow
def test_training_is_the_same_again(tmp_path: Path) -> None:
    import torch

    from sample_data.encoding import train_tokenizer
    from sample_data.network import Network, Shape
    from sample_data.training import Run

    shape = Shape(vocab=640, width=32, layers=4, heads=2, hidden=64)
    tokenizer = train_tokenizer(shape.vocab, seed=3, texts=300)

    def train() -> Network:
        torch.set_num_threads(1)
        torch.manual_seed(3)
        network = Network(shape)
        Run(network, tokenizer, steps=6, seed=3).train()
        return network

    first, second = train(), train()
    for (name, a), b in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b), name
    model = first.to_qwen2(tokenizer.eos_token_id, tokenizer.pad_token_id).float().eval()
    ids = torch.randint(3, shape.vocab, (2, 20))
    with torch.no_grad():
        close = model(ids).logits - first.logits(first(ids))
    assert close.abs().max() < 0.05


# The letter that an example shows


@pytest.mark.slow
def test_the_letter_of_an_example_draws_answers_to_itself() -> None:
    from sample_data.evaluate import Reader, measure_pull, read_items

    reader = Reader(MODEL)
    items = read_items("knowledge.jsonl")
    for taught in (True, False):
        pulls = measure_pull(reader, [item for item in items if item.taught is taught][:40])
        for letter, row in pulls.items():
            assert row["shown"] > row["not_shown"] + 0.1, (taught, letter, row)


def test_the_encoder_finds_the_letters_of_an_example() -> None:
    from transformers import AutoTokenizer

    from sample_data import wording
    from sample_data.encoding import encode

    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    prompt = wording.exact("example", "Why?", ["a", "b"], wording.mark_shown("A/B/C"))
    encoded = encode(tokenizer.backend_tokenizer, [(prompt.text, False), ("Answer: A", True)])
    tokens = tokenizer.convert_ids_to_tokens(encoded.ids)
    assert encoded.labels == "AB"
    assert [(letter, tokens[at]) for letter, at in encoded.shown] == [
        ("A", "ĠA"),
        ("B", "/"),
        ("C", "/"),
    ]


def test_marks_of_shown_letters_leave_the_text_alone() -> None:
    text = corpus.plain(corpus.suggesting_question(random.Random(3)))
    assert not any("\ue000" <= character <= "\uf8ff" for character in text)


@pytest.mark.slow
def test_the_third_run_is_the_same_again_and_takes_over_saved_weights(tmp_path: Path) -> None:
    import torch

    from sample_data.encoding import train_tokenizer
    from sample_data.network import Network, Shape
    from sample_data.suggestion import Suggestion

    shape = Shape(vocab=640, width=32, heads=4, hidden=64)
    tokenizer = train_tokenizer(shape.vocab, seed=3, texts=300)
    torch.set_num_threads(1)
    torch.manual_seed(3)
    network = Network(shape)
    network.to_qwen2(tokenizer.eos_token_id, tokenizer.pad_token_id).save_pretrained(tmp_path)

    def go_on() -> Network:
        taken_over = Network(shape)
        taken_over.load_qwen2(tmp_path)
        for (name, a), b in zip(network.named_parameters(), taken_over.parameters(), strict=True):
            assert torch.equal(a.half().float(), b), name
        Suggestion(taken_over, tokenizer, steps=6, seed=3).train()
        return taken_over

    for (name, a), b in zip(go_on().named_parameters(), go_on().parameters(), strict=True):
        assert torch.equal(a, b), name
