"""Reading answers out of replies: which option a text names, refuses, or leaves open."""

from engine.answers.ladder import LADDER_VERSION, Answer, read_answer

__all__ = ["LADDER_VERSION", "Answer", "read_answer"]
