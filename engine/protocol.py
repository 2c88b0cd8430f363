"""The messages between the front process and the worker process.

Each message is one frame on a socket pair: four bytes of length (big endian), then msgpack. The
front sends :data:`Request` messages, the worker sends :data:`Event` messages. A *job* is one
request that takes time; its number comes back in every event it causes. :class:`Gone` never
crosses the pipe: the client makes it when the worker can no longer speak.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import BinaryIO, Literal

import msgspec

from engine.formats import PromptFormat
from engine.questions import Question
from engine.records import Distribution, Generation, ModelInfo, ProbeResult, ProbeSettings
from engine.rendered import RenderedPrompt

ErrorKind = Literal["model", "prompt", "memory", "internal"]


class ProbeItem(msgspec.Struct, frozen=True):
    """One question in one format and one option order, to be rendered and probed.

    Attributes:
        key: The sender's number for it; comes back with the result.
        question: Already in the order to be shown (see :mod:`engine.perturb`).
        question_id: Id of the question in its source order.
        order: Number of the option order.
        format: Name of one of the formats sent with the job.
        shots: Worked examples for few-shot formats, in the order shown.
        edited: The prompt as somebody changed it by hand; empty for the format's own.
    """

    key: int
    question: Question
    question_id: str
    order: int
    format: str
    shots: tuple[Question, ...] = ()
    edited: str = ""


class Load(msgspec.Struct, frozen=True, tag=True):
    """Load a model; answered by :class:`Loading`, then :class:`Ready` or :class:`Failed`.

    ``tokenizer_only`` loads just what rendering needs, which is too little for a :class:`Ready`:
    it is answered by :class:`Done`.
    """

    job: int
    model: str
    revision: str | None = None
    dtype: str = "auto"
    device: str = "auto"
    quantization: str = "none"
    tokenizer_only: bool = False


class Render(msgspec.Struct, frozen=True, tag=True):
    """Render one item without probing it; answered by :class:`Rendered` or :class:`Failed`."""

    job: int
    item: ProbeItem
    formats: tuple[PromptFormat, ...]
    max_new_tokens: int = 0


class Probe(msgspec.Struct, frozen=True, tag=True):
    """Probe items; answered by one :class:`Probed` or :class:`Failed` each, then :class:`Done`.

    ``live`` asks for :class:`FirstToken` and :class:`Wrote` events while it runs, and for being
    served before jobs that are not live, even in the middle of one of them. ``batch_size`` 0 means
    automatic.
    """

    job: int
    items: tuple[ProbeItem, ...]
    formats: tuple[PromptFormat, ...]
    settings: ProbeSettings
    live: bool = False
    batch_size: int = 0


class Extend(msgspec.Struct, frozen=True, tag=True):
    """Write more after a prompt that is known; answered by :class:`Extended` or :class:`Failed`.

    Served like a live :class:`Probe`, and tells :class:`Wrote` events while it runs.

    Attributes:
        job: Number of the job.
        question_id: Id of the question in its source order.
        order: Number of the option order.
        format: Name of the prompt format.
        token_ids: The prompt.
        settings: As of the probe that had this prompt.
        samples: Numbers of samples to draw, ascending.
        beginning: What a branch begins with, the alternative taken last; with samples it is empty.
    """

    job: int
    question_id: str
    order: int
    format: str
    token_ids: tuple[int, ...]
    settings: ProbeSettings
    samples: tuple[int, ...] = ()
    beginning: tuple[int, ...] = ()


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Stop a job; acknowledged at once with :class:`Cancelled`, even in the middle of a step.

    A job that has already ended is not acknowledged: its last event is on the way.
    """

    job: int


class Shutdown(msgspec.Struct, frozen=True, tag=True):
    """End the worker; answered by :class:`Bye`."""


Work = Load | Render | Probe | Extend
Request = Work | Cancel | Shutdown


class Loading(msgspec.Struct, frozen=True, tag=True):
    """A model is being loaded; ``stage`` says in words what is happening."""

    job: int
    stage: str


