"""Alerts on their way: each to each target until it arrives, six times at most, at least once.

A delivery is claimed in a short transaction that counts the try and puts the next one off; then it is sent,
with no lock held. Two workers never send the same try, and what a killed one had in its hands is due again by
itself. If it was killed after sending, the message arrives twice under one id: `Laurel-Delivery`, and the
`Message-ID` of a mail.
"""

import hashlib
import hmac
import json
import logging
import smtplib
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from annotation import alert_words, egress
from annotation.alert_words import AlertWords
from annotation.models.alert import AlertDelivery, AlertTarget
from annotation.models.project import Project
from annotation.services import waking

logger = logging.getLogger(__name__)

WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720))
MOST_TRIES = len(WAITS) + 1
AT_A_TIME = 20
LONGEST_PROBLEM = 300

State = AlertDelivery.State


class NotDelivered(Exception):
    """code and detail as in `EgressError`, or of mail: no_mail_server, mail."""


def deliver_due() -> int:
    """Send what is due; how many arrived. What is left over wakes the next worker."""
    _give_up()
    arrived = 0
    for _turn in range(AT_A_TIME):
        delivery = _claim()
        if delivery is None:
            return arrived
        arrived += _try(delivery)
    waking.wake_deliverer()
    return arrived


def send_test(target: AlertTarget) -> str:
    """Send a message that says it is a test, now; why it did not arrive, or nothing."""
    with translation.override(settings.LANGUAGE_CODE):
        words = AlertWords(
            title=_("Test"),
            text=_("This is a test: alerts of “%(project)s” arrive here.") % {"project": target.project.name},
            advice=_("There is nothing to do."),
            path=f"/p/{target.project.slug}/monitor/",
        )
    now = timezone.now()
    body = {"event": "test", "kind": "", "raised_at": now.isoformat()}
    try:
        _send(target, words, body, f"test-{target.pk}-{now.timestamp():.0f}")
    except NotDelivered as error:
        return str(error)
    return ""


def _give_up() -> None:
    """A worker was killed in the last try."""
    spent = AlertDelivery.objects.filter(
        state=State.WAITING, tries__gte=MOST_TRIES, next_try_at__lte=timezone.now()
    )
    spent.update(state=State.FAILED)


@transaction.atomic
def _claim() -> AlertDelivery | None:
    """The next delivery that is due and in nobody's hands, its try counted and the one after it put off."""
    due = AlertDelivery.objects.filter(
        state=State.WAITING, tries__lt=MOST_TRIES, next_try_at__lte=timezone.now()
    )
    delivery = (
        due.select_for_update(skip_locked=True, of=("self",))
        .select_related("alert__project", "alert__annotator", "target__project")
        .order_by("next_try_at", "pk")
        .first()
    )
    if delivery is not None:
        delivery.next_try_at = timezone.now() + WAITS[min(delivery.tries, len(WAITS) - 1)]
        delivery.tries += 1
        delivery.save(update_fields=["tries", "next_try_at"])
    return delivery


def _try(delivery: AlertDelivery) -> bool:
    alert, row = delivery.alert, AlertDelivery.objects.filter(pk=delivery.pk)
    with translation.override(settings.LANGUAGE_CODE):
        words = alert_words.words(alert)
    body = {"event": "alert", "kind": alert.kind, "raised_at": alert.raised_at.isoformat()}
    try:
        _send(delivery.target, words, body, str(delivery.pk))
    except NotDelivered as error:
        logger.warning("delivery %s, try %s: %s", delivery.pk, delivery.tries, error)
        last = delivery.tries >= MOST_TRIES
        row.filter(tries=delivery.tries, state=State.WAITING).update(
            problem=str(error), state=State.FAILED if last else State.WAITING
        )
        return False
    row.update(state=State.SENT, sent_at=timezone.now(), problem="")
    return True


def _send(target: AlertTarget, words: AlertWords, body: dict[str, str], number: str) -> None:
    """Raises NotDelivered."""
    if target.channel == AlertTarget.Channel.EMAIL:
        _mail(target, words, number)
    else:
        _post(target, words, body, number)


def _mail(target: AlertTarget, words: AlertWords, number: str) -> None:
    if not settings.LAUREL_SENDS_MAIL:
        raise NotDelivered("no_mail_server")
    host = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("> ")
    message = EmailMessage(
        subject=" ".join(f"[Laurel] {target.project.name}: {words.title}".split()),
        body=f"{words.text}\n\n{words.advice}\n\n{words.url}\n",
        to=[target.address],
        headers={"Message-ID": f"<alert-{number}@{host}>", "Auto-Submitted": "auto-generated"},
    )
    try:
        message.send()
    except (smtplib.SMTPException, OSError) as error:
        raise NotDelivered(f"mail {type(error).__name__}: {error}"[:LONGEST_PROBLEM]) from error


def _post(target: AlertTarget, words: AlertWords, body: dict[str, str], number: str) -> None:
    """`sent_at` is signed with the rest: a receiver refuses what is old, and an id it has seen."""
    project: Project = target.project
    said = {"title": words.title, "text": words.text, "advice": words.advice, "url": words.url}
    about = {"id": number, "project": project.slug, "sent_at": timezone.now().isoformat()}
    payload = json.dumps(body | about | said, ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json",
        "Laurel-Event": body["event"],
        "Laurel-Delivery": number,
        "Laurel-Signature": f"sha256={signature(target.secret, payload)}",
    }
    try:
        egress.post(target.address, payload, headers, allowed=settings.LAUREL_WEBHOOK_ALLOW)
    except egress.EgressError as error:
        raise NotDelivered(str(error)[:LONGEST_PROBLEM]) from error


def signature(secret: str, payload: bytes) -> str:
    return hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()
