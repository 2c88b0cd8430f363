"""The published protocols: prompts, examples and tokens against what their sources say.

What is expected is written out here by hand from the protocols' definitions, with no format file,
template or function of the package.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from transformers import PreTrainedTokenizerFast

from engine.formats import PromptFormat, format_names, load_format
from engine.planning import PlannedProbe, RunPlan, plan_run
from engine.prompt import RenderedPrompt, render
from engine.questions import Option, Question, find_split
from engine.readings import read_probe
from engine.records import NOTHING_SEEN, Generation, Positions, ProbeResult, ProbeSettings
from tests.tiny_tokenizers import CHATML, byte_level, llama_like, metaspace

Row = tuple[str, str, str, str, str, str]
"""Question, four options, and the letter of the right one."""

SUBJECTS = ("anatomy", "high_school_us_history", "us_foreign_policy")
SPLITS = {"dev": 6, "val": 8, "test": 5}


def rows(subject: str, split: str) -> list[Row]:
    """Made-up questions; every other one has blanks around it, and one of test is one of val."""
    found: list[Row] = []
    for at in range(SPLITS[split]):
        blank = "  " if at % 2 else ""
        texts = [f"{split} {letter}{at} of {subject}" for letter in "wxyz"]
        found.append((f"{blank}{split} {at}, {subject}?{blank}", *texts, "ABCD"[at * 3 % 4]))  # type: ignore[arg-type]
    if split == "test":
        found[3] = rows(subject, "val")[2]
    return found


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of MMLU's shape; returns its folder ``test``."""
    folder = tmp_path_factory.mktemp("mmlu")
    for split in SPLITS:
        (folder / split).mkdir()
        for subject in SUBJECTS:
            with (folder / split / f"{subject}_{split}.csv").open("w", newline="") as file:
                csv.writer(file).writerows(rows(subject, split))
    return folder / "test"


def planned(source: Path, fmt: str, **how: object) -> RunPlan:
    return plan_run("nobody/nothing", str(source), [fmt], ProbeSettings(), **how)  # type: ignore[arg-type]


def prompt_of(
    plan: RunPlan, probe: PlannedProbe, tokenizer: PreTrainedTokenizerFast, **how: object
) -> RenderedPrompt:
    item = probe.item
    (fmt,) = plan.formats
    return render(
        item.question, item.question_id, item.order, fmt, tokenizer, shots=item.shots, **how
    )  # type: ignore[arg-type]


def codes(prompt: RenderedPrompt) -> set[str]:
    return {warning.code for warning in prompt.warnings}


# What each protocol's prompt is


def lines(row: Row) -> str:
    return f"A. {row[1]}\nB. {row[2]}\nC. {row[3]}\nD. {row[4]}"


def right(row: Row) -> str:
    return row[1 + "ABCD".index(row[5])]


def original(subject: str, shots: Sequence[Row], row: Row) -> str:
    """Every word of the subject has a space before it, and so has the whole: two spaces."""
    about = "".join(f" {word}" for word in subject.split("_"))
    head = f"The following are multiple choice questions (with answers) about {about}.\n\n"
    examples = [f"{shot[0]}\n{lines(shot)}\nAnswer: {shot[5]}\n\n" for shot in shots]
    return head + "".join(examples) + f"{row[0]}\n{lines(row)}\nAnswer:"


def helm(subject: str, shots: Sequence[Row], row: Row) -> str:
    """Instructions and instances are joined by a line break, each instance starts with one."""
    about = subject.replace("_", " ")
    parts = [f"The following are multiple choice questions (with answers) about {about}.\n"]
    parts += [f"Question: {shot[0]}\n{lines(shot)}\nAnswer: {shot[5]}\n" for shot in shots]
    return "\n".join([*parts, f"Question: {row[0]}\n{lines(row)}\nAnswer:"])


def harness_v0(subject: str, shots: Sequence[Row], row: Row, letter: bool = False) -> str:
    """No header; a line that says "Choices:"; the examples end in the answer's text."""

    def asked(of: Row) -> str:
        return f"Question: {of[0]}\nChoices:\n{lines(of)}\nAnswer:"

    def answered(of: Row) -> str:
        return asked(of) + (f" {of[5]}. " if letter else " ") + right(of)

    return "\n\n".join([*map(answered, shots), asked(row)])


