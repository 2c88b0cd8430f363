"""Reading answers out of replies: which option a text names, refuses, or leaves open."""

from engine.answers.ladder import LADDER_VERSION, Answer, Status, read_answer
from engine.answers.lines import read_lines

__all__ = ["LADDER_VERSION", "Answer", "Status", "read_answer", "read_lines"]
