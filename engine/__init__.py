"""The engine: questions, prompts, probes, readings, flags and the store.

Data flows one way::

    questions -> prompt -> probe -> readings -> flags -> store -> views

Importing this package is cheap: torch and transformers are loaded only by the modules that the
worker process runs (:mod:`engine.model`, :mod:`engine.probe`, :mod:`engine.sampling`).
"""