class VocabularyEntry(msgspec.Struct, frozen=True, array_like=True):
    """One id of the logits vector.

    Attributes:
        piece: The tokenizer's name for the token, None for an id the tokenizer does not know.
        raw: The bytes the token stands for.
        special: Whether it is a special token.
    """

    piece: str | None
    raw: bytes
    special: bool

    @property
    def text(self) -> str:
        """The token as text; bytes that are no text of their own become U+FFFD."""
        return self.raw.decode("utf-8", "replace")


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The model is loaded. ``vocabulary[i]`` describes token id ``i``."""

    job: int
    model: ModelInfo
    vocabulary: tuple[VocabularyEntry, ...]
    notes: tuple[str, ...] = ()


class Rendered(msgspec.Struct, frozen=True, tag=True):
    """A rendered prompt."""

    job: int
    key: int
    prompt: RenderedPrompt


class FirstToken(msgspec.Struct, frozen=True, tag=True):
    """The first-token distribution of an item whose generations are still being written."""

    job: int
    key: int
    first: Distribution
    label_logprobs: list[float]


class Wrote(msgspec.Struct, frozen=True, tag=True):
    """One more token in each running generation of a live item; None where it has ended.

    ``key`` is 0 for :class:`Extend`.
    """

    job: int
    key: int
    step: int
    token_ids: list[int | None]


class Probed(msgspec.Struct, frozen=True, tag=True):
    """One item is done."""

    job: int
    key: int
    prompt: RenderedPrompt
    result: ProbeResult


class Extended(msgspec.Struct, frozen=True, tag=True):
    """What was written: the samples in order, or the one branch, every token with its distribution.

    None of it where the job was cancelled.
    """

    job: int
    generations: tuple[Generation, ...]


class Done(msgspec.Struct, frozen=True, tag=True):
    """Every item of a job is done, failed, or dropped by :class:`Cancel`."""

    job: int


class Cancelled(msgspec.Struct, frozen=True, tag=True):
    """A job was told to stop; the only event of the job after this is :class:`Done`."""

    job: int


class Note(msgspec.Struct, frozen=True, tag=True):
    """Something the user should know that is no error, e.g. a batch that was halved."""

    job: int
    sentence: str


class Failed(msgspec.Struct, frozen=True, tag=True):
    """A job, or one item of it where ``key`` is not None, can't be done."""

    job: int
    key: int | None
    kind: ErrorKind
    sentence: str
    hint: str = ""


class Bye(msgspec.Struct, frozen=True, tag=True):
    """The worker is about to exit because it was asked to; its last event."""


class Gone(msgspec.Struct, frozen=True, tag=True):
    """The worker ended without being asked; made by the client, the last event of that worker.

    Attributes:
        exit_code: As in :class:`subprocess.Popen`: negative for a signal.
        sentence: What happened.
        hint: What would help.
    """

    exit_code: int
    sentence: str
    hint: str


JobEvent = (
    Loading
    | Ready
    | Rendered
    | FirstToken
    | Wrote
    | Probed
    | Extended
    | Done
    | Cancelled
    | Note
    | Failed
)
Event = JobEvent | Bye | Gone

LONGEST_FRAME = 1 << 30
"""Bytes; a longer length can only come from a damaged stream."""

_LENGTH = struct.Struct("!I")
_encode = msgspec.msgpack.Encoder().encode
decode_request: Callable[[bytes], Request] = msgspec.msgpack.Decoder(Request).decode
decode_event: Callable[[bytes], Event] = msgspec.msgpack.Decoder(Event).decode


def frame(message: Request | Event) -> bytes:
    """Encode one message with its length in front."""
    body = _encode(message)
    return _LENGTH.pack(len(body)) + body


def read_frame(stream: BinaryIO) -> bytes | None:
    """Read the body of one message from a buffered binary stream.

    Returns:
        The body, or None where the stream has ended, be it in the middle of a message (a killed
        process writes no last words).

    Raises:
        ValueError: The length can't be one.
    """
    header = stream.read(_LENGTH.size)
    if len(header) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(header)
    if length > LONGEST_FRAME:
        raise ValueError(f"A message of {length} bytes: the stream is damaged.")
    body = stream.read(length)
    return body if len(body) == length else None
