"""Hypothesis profiles: `quick` while editing, `ci` (the default) and `full`; chosen by CLEARSPEC_PROFILE."""

import os

from hypothesis import HealthCheck, settings

COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck), "print_blob": True}
settings.register_profile("quick", max_examples=100, **COMMON)
settings.register_profile("ci", max_examples=1000, derandomize=True, **COMMON)
settings.register_profile("full", max_examples=5000, **COMMON)
settings.load_profile(os.environ.get("CLEARSPEC_PROFILE", "ci"))
