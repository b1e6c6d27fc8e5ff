"""The ten engines by name, for ``--impl python:clearspec_conformance.injected.subjects:NAME``."""

from __future__ import annotations

from functools import partial

from clearspec_conformance.injected import engine

wrong_rounding = partial(engine, "wrong_rounding")
lost_posting = partial(engine, "lost_posting")
stale_price = partial(engine, "stale_price")
skipped_margin = partial(engine, "skipped_margin")
swapped_events = partial(engine, "swapped_events")
applied_duplicate = partial(engine, "applied_duplicate")
dropped_remainder = partial(engine, "dropped_remainder")
large_liquidation = partial(engine, "large_liquidation")
late_insurance = partial(engine, "late_insurance")
backward_clock = partial(engine, "backward_clock")
