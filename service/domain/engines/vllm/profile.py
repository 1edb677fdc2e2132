"""The version's constants, as vLLM's own shape of profile."""

from __future__ import annotations

from service.domain.profiles import VllmProfile
from service.domain.questions import Serving


def profile_of(serving: Serving) -> VllmProfile:
    """The version's constants."""
    return serving.profile_as(VllmProfile)
