"""Why something did not arrive, and what to do about it."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.models.alert import AlertDelivery

STATES: dict[str, tuple[Promise, str]] = {
    AlertDelivery.State.WAITING: (gettext_lazy("on its way"), "info"),
    AlertDelivery.State.SENT: (gettext_lazy("delivered"), "good"),
    AlertDelivery.State.FAILED: (gettext_lazy("given up"), "bad"),
}

# The codes of annotation.egress and annotation.services.delivering; %s is the detail.
PROBLEMS: dict[str, Promise] = {
    "url": gettext_lazy("The address is no web address that can be posted to."),
    "name": gettext_lazy("There is no address for the name %s."),
    "private": gettext_lazy(
        "%s is not a public address. Whoever runs Laurel can allow it with LAUREL_WEBHOOK_ALLOW."
    ),
    "unreachable": gettext_lazy("No connection: %s."),
    "tls": gettext_lazy("The certificate could not be checked: %s."),
    "slow": gettext_lazy("No answer within ten seconds."),
    "garbled": gettext_lazy("What answered is no web server (%s)."),
    "redirect": gettext_lazy("It answered %s, a redirect, and redirects are not followed: enter its target."),
    "status": gettext_lazy("It answered with status %s instead of 200."),
    "no_mail_server": gettext_lazy(
        "No mail server is set. Whoever runs Laurel names one with LAUREL_EMAIL_URL."
    ),
    "mail": gettext_lazy("The mail server did not take it: %s"),
}


def problem_in_words(problem: str) -> str:
    """`private 10.0.0.1` as a sentence; nothing where nothing went wrong."""
    code, _space, detail = problem.partition(" ")
    if not problem:
        return ""
    if code not in PROBLEMS:
        return _("It did not arrive: %s.") % problem
    words = str(PROBLEMS[code])
    return words % detail if "%s" in words else words