def harness(subject: str, shots: Sequence[Row], row: Row) -> str:
    """One space, the question without the blanks around it."""
    about = " ".join(subject.split("_"))
    head = f"The following are multiple choice questions (with answers) about {about}.\n\n"
    return head + harness_user(shots, row)


def harness_user(shots: Sequence[Row], row: Row) -> str:
    examples = [f"{shot[0].strip()}\n{lines(shot)}\nAnswer: {shot[5]}\n\n" for shot in shots]
    return "".join(examples) + f"{row[0].strip()}\n{lines(row)}\nAnswer:"


def harness_chat(subject: str, shots: Sequence[Row], row: Row) -> str:
    """The header is the system turn, its blank line included."""
    head = harness(subject, [], row).removesuffix(harness_user([], row))
    return (
        f"<|im_start|>system\n{head}<|im_end|>\n"
        f"<|im_start|>user\n{harness_user(shots, row)}<|im_end|>\n<|im_start|>assistant\n"
    )


def cloze(subject: str, shots: Sequence[Row], row: Row) -> str:
    """Options are not shown; the header doesn't speak of multiple choice."""
    head = f"The following are questions (with answers) about {subject.replace('_', ' ')}.\n\n"
    examples = [f"Question: {shot[0].strip()}\nAnswer: {right(shot)}\n\n" for shot in shots]
    return head + "".join(examples) + f"Question: {row[0].strip()}\nAnswer:"


def calibration(asks: str, question: str, end: str, shots: Sequence[Row], row: Row) -> str:
    if not shots:
        return f"{asks} {question}{row[0]}\n{lines(row)}\n\n{end}"
    these = "are some example questions and the corresponding correct responses."
    if len(shots) == 1:
        these = "is an example question and the corresponding correct response."
    text = f"{asks} \n\nFirst, here {these}\n\n"
    for number, shot in enumerate(shots, start=1):
        text += "Example question" + (f" {number}" if len(shots) > 1 else "") + ":\n"
        text += f"{shot[0]}\n{lines(shot)}\nCorrect response: {shot[5]}.\n\n"
    after = question[question.index(":") + 1 :]
    return f"{text}Now for the actual question:{after}{row[0]}\n{lines(row)}\n\n{end}"


def msp_1(subject: str, shots: Sequence[Row], row: Row) -> str:
    asks = (
        "Below is a multiple-choice question. Choose the letter which best answers the question. "
        "Keep your response as brief as possible; just state the letter corresponding to your "
        "answer, followed by a period, with no explanation."
    )
    twelve = " " * 12
    return calibration(asks, f"\n\nQuestion:\n{twelve}\n", "Response:\n\n", shots, row)


def msp_2(subject: str, shots: Sequence[Row], row: Row) -> str:
    asks = (
        "You will be asked a multiple-choice question. Respond with the letter which corresponds "
        "to the correct answer, followed by a period. There is no need to provide an explanation, "
        "so your response should be very short."
    )
    return calibration(asks, "Now here is the question:\n\n", "Answer:\n", shots, row)


# Which questions become examples


def first(subject: str, count: int) -> Iterator[list[Row]]:
    """The first of dev, the same for every question."""
    for _ in rows(subject, "test"):
        yield rows(subject, "dev")[:count]


def helm_shuffled(subject: str, count: int) -> Iterator[list[Row]]:
    """All answers differ, so HELM shuffles them in the order of their texts, with seed 0."""
    by_text = sorted(rows(subject, "dev"), key=right)
    random.Random(0).shuffle(by_text)
    for _ in rows(subject, "test"):
        yield by_text[:count]


def drawn(subject: str, count: int) -> Iterator[list[Row]]:
    """One generator: it shuffles the test questions, then draws one too many for each of them."""
    asked, kept = rows(subject, "test"), rows(subject, "val")
    found = {}
    generator = random.Random()
    generator.seed(42)
    generator.shuffle(asked)
    for row in asked:
        examples = generator.sample(kept, count + 1) if count else []
        found[row] = [example for example in examples if example != row][:count]
    for row in rows(subject, "test"):
        yield found[row]


