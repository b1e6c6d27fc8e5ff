"""What an audit that follows a log tells Prometheus."""

from __future__ import annotations

from typing import Any

from clearspec_command.failures import BadInput
from clearspec_conformance.audit.following import Position
from clearspec_conformance.audit.tallies import Tally, check_records


def library() -> Any:
    """The library.

    Raises:
        BadInput: it is not installed.
    """
    try:
        import prometheus_client
    except ImportError:
        raise BadInput("--metrics needs the library prometheus-client: pip install '.[audit]'") from None
    return prometheus_client


def address_of(text: str) -> tuple[str, int]:
    """Host and port of ``[HOST:]PORT``; without a host this machine alone can ask.

    Raises:
        BadInput: it is none.
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) < 6 and 0 <= int(port) < 2**16):
        raise BadInput(f"--metrics {text}: expected a port, or a host and a port such as 0.0.0.0:9464")
    return host.strip("[]") or "127.0.0.1", int(port)


class Metrics:
    """The figures of an audit, in a registry of their own."""

    def __init__(self) -> None:
        prometheus = library()
        self.registry = prometheus.CollectorRegistry()
        counter, gauge = prometheus.Counter, prometheus.Gauge
        self.events = self._made(counter, "events", "Events audited, by what the engine says of them.", "status")
        self.findings = self._made(counter, "findings", "Findings, by the rule behind them.", "rule")
        self.snapshots = self._made(counter, "snapshots", "Full snapshots compared.")
        self.not_checked = self._made(gauge, "not_checked", "Events after which a check was not made.", "check")
        self.first = self._made(gauge, "first_finding_step", "Step of the first finding; 0 without one.")
        self.line = self._made(gauge, "line", "Lines read of the file that is read now.")
        self.file = self._made(gauge, "file", "Number of the file that is read now; it grows with every rotation.")
        self.lag = self._made(gauge, "lag_bytes", "Bytes of the file that have not been read yet.")
        self.stopped = self._made(gauge, "stopped", "1 once the log cannot be read on.", "fault")
        self.said: dict[tuple[str, str], int] = {}

    def _made(self, kind: Any, name: str, about: str, *labels: str) -> Any:
        return kind(f"clearspec_audit_{name}", about, labels, registry=self.registry)

    def serve(self, host: str, port: int) -> int:
        """Answer requests in a thread of their own; returns the port, which the system chooses if it is 0.

        Raises:
            BadInput: the address cannot be had.
        """
        try:
            server, _ = library().start_http_server(port, addr=host, registry=self.registry)
        except OSError as error:
            raise BadInput(f"--metrics {host}:{port}: {error.strerror or error}") from None
        return int(server.server_address[1])

    def raised(self, counter: Any, name: str, label: str, total: int) -> None:
        """Bring a counter to a total."""
        more = total - self.said.get((name, label), 0)
        self.said[name, label] = total
        (counter.labels(label) if label else counter).inc(more)

    def tell(self, position: Position, tally: Tally) -> None:
        """Take in how far the audit has come."""
        self.raised(self.events, "events", "accepted", tally.accepted.total())
        self.raised(self.events, "events", "rejected", tally.rejected.total())
        self.raised(self.snapshots, "snapshots", "", tally.snapshots)
        for rule, count in tally.found.items():
            self.raised(self.findings, "findings", rule, count)
        for check in check_records(tally):
            self.not_checked.labels(check.id).set(sum(check.not_checked.values()))
        self.first.set(tally.findings[0].step if tally.findings else 0)
        self.line.set(position.line)
        self.file.set(position.file)
        self.lag.set(max(0, position.size - position.byte))
        if tally.stop is not None:
            self.stopped.labels(tally.stop.fault.value).set(1)
