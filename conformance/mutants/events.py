"""Clearinghouses that take events wrongly."""

from clearspec_conformance.mutants import wrong

wrong(
    "duplicate-applied",
    (
        "machine",
        "    require(event.id not in state.recent, Reason.DUPLICATE_EVENT, event.id)\n",
        "",
    ),
    story="An event that is sent again under a new sequence number is applied again: the withdrawal is paid twice.",
)

wrong(
    "duplicate-of-a-rejected-event",
    (
        "machine",
        "        state.drop()\n        return Receipt",
        "        state.drop()\n        state.recent[event.id] = None\n        return Receipt",
    ),
    story="A rejected event uses up its id, so that trying it again later is refused.",
)

wrong(
    "time-runs-back",
    (
        "machine",
        "    require(event.time >= state.time, Reason.TIME_DECREASING, event.id)\n",
        "",
    ),
    story="An event from the past makes stale prices fresh again.",
)

wrong(
    "same-second-refused",
    (
        "machine",
        "require(event.time >= state.time, Reason.TIME_DECREASING, event.id)",
        "require(event.time > state.time, Reason.TIME_DECREASING, event.id)",
    ),
    story="Two events in one second: the second is refused.",
)

wrong(
    "sequence-repeats",
    (
        "machine",
        "    require(event.sequence > state.sequence, Reason.SEQUENCE_NOT_INCREASING, event.id)\n",
        "",
    ),
    story="Events are applied in whatever order they arrive.",
)

wrong(
    "sequence-without-gaps",
    (
        "machine",
        "require(event.sequence > state.sequence, Reason.SEQUENCE_NOT_INCREASING, event.id)",
        "require(event.sequence == state.sequence + 1, Reason.SEQUENCE_NOT_INCREASING, event.id)",
    ),
    story="A rejected event leaves a gap in the sequence, and every event after it is refused.",
)

wrong(
    "rejection-leaves-traces",
    (
        "machine",
        "        state.drop()\n        return Receipt",
        "        state.commit()\n        return Receipt",
    ),
    story="What a rejected event had already written stays written.",
)

wrong(
    "same-account-on-both-sides",
    (
        "events",
        "    require(account != other, Reason.SAME_ACCOUNT, account)\n",
        "    pass\n",
    ),
    story="An account transfers to, trades with and liquidates itself.",
)

wrong(
    "administrator-not-checked",
    (
        "events",
        "    require(ctx.actor in ctx.state.administrators, Reason.UNAUTHORISED, ctx.actor)\n",
        "    pass\n",
    ),
    story="Anybody lists markets and collects fees.",
    incident="Drift, April 2026: 285 million left within minutes of the administrator's key being moved.",
)

wrong(
    "unknown-before-unauthorised",
    (
        "trading",
        "    require_venue(ctx)\n    require_market(ctx, action.market)\n",
        "    require_market(ctx, action.market)\n    require_venue(ctx)\n",
    ),
    story="An outsider learns from the reason of its rejection which markets exist.",
)