Written = Callable[[str, Sequence[Row], Row], str]
Chosen = Callable[[str, int], Iterator[list[Row]]]

PROTOCOLS: dict[str, tuple[Written, Chosen]] = {
    "mmlu-original": (original, first),
    "mmlu-original-hf": (original, first),
    "mmlu-helm": (helm, helm_shuffled),
    "mmlu-harness-v0": (harness_v0, drawn),
    "mmlu-harness-v0-letter-text": (
        lambda subject, shots, row: harness_v0(subject, shots, row, letter=True),
        drawn,
    ),
    "mmlu-harness-v1": (harness, first),
    "mmlu-harness": (harness, first),
    "mmlu-harness-chat": (harness_chat, first),
    "mmlu-continuation": (cloze, first),
    "mmlu-generative": (harness, first),
    "msp-1": (msp_1, first),
    "msp-2": (msp_2, first),
}
WITHOUT_BOS = ("mmlu-harness-v0", "mmlu-harness-v0-letter-text")
SCORED_BY = {
    "mmlu-original": "first_token",
    "mmlu-original-hf": "first_token",
    "mmlu-helm": "vocab_argmax",
    "mmlu-harness-v0": "continuation",
    "mmlu-harness-v0-letter-text": "continuation",
    "mmlu-harness-v1": "label_continuation",
    "mmlu-harness": "label_continuation",
    "mmlu-harness-chat": "label_continuation",
    "mmlu-continuation": "continuation",
    "mmlu-generative": "label_match",
    "msp-1": "answer_position",
    "msp-2": "answer_position",
}
RAW = [name for name in PROTOCOLS if name != "mmlu-harness-chat"]


@pytest.mark.parametrize("shots", [0, 1, 2, 5])
@pytest.mark.parametrize("name", PROTOCOLS)
def test_prompts_are_the_protocol_s_to_the_byte(source: Path, name: str, shots: int) -> None:
    written, chosen = PROTOCOLS[name]
    plan = planned(source, f"{name}:shots={shots}")
    tokenizer = byte_level(CHATML if name == "mmlu-harness-chat" else None)
    prompts = [prompt_of(plan, probe, tokenizer) for probe in plan.probes()]
    expected = [
        written(subject, examples, row)
        for subject in SUBJECTS
        for row, examples in zip(rows(subject, "test"), chosen(subject, shots), strict=True)
    ]
    assert [prompt.text for prompt in prompts] == expected
    assert [prompt.shots for prompt in prompts] == [shots] * len(expected)
    assert not {"shots-missing", "shots-dropped", "truncated"} & codes(prompts[0])


def test_a_prompt_of_each_kind_spelled_out(source: Path) -> None:
    """Against slips that a function above would share with a format."""
    options = "A. test w0 of {0}\nB. test x0 of {0}\nC. test y0 of {0}\nD. test z0 of {0}\nAnswer:"
    options = options.format("us_foreign_policy")
    about = "The following are multiple choice questions (with answers) about"
    asked = {
        "mmlu-original": f"{about}  us foreign policy.\n\ntest 0, us_foreign_policy?\n{options}",
        "mmlu-helm": f"{about} us foreign policy.\n\n"
        f"Question: test 0, us_foreign_policy?\n{options}",
        "mmlu-harness-v0": f"Question: test 0, us_foreign_policy?\nChoices:\n{options}",
        "mmlu-harness-v1": f"{about} us foreign policy.\n\ntest 0, us_foreign_policy?\n{options}",
        "mmlu-continuation": "The following are questions (with answers) about us foreign policy."
        "\n\nQuestion: test 0, us_foreign_policy?\nAnswer:",
    }
    for name, text in asked.items():
        plan = planned(source / "us_foreign_policy_test.csv", f"{name}:shots=0", limit=1)
        assert [prompt_of(plan, probe, byte_level()).text for probe in plan.probes()] == [text]


def test_every_protocol_says_where_it_comes_from_and_how_it_is_scored() -> None:
    levels = ["example", "high", "low", "middle"]
    assert sorted(PROTOCOLS) == [name for name in format_names() if name not in levels]
    assert {name: load_format(name).scored_by for name in PROTOCOLS} == SCORED_BY
    assert all(load_format(name).source for name in PROTOCOLS)


# Examples


