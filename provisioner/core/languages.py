"""The languages that people are spoken to in: on the pages, on instruction sheets, in a user's choice."""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES: Mapping[str, str] = {"en": "English", "vi": "Tiếng Việt", "km": "ខ្មែរ", "nl": "Nederlands", "fi": "Suomi"}
"""Code -> name in the language itself."""
