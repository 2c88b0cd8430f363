"""The command line and the explorer. Nothing here imports torch or transformers."""
