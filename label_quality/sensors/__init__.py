"""What starts runs and what tells people: the inbox, refresh when publishing has settled, the nightly jobs, the webhook.

What does not belong here: reading a delivery (``assets``), what a folder holds (``inbox``), any computing.
"""

from __future__ import annotations

from label_quality.sensors.alerts import failed_checks, failed_runs
from label_quality.sensors.inbox import inbox
from label_quality.sensors.refreshing import nightly_purge, nightly_refresh, settled

SENSORS = [inbox, settled, failed_runs, failed_checks]
SCHEDULES = [nightly_refresh, nightly_purge]

__all__ = ["SCHEDULES", "SENSORS"]
