"""Podium: human preferences into better language models."""

__version__ = "0.1.0"
