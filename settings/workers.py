"""Settings of the component workers."""

from __future__ import annotations

from typing import ClassVar, Literal

from settings.component import Component, configured, derived

DCOR_QUEUES = ("dcor-short", "dcor-normal", "dcor-long")


class WorkersSettings(Component):
    """Workers under supervisor: do CKAN's background jobs, so many at once as there are of a queue."""

    prefix: ClassVar[str] = "workers"
    group: ClassVar[str] = "portal"

    flavour: Literal["ckan", "dcor"] = derived("The portal's flavour", "the portal's", "portal_flavour")
    default: int = configured(1, "Workers of CKAN's own queue; 0: none", ge=0, le=64)
    dcor_short: int = configured(1, "Flavour dcor: workers of dcor-short (metadata); 0: none", ge=0, le=64)
    dcor_normal: int = configured(1, "Flavour dcor: workers of dcor-normal (previews); 0: none", ge=0, le=64)
    dcor_long: int = configured(1, "Flavour dcor: workers of dcor-long (condensed data, SHA-256); 0: none", ge=0, le=64)
    stop_seconds: int = configured(
        60, "Time that a job in progress has to end before it is cut short by a restart", unit="seconds", ge=1, le=86400
    )

    @property
    def queues(self) -> dict[str, int]:
        """All queues that any flavour has, with the number of their workers here."""
        dcor = (self.dcor_short, self.dcor_normal, self.dcor_long) if self.flavour == "dcor" else (0, 0, 0)
        return {"default": self.default, **dict(zip(DCOR_QUEUES, dcor, strict=True))}

    @property
    def stop_time(self) -> int:
        """Longest time that supervisor itself takes to stop all of them: it stops one program after the other."""
        return self.stop_seconds * sum(1 for number in self.queues.values() if number)