def shot_texts(plan: RunPlan) -> list[list[str]]:
    return [[shot.text for shot in probe.item.shots] for probe in plan.probes()]


def test_the_first_questions_of_a_plan_have_the_examples_that_they_have_among_all(
    source: Path,
) -> None:
    """The old harness drew for all questions of a subject, whichever of them one looks at."""
    whole = shot_texts(planned(source, "mmlu-harness-v0"))
    assert shot_texts(planned(source, "mmlu-harness-v0", limit=7)) == whole[:7]
    assert len({tuple(shots) for shots in whole}) == len(whole)
    one = planned(source / "anatomy_test.csv", "mmlu-harness-v0")
    assert shot_texts(one) == whole[:5]


def test_a_question_is_never_its_own_example(source: Path) -> None:
    repeated = rows("anatomy", "val")[2][0]
    for shots in range(1, 6):
        plan = planned(source / "anatomy_test.csv", f"mmlu-harness-v0:shots={shots}")
        assert repeated not in shot_texts(plan)[3]
        assert [len(each) for each in shot_texts(plan)] == [shots] * 5


def test_a_plan_that_was_stored_gives_the_same_examples(source: Path) -> None:
    for name in ("mmlu-original", "mmlu-helm", "mmlu-harness-v0"):
        plan = planned(source, name)
        stored = msgspec.json.decode(plan.to_json(), type=RunPlan)
        again = msgspec.structs.replace(stored, questions=plan.questions)
        assert shot_texts(again) == shot_texts(plan)
        assert again.fingerprint == plan.fingerprint


def test_helm_s_order_where_answers_repeat(tmp_path: Path) -> None:
    """The answer of two questions comes first, then each other one, then the second of the two."""
    answers = ["b", "c", "a", "c"]
    for split in ("dev", "test"):
        (tmp_path / split).mkdir()
        with (tmp_path / split / f"law_{split}.csv").open("w", newline="") as file:
            for at, answer in enumerate(answers):
                csv.writer(file).writerow([f"{split} {at}?", answer, "x", "y", "z", "A"])
    (shots, *others) = shot_texts(planned(tmp_path / "test" / "law_test.csv", "mmlu-helm:shots=4"))
    assert others == [shots] * 3
    assert {shots[0], shots[3]} == {"dev 1?", "dev 3?"}
    assert {shots[1], shots[2]} == {"dev 0?", "dev 2?"}


def test_without_a_validation_split_no_other_is_taken(tmp_path: Path) -> None:
    for split in ("dev", "test"):
        (tmp_path / split).mkdir()
        with (tmp_path / split / f"anatomy_{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows("anatomy", split))
    plan = planned(tmp_path / "test", "mmlu-harness-v0")
    prompts = [prompt_of(plan, probe, byte_level()) for probe in plan.probes()]
    assert [prompt.text for prompt in prompts] == [
        harness_v0("anatomy", [], row) for row in rows("anatomy", "test")
    ]
    (warning,) = [each for each in prompts[0].warnings if each.code == "shots-missing"]
    assert "5 worked examples from the validation split, only 0" in warning.message


@pytest.mark.parametrize("called", ["val", "validation"])
def test_a_validation_split_is_found_beside_a_source(tmp_path: Path, called: str) -> None:
    for split in ("test", called):
        (tmp_path / split).mkdir()
        with (tmp_path / split / f"law_{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerow([f"{split}?", "a", "b", "c", "d", "A"])
    for source in (tmp_path / "test" / "law_test.csv", tmp_path / "test"):
        assert [question.text for question in find_split(source, "validation")] == [f"{called}?"]
        assert find_split(source, "dev") == []
    (tmp_path / "own.csv").write_text("Q?,a,b,c,d,A\n")
    assert find_split(tmp_path / "own.csv", "validation") == []
    (tmp_path / f"own_{called}.csv").write_text("V?,a,b,c,d,A\n")
    assert [question.text for question in find_split(tmp_path / "own.csv", "validation")] == ["V?"]


def test_a_format_stored_before_there_were_protocols_can_be_read() -> None:
    stored = (
        b'{"name":"mine","user":"{{ question }}","title":"","description":"","source":"",'
        b'"system":"","header":"","shot":"","shots":0,"prefill":"","chat":false,"labels":"ABCD",'
        b'"label_style":"{label}. {text}","delimiter":"auto","too_long":"truncate-left",'
        b'"cue":"Answer:","scored_by":"first_token","fields":{}}'
    )
    fmt = msgspec.json.decode(stored, type=PromptFormat)
    assert fmt == PromptFormat(name="mine", user="{{ question }}", chat=False, labels="ABCD")


# The reading of generated letters


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("B", "B"),
        (" b", "B"),
        ("(B).", "B"),
        ("B.\nbecause", "B"),
        ("b</s>A", "B"),
        ("B. two", None),
        ("two", None),
        ("( B )", None),
        ("\nB", None),
        ("", None),
        ("...", None),
    ],
)
def test_a_generated_letter_is_matched_without_case_and_punctuation(
    text: str, label: str | None
) -> None:
    """The first line, stripped, in lower case and without string.punctuation, is the letter."""
    question = Question("?", (Option("A", "one"), Option("B", "two")), "B")
    written = Generation("greedy", 0, text, "stop", Positions([], [], [], [], [], [], [], []))
    result = ProbeResult(NOTHING_SEEN, [], [], [], [written])
    (found,) = [r for r in read_probe(question, result, lambda _: b"") if r.name == "label_match"]
    assert found.label == label
    assert found.status == ("unparsed" if label is None else "option")


