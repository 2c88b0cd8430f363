"""More of one prompt that was probed before: further samples, or a branch off a text.

The keys of the prompt are kept by the shared plan, so that neither prefills it again; the plain
plan computes it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import torch

from engine.canonical import one_thread
from engine.errors import OutOfMemory
from engine.generate import Generator, Stopped
from engine.memory import ran_out
from engine.model import LoadedModel
from engine.plans import Plan
from engine.records import Generation, ProbeSettings
from engine.rendered import Asked

OnStep = Callable[[int, list[int | None]], None]


@torch.inference_mode()
def draw_samples(
    loaded: LoadedModel,
    asked: Asked,
    settings: ProbeSettings,
    numbers: Sequence[int],
    *,
    cancelled: Callable[[], bool] = lambda: False,
    on_step: OnStep | None = None,
) -> list[Generation]:
    """Draw some samples of a prompt; each is what a run with as many samples would have drawn.

    Args:
        loaded: The model.
        asked: The prompt.
        settings: Sampler, seed and longest generation.
        numbers: Numbers of the samples, ascending, from 1.
        cancelled: Asked before every forward pass; once it says True, nothing is returned.
        on_step: Called with the step and the newest token of each sample, None where it ended.

    Raises:
        OutOfMemory: They don't fit together.
    """

    def write(plan: Plan, check: Callable[[], None]) -> Generator:
        check()
        session = plan.prefill([asked.token_ids], keep=True)
        return Generator(session, [asked], settings, loaded.info.stop_ids, numbers)

    return _written(loaded, asked, settings, settings.max_new_tokens, write, cancelled, on_step)


@torch.inference_mode()
def branch(
    loaded: LoadedModel,
    asked: Asked,
    settings: ProbeSettings,
    beginning: Sequence[int],
    *,
    cancelled: Callable[[], bool] = lambda: False,
    on_step: OnStep | None = None,
) -> Generation | None:
    """Let the model go on greedily from a beginning that is given.

    Args:
        loaded: The model.
        asked: The prompt.
        settings: What is kept of every position, and how many tokens may follow the beginning.
        beginning: Token ids that follow the prompt, the last one being the alternative taken.
        cancelled: As for :func:`draw_samples`.
        on_step: As for :func:`draw_samples`.

    Returns:
        The whole text, beginning included, every token with its distribution; None if cancelled.

    Raises:
        OutOfMemory: There is not even room for this.
    """

    def write(plan: Plan, check: Callable[[], None]) -> Generator:
        check()
        prompt = plan.prefill([asked.token_ids], keep=True)
        check()
        before = torch.cat([prompt.first, *prompt.follow([[beginning]])])
        check()
        session = plan.prefill([[*asked.token_ids, *beginning]], keep=True)
        generator = Generator(session, [asked], settings, loaded.info.stop_ids, [0])
        generator.begin_with(torch.tensor(beginning, device=before.device), before)
        return generator

    limit = len(beginning) + settings.max_new_tokens
    written = _written(loaded, asked, settings, limit, write, cancelled, on_step)
    return next((msgspec.structs.replace(text, kind="branch") for text in written), None)


def _written(
    loaded: LoadedModel,
    asked: Asked,
    settings: ProbeSettings,
    longest: int,
    make: Callable[[Plan, Callable[[], None]], Generator],
    cancelled: Callable[[], bool],
    on_step: OnStep | None,
) -> list[Generation]:
    """Everything a generator writes about one prompt; nothing if cancelled."""

    def check_cancelled() -> None:
        if cancelled():
            raise Stopped

    def tell(step: int, newest: list[list[int | None]]) -> None:
        if on_step is not None:
            on_step(step, newest[0])

    plan = loaded.plan_for(asked, longest, canonical=settings.canonical)
    try:
        with one_thread(settings.canonical):
            generator = make(plan, check_cancelled)
            generator.run(check_cancelled, tell)
    except Stopped:
        return []
    except (MemoryError, RuntimeError) as error:
        if not ran_out(error):
            raise
        raise OutOfMemory(
            "Memory ran out.", "Ask for fewer samples at once, or use a smaller dtype or model."
        ) from error
    return generator.results(loaded.tokenizer)[0]
