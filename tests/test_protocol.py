"""Messages survive the pipe whole; a damaged stream is noticed."""

from __future__ import annotations

import io
import math
import string

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engine.formats import PromptFormat
from engine.protocol import (
    Bye,
    Cancel,
    Cancelled,
    Done,
    Event,
    Extend,
    Extended,
    Failed,
    FirstToken,
    Gone,
    Load,
    Loading,
    Note,
    Probe,
    Probed,
    ProbeItem,
    Ready,
    Render,
    Rendered,
    Request,
    Shutdown,
    VocabularyEntry,
    Wrote,
    decode_event,
    decode_request,
    frame,
    read_frame,
)
from engine.questions import Option, Question
from engine.records import (
    Continuation,
    Distribution,
    Generation,
    ModelInfo,
    Positions,
    ProbeResult,
    ProbeSettings,
    SamplerSettings,
    Spelling,
)
from engine.rendered import ForcedContinuation, PromptWarning, RenderedPrompt, SpellingToken

few = hypothesis_settings(max_examples=25, deadline=None)
texts = st.text(max_size=20)
small = st.integers(0, 9)
jobs = st.integers(0, 2**63 - 1)
token_ids = st.lists(st.integers(0, 2**31 - 1), max_size=5)
logprobs = st.lists(st.floats(max_value=0.0, allow_nan=False), max_size=5)
options = st.lists(
    st.builds(Option, st.sampled_from(string.ascii_uppercase), texts, st.none() | st.floats(0, 9)),
    min_size=2,
    max_size=5,
).map(tuple)
questions = st.builds(Question, texts, options, st.none() | st.just("A"), texts, texts)
items = st.builds(
    ProbeItem, jobs, questions, texts, st.integers(0, 9), texts, st.tuples(questions), texts
)
formats = st.builds(PromptFormat, name=texts, user=texts, fields=st.dictionaries(texts, texts))
samplers = st.builds(SamplerSettings, st.floats(0.1, 9), st.floats(0.1, 1), st.integers(0, 99))
settings = st.builds(ProbeSettings, sampler=samplers, seed=st.integers(-(2**63), 2**63 - 1))
distributions = st.builds(
    Distribution, token_ids, logprobs, st.floats(0, 9), st.floats(), st.just(0.5)
)
prompts = st.builds(
    RenderedPrompt,
    question_id=texts,
    format=texts,
    order=st.integers(0, 9),
    labels=st.tuples(texts),
    text=texts,
    token_ids=token_ids.map(tuple),
    pieces=st.tuples(texts),
    label_ids=token_ids.map(tuple),
    spellings=st.tuples(st.builds(SpellingToken, token_id=small)),
    continuations=st.tuples(st.builds(ForcedContinuation, token_ids=token_ids.map(tuple))),
    chat=st.booleans(),
    shots=st.integers(0, 5),
    dropped_tokens=st.integers(0, 5),
    warnings=st.tuples(st.builds(PromptWarning)),
)
positions = st.builds(
    Positions,
    token_ids=token_ids,
    logprobs=logprobs,
    ranks=token_ids,
    top_ids=st.lists(token_ids, max_size=2),
    top_logprobs=st.lists(logprobs, max_size=2),
    sampler_logprobs=st.none() | logprobs,
    margins=st.none() | logprobs,
)
generations = st.builds(
    Generation,
    kind=st.sampled_from(["greedy", "sample", "extra", "branch"]),
    index=st.integers(-9, 9),
    text=texts,
    positions=positions,
    parent=st.none() | st.integers(-9, 9),
    fork=st.none() | small,
)
results = st.builds(
    ProbeResult,
    first=distributions,
    spellings=st.lists(st.builds(Spelling, token_id=small), max_size=2),
    continuations=st.lists(st.builds(Continuation, token_ids=token_ids), max_size=2),
    generations=st.lists(generations, max_size=2),
)
models = st.builds(
    ModelInfo,
    parameters=jobs,
    vocab_size=small,
    tokenizer_size=small,
    window=st.none() | small,
    bos_id=st.none() | small,
    stop_ids=token_ids,
    threads=small,
    generation_defaults=st.dictionaries(texts, small | texts | st.none()),
)

requests: st.SearchStrategy[Request] = st.one_of(
    st.builds(Load, jobs, texts),
    st.builds(Render, jobs, items, st.tuples(formats)),
    st.builds(Probe, jobs, st.lists(items, max_size=2).map(tuple), st.tuples(formats), settings),
    st.builds(
        Extend,
        *(jobs, texts, small, texts, token_ids.map(tuple), settings),
        samples=st.lists(small, max_size=3).map(tuple),
        beginning=token_ids.map(tuple),
    ),
    st.builds(Cancel, jobs),
    st.builds(Shutdown),
)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(Loading, jobs, texts),
    st.builds(Ready, jobs, models, st.tuples(st.builds(VocabularyEntry, raw=st.binary()))),
    st.builds(Rendered, jobs, jobs, prompts),
    st.builds(FirstToken, jobs, jobs, distributions, logprobs),
    st.builds(Wrote, jobs, jobs, jobs, st.lists(st.none() | st.integers(0, 9), max_size=3)),
    st.builds(Probed, jobs, jobs, prompts, results),
    st.builds(Extended, jobs, st.lists(generations, max_size=2).map(tuple)),
    st.builds(Done, jobs),
    st.builds(Cancelled, jobs),
    st.builds(Note, jobs, texts),
    st.builds(Failed, jobs, st.none() | jobs, st.just("memory"), texts, texts),
    st.builds(Bye),
    st.builds(Gone, st.integers(-64, 255), texts, texts),
)


def bodies(stream: bytes) -> list[bytes]:
    source = io.BytesIO(stream)
    return list(iter(lambda: read_frame(source), None))


def same(ours: object, theirs: object) -> bool:
    """Equality in which a NaN (an entropy that could not be computed) equals itself."""
    return msgspec.msgpack.encode(ours) == msgspec.msgpack.encode(theirs)


@few
@given(st.lists(requests, max_size=4))
def test_requests_arrive_as_they_were_sent(sent: list[Request]) -> None:
    received = [decode_request(body) for body in bodies(b"".join(map(frame, sent)))]
    assert received == sent
    assert [type(request) for request in received] == [type(request) for request in sent]


@few
@given(st.lists(events, max_size=4))
def test_events_arrive_as_they_were_sent(sent: list[Event]) -> None:
    received = [decode_event(body) for body in bodies(b"".join(map(frame, sent)))]
    assert len(received) == len(sent)
    assert all(map(same, received, sent))
    assert [type(event) for event in received] == [type(event) for event in sent]


@few
@given(requests, st.integers(1, 50))
def test_a_message_cut_short_is_the_end(request: Request, missing: int) -> None:
    whole = frame(request)
    assert bodies(whole + whole[: max(0, len(whole) - missing)]) == [whole[4:]]


def test_an_impossible_length_is_refused() -> None:
    with pytest.raises(ValueError, match="damaged"):
        read_frame(io.BytesIO(b"\xff\xff\xff\xff"))


def test_an_event_is_no_request() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_request(frame(Done(1))[4:])


def test_infinite_logprobs_survive() -> None:
    first = Distribution([1], [-math.inf], 0.0, math.nan, 0.0)
    received = decode_event(frame(FirstToken(1, 2, first, [-math.inf]))[4:])
    assert isinstance(received, FirstToken)
    assert received.label_logprobs == [-math.inf]
    assert math.isnan(received.first.logsumexp)
