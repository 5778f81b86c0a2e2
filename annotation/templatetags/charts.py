"""Numbers as the pages for admins and engineers print them."""

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from annotation import charts

register = template.Library()

_CHOICES = {
    "a": _("A is better"),
    "b": _("B is better"),
    "tie": _("Tie"),
    "both_bad": _("Both are bad"),
}


@register.filter
def decimal(value: float | None) -> str:
    """.35"""
    return "–" if value is None else charts.decimal(value)


@register.filter
def percent(share: float | None) -> str:
    """35 %, of a share between 0 and 1."""
    return "–" if share is None else f"{100 * share:.0f} %"


@register.filter
def thousands(count: int) -> str:
    """58,602, or as the reader's language groups it."""
    return charts.thousands(count)


@register.filter
def choice_label(choice: str) -> str | Promise:
    """A canonical choice in words."""
    return _CHOICES.get(choice, choice)