# Tokens


@pytest.mark.parametrize("name", RAW)
@pytest.mark.parametrize("kind", ["byte-level", "sentencepiece"])
def test_begin_token_and_prompt_tokens(source: Path, name: str, kind: str) -> None:
    """The tokenizer's default, but for the old harness, which had add_special_tokens=False."""
    tokenizer = byte_level(None, True) if kind == "byte-level" else llama_like()
    plan = planned(source / "anatomy_test.csv", f"{name}:shots=1", limit=2)
    for probe in plan.probes():
        prompt = prompt_of(plan, probe, tokenizer)
        has_bos = name not in WITHOUT_BOS
        text = prompt.text.removeprefix(str(tokenizer.bos_token))
        assert (prompt.text != text) == has_bos
        ids = tokenizer(text, add_special_tokens=has_bos)["input_ids"]
        assert list(prompt.token_ids) == ids
        assert (ids[0] == tokenizer.bos_token_id) == has_bos
        assert ("no-bos" in codes(prompt)) == (not has_bos)


@pytest.mark.parametrize("tokenizer", [byte_level(), metaspace(), llama_like()], ids=str)
def test_old_harness_tokenises_the_answer_alone(
    source: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    """encode(context) + encode(continuation), nothing added to either."""
    for name, before in (("mmlu-harness-v0", ""), ("mmlu-harness-v0-letter-text", "{}. ")):
        plan = planned(source / "anatomy_test.csv", f"{name}:shots=1", limit=1)
        (probe,) = plan.probes()
        prompt = prompt_of(plan, probe, tokenizer)
        scored = {known.label: known for known in prompt.continuations if known.kind == "text"}
        for label, option in zip("ABCD", rows("anatomy", "test")[0][1:5], strict=True):
            text = " " + before.format(label) + option
            assert scored[label].text == text
            alone = tokenizer(text, add_special_tokens=False)["input_ids"]
            assert list(scored[label].token_ids) == alone
        assert "boundary-merge" not in codes(prompt)


def test_tokenised_alone_an_answer_has_another_beginning(source: Path) -> None:
    """A second blank, which after a prompt no answer has (lm-eval#531)."""
    tokenizer = llama_like()
    scored = []
    for boundary in ("separate", "joint"):
        fmt = msgspec.structs.replace(load_format("mmlu-harness-v0:shots=0"), boundary=boundary)
        plan = plan_run("nobody/nothing", str(source / "anatomy_test.csv"), [fmt], limit=1)
        (probe,) = plan.probes()
        texts = [c for c in prompt_of(plan, probe, tokenizer).continuations if c.kind == "text"]
        scored.append(tokenizer.convert_ids_to_tokens(list(texts[0].token_ids)))
    alone, jointly = scored
    assert alone == ["▁", *jointly]


@pytest.mark.parametrize("name", ["mmlu-harness-v1", "mmlu-harness", "mmlu-continuation"])
@pytest.mark.parametrize("tokenizer", [byte_level(None, True), llama_like()], ids=str)
def test_newer_harness_tokenises_jointly(
    source: Path, name: str, tokenizer: PreTrainedTokenizerFast
) -> None:
    """encode(context + continuation), cut at the length of encode(context)."""
    plan = planned(source / "anatomy_test.csv", f"{name}:shots=2", limit=1)
    (probe,) = plan.probes()
    prompt = prompt_of(plan, probe, tokenizer)
    context = prompt.text.removeprefix(str(tokenizer.bos_token))
    start = tokenizer(context)["input_ids"]
    for known in prompt.continuations:
        row = rows("anatomy", "test")[0]
        option = row[1 + "ABCD".index(known.label)]
        assert known.text == f" {known.label if known.kind == 'label' else option}"
        whole = tokenizer(context + known.text)["input_ids"]
        assert [*prompt.token_ids, *known.token_ids] == whole
        assert list(prompt.token_ids) == start


def test_after_a_chat_template_the_harness_scores_the_bare_letter(source: Path) -> None:
    plan = planned(source / "anatomy_test.csv", "mmlu-harness-chat", limit=1)
    (probe,) = plan.probes()
    prompt = prompt_of(plan, probe, byte_level(CHATML))
    assert [c.text for c in prompt.continuations if c.kind == "label"] == ["A", "B", "C", "D"]
    assert byte_level().convert_ids_to_tokens(list(prompt.label_ids)) == ["A", "B", "C", "D"]


@pytest.mark.parametrize(
    ("tokenizer", "api", "port"),
    [
        (byte_level(), ["ĠA", "ĠB", "ĠC", "ĠD"], ["A", "B", "C", "D"]),
        (byte_level(None, True), ["ĠA", "ĠB", "ĠC", "ĠD"], ["A", "B", "C", "D"]),
        (llama_like(), ["▁A", "▁B", "▁C", "▁D"], ["▁A", "▁B", "▁C", "▁D"]),
    ],
    ids=["GPT-2's kind", "with a begin token", "Llama's kind"],
)
def test_both_ways_the_original_looks_up_a_letter(
    source: Path, tokenizer: PreTrainedTokenizerFast, api: list[str], port: list[str]
) -> None:
    """The API's " A" after the prompt, and the port's tokenizer("A").input_ids[-1]."""
    found = {}
    for name in ("mmlu-original", "mmlu-original-hf"):
        plan = planned(source / "anatomy_test.csv", name, limit=1)
        (probe,) = plan.probes()
        prompt = prompt_of(plan, probe, tokenizer)
        found[name] = list(prompt.label_ids)
        labels = [known.token_ids for known in prompt.continuations if known.kind == "label"]
        assert tokenizer.convert_ids_to_tokens([ids[0] for ids in labels]) == api
    assert found["mmlu-original-hf"] == [tokenizer(each)["input_ids"][-1] for each in "ABCD"]
    assert tokenizer.convert_ids_to_tokens(found["mmlu-original"]) == api
    assert tokenizer.convert_ids_to_tokens(found["mmlu-original-hf"]) == port


# Prompts that are too long


@pytest.fixture(scope="module")
def long_source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Row]]:
    """Long examples, then questions of which the second alone has more than 2048 tokens."""
    folder = tmp_path_factory.mktemp("long")
    dev: list[Row] = [
        (f"Example {at} " + "word " * 280, "a", "b", "c", "d", "A") for at in range(5)
    ]
    test: list[Row] = [
        ("Short?", "a", "b", "c", "d", "B"),
        ("Long " + "word " * 1200, "a", "b", "c", "d", "C"),
    ]
    for split, each in (("dev", dev), ("val", dev), ("test", test)):
        (folder / split).mkdir()
        with (folder / split / f"anatomy_{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(each)
    return folder / "test" / "anatomy_test.csv", test


@pytest.mark.parametrize("name", ["mmlu-original", "mmlu-original-hf"])
def test_the_original_drops_the_last_example_until_2048_tokens(
    long_source: tuple[Path, list[Row]], name: str
) -> None:
    """A wide window changes nothing; below none it goes on with a cut in place of forever."""
    source, test = long_source
    tokenizer = byte_level(None, True)
    dev = [(f"Example {at} " + "word " * 280, "a", "b", "c", "d", "A") for at in range(5)]
    plan = planned(source, name)
    short, long = [
        prompt_of(plan, probe, tokenizer, window=100_000, max_new_tokens=48)
        for probe in plan.probes()
    ]
    lengths = {
        k: len(tokenizer(original("anatomy", dev[:k], test[0]))["input_ids"]) for k in range(6)
    }
    fits = max(k for k, length in lengths.items() if length <= 2048)
    assert 0 < fits < 5
    assert short.text == "<|begin|>" + original("anatomy", dev[:fits], test[0])
    assert (short.shots, short.dropped_tokens, codes(short)) == (fits, 0, {"shots-dropped"})
    bare = tokenizer(original("anatomy", [], test[1]))["input_ids"]
    assert len(bare) > 2048
    assert list(long.token_ids) == [bare[0], *bare[-2047:]]
    assert (long.shots, codes(long)) == (0, {"shots-dropped", "truncated"})


def test_a_narrower_window_of_the_model_counts_too(long_source: tuple[Path, list[Row]]) -> None:
    source, _ = long_source
    plan = planned(source, "mmlu-original")
    (probe, _) = plan.probes()
    prompt = prompt_of(plan, probe, byte_level(), window=1000, max_new_tokens=8)
    assert len(prompt.token_ids) + 8 <= 1000
    assert prompt.shots < 5


def test_helm_drops_examples_then_cuts_the_end(long_source: tuple[Path, list[Row]]) -> None:
    source, test = long_source
    tokenizer = byte_level(None, True)
    plan = planned(source, "mmlu-helm")
    short, long = [
        prompt_of(plan, probe, tokenizer, window=2048, max_new_tokens=4) for probe in plan.probes()
    ]
    assert 0 < short.shots < 5
    assert short.text.endswith("Question: Short?\nA. a\nB. b\nC. c\nD. d\nAnswer:")
    assert len(short.token_ids) <= 2044
    bare = tokenizer(helm("anatomy", [], test[1]))["input_ids"]
    assert list(long.token_ids) == bare[:2044]
    assert (long.shots, long.dropped_tokens) == (0, len(bare) - 2044)
    assert [w.message for w in long.warnings if w.code == "truncated"] == [
        f"{len(bare) - 2044} tokens were cut from the prompt's end to fit the window: lower "
        "shots, or ask for fewer new tokens."
    ]


@pytest.mark.parametrize("name", ["mmlu-harness-v0", "mmlu-harness-v1", "mmlu-harness"])
def test_the_harness_keeps_the_last_tokens_and_every_example(
    long_source: tuple[Path, list[Row]], name: str
) -> None:
    """Left truncation, which takes the begin token first, knows nothing of examples."""
    source, _ = long_source
    tokenizer = byte_level(None, True)
    plan = planned(source, f"{name}:shots=4")
    for probe in plan.probes():
        whole = prompt_of(plan, probe, tokenizer)
        prompt = prompt_of(plan, probe, tokenizer, window=1024, max_new_tokens=4)
        assert prompt.token_ids == whole.token_ids[-1020:]
        assert prompt.shots == 4
        assert prompt.text == whole.text
        assert {"truncated", "no-bos"} <= codes(prompt)
        assert tokenizer.bos_token_id not in prompt.token_ids


def test_today_s_harness_adds_a_missing_begin_token_to_a_chat_prompt(source: Path) -> None:
    """It tokenises the template's text like any other, but never adds a second one."""
    path = str(source / "anatomy_test.csv")
    plans = [
        plan_run("nobody/nothing", path, [name], limit=1) for name in ("mmlu-harness-chat", "low")
    ]
    for template in (CHATML, "{{ bos_token }}" + CHATML):
        tokenizer = byte_level(template, True)
        harness, other = [prompt_of(plan, *plan.probes(), tokenizer) for plan in plans]
        assert harness.pieces[:2] == ("<|begin|>", "<|im_start|>")
        assert other.pieces[0] == ("<|im_start|>" if template == CHATML else "<|begin|>")
        assert not {"no-bos", "double-bos"} & codes(harness)
