"""What does a worker's work: the protocol that its message loop knows, and the real thing.

The message loop never imports torch; :class:`TorchBackend` does, with the first model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from engine.errors import ModelError
from engine.formats import PromptFormat
from engine.protocol import Extend, Load, ProbeItem, Ready
from engine.records import Distribution, Generation, ProbeResult, ProbeSettings

if TYPE_CHECKING:
    from engine.model import LoadedModel
    from engine.probe import Prober
    from engine.prompt import Tokenizer
    from engine.rendered import RenderedPrompt

OnFirst = Callable[[int, Distribution, list[float]], None]
OnStep = Callable[[int, int, list[int | None]], None]
Stopping = Callable[[], bool]
"""Asked before every forward pass; what is urgent is done meanwhile. True ends the job."""


class Backend(Protocol):
    """What does the work; the message loop around it does not know torch."""

    def load(self, request: Load, on_stage: Callable[[str], None]) -> Ready | None:
        """Load a model; None where only the tokenizer was wanted."""

    def render(self, item: ProbeItem, fmt: PromptFormat, max_new_tokens: int) -> RenderedPrompt:
        """Render one item for the loaded tokenizer."""

    def check(self, prompt: RenderedPrompt, settings: ProbeSettings) -> None:
        """Raise where the loaded model can't take a prompt."""

    def probe(
        self,
        prompts: Sequence[RenderedPrompt],
        settings: ProbeSettings,
        *,
        batch_size: int,
        keep: bool,
        cancelled: Stopping,
        on_first: OnFirst | None,
        on_step: OnStep | None,
        on_note: Callable[[str], None],
    ) -> Iterator[tuple[int, ProbeResult]]:
        """Probe prompts with the loaded model; yields indexes and results as they finish."""

    def extend(
        self,
        request: Extend,
        *,
        cancelled: Stopping,
        on_step: Callable[[int, list[int | None]], None],
    ) -> list[Generation]:
        """Write more after a known prompt; nothing if cancelled."""


class TorchBackend:
    """The real thing. Imports torch with the first model."""

    def __init__(self) -> None:
        self._tokenizer: Tokenizer | None = None
        self._loaded: LoadedModel | None = None
        self._prober: Prober | None = None

    def load(self, request: Load, on_stage: Callable[[str], None]) -> Ready | None:
        """Load a model, or only its tokenizer."""
        on_stage("importing torch")
        from engine.model import load_model, load_tokenizer

        # The old model goes first: two at once may not fit.
        self._tokenizer = self._loaded = self._prober = None
        if request.tokenizer_only:
            on_stage("loading the tokenizer")
            self._tokenizer = load_tokenizer(request.model, request.revision)
            return None
        from engine.probe import Prober

        self._loaded = load_model(request, on_stage)
        self._tokenizer = self._loaded.tokenizer
        self._prober = Prober(self._loaded)
        return Ready(
            request.job, self._loaded.info, self._loaded.vocabulary, tuple(self._loaded.notes)
        )

    def render(self, item: ProbeItem, fmt: PromptFormat, max_new_tokens: int) -> RenderedPrompt:
        """Render one item."""
        from engine.prompt import render

        if self._tokenizer is None:
            raise no_model()
        return render(
            item.question,
            item.question_id,
            item.order,
            fmt,
            self._tokenizer,
            shots=item.shots,
            edited=item.edited,
            window=self._loaded.info.window if self._loaded else None,
            max_new_tokens=max_new_tokens,
        )

    def probe(
        self,
        prompts: Sequence[RenderedPrompt],
        settings: ProbeSettings,
        *,
        batch_size: int,
        keep: bool,
        cancelled: Stopping,
        on_first: OnFirst | None,
        on_step: OnStep | None,
        on_note: Callable[[str], None],
    ) -> Iterator[tuple[int, ProbeResult]]:
        """Probe prompts in batches."""
        return self._ready_prober().probe(
            prompts,
            settings,
            batch_size=batch_size,
            keep=keep,
            cancelled=cancelled,
            on_first=on_first,
            on_step=on_step,
            on_note=on_note,
        )

    def extend(
        self,
        request: Extend,
        *,
        cancelled: Stopping,
        on_step: Callable[[int, list[int | None]], None],
    ) -> list[Generation]:
        """Draw samples, or follow a branch."""
        from engine.extend import branch, draw_samples

        if self._loaded is None:
            raise no_model()
        if request.beginning:
            text = branch(
                self._loaded,
                request,
                request.settings,
                request.beginning,
                cancelled=cancelled,
                on_step=on_step,
            )
            return [] if text is None else [text]
        return draw_samples(
            self._loaded,
            request,
            request.settings,
            request.samples,
            cancelled=cancelled,
            on_step=on_step,
        )

    def check(self, prompt: RenderedPrompt, settings: ProbeSettings) -> None:
        """Raise where a prompt is longer than the model can take."""
        self._ready_prober().check_length(prompt, settings)

    def _ready_prober(self) -> Prober:
        if self._prober is None:
            raise no_model()
        return self._prober


def no_model() -> ModelError:
    """What is said where a model is needed and none is loaded."""
    return ModelError("No model is loaded.", "Load one first.")
