"""The commands of ``logitscope``, one module each; :mod:`tui.cli` puts them together."""
