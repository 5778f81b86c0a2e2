"""What the light worker does for alerts, done by whoever is alive while it or the scheduler is missing.

Who else could tell that the worker is gone which tells of everything? Each background process asks once a
minute. Where all of them are gone nobody is left to send: the monitor still says so, and /readyz is for a
watchman from outside.
"""

from annotation import alert_selectors
from annotation.services import delivering, noticing

NEEDED = ("light", "scheduler")


def stand_in() -> bool:
    """Check and deliver once if nobody else does. Safe beside others: alerts and deliveries are claimed."""
    seen, up = alert_selectors.last_seen(NEEDED), alert_selectors.up_since()
    if not any(alert_selectors.is_silent(last, up) for last in seen.values()):
        return False
    noticing.check_all()
    delivering.deliver_due()
    return True
