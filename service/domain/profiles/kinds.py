"""Which kinds of engine there are: one module for each engine kind, one line in the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from service.domain.profiles.generic import GenericProfile
from service.domain.profiles.vllm import VllmProfile

EngineKind = Literal["vllm", "generic"]
Profile = VllmProfile | GenericProfile

PROFILES: Mapping[EngineKind, type[Profile]] = {"vllm": VllmProfile, "generic": GenericProfile}
"""Engine kind → the shape of its version profiles."""
