"""Numbers as the model pages write them."""

from collections.abc import Mapping
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _


def rounded(value: float, places: int) -> str:
    """In the language of the page. Django alone would cut the digits off."""
    return str(number_format(round(value, places) + 0.0, places))


def signed(value: float) -> str:
    return ("+" if value >= 0 else "") + rounded(value, 1)


def number(value: float | None) -> str:
    return "–" if value is None else rounded(value, 3)


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def interval_range(found: Mapping[str, Any], factor: float = 1, places: int = 3) -> str:
    low, high = found.get("low"), found.get("high")
    if low is None or high is None:
        return ""
    return _("%(low)s to %(high)s") % {
        "low": rounded(factor * low, places),
        "high": rounded(factor * high, places),
    }


def with_range(found: Mapping[str, Any], factor: float = 1, places: int = 3) -> str:
    """A value with its 95 % interval: 0.800 (0.772 to 0.829)."""
    value = found.get("value")
    if value is None:
        return "–"
    shown = rounded(factor * value, places)
    limits = interval_range(found, factor, places)
    return f"{shown} ({limits})" if limits else shown
