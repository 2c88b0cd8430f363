"""Reading answers out of replies: which option a text names, refuses, or leaves open."""

from engine.answers.ladder import Answer, read_answer
from engine.answers.lines import read_lines
from engine.records import LADDER_VERSION, Status

__all__ = ["LADDER_VERSION", "Answer", "Status", "read_answer", "read_lines"]
