"""What the page of alert targets accepts."""

from typing import Any

from django import forms
from django.core.validators import EmailValidator
from django.utils.translation import gettext_lazy as _

from annotation import egress
from annotation.alert_words import KINDS
from annotation.models.alert import AlertTarget

CHANNELS = [
    (AlertTarget.Channel.EMAIL.value, _("E-mail")),
    (AlertTarget.Channel.WEBHOOK.value, _("Webhook")),
]
NO_ADDRESS = {
    AlertTarget.Channel.EMAIL.value: _("Enter an e-mail address, such as labels@lab.example."),
    AlertTarget.Channel.WEBHOOK.value: _(
        "Enter a web address without user name or spaces, such as https://hooks.example/laurel."
    ),
}


class TargetForm(forms.Form):
    channel = forms.ChoiceField(label=_("How"), choices=CHANNELS, widget=forms.RadioSelect)
    address = forms.CharField(
        label=_("Address"),
        max_length=egress.LONGEST_URL,
        help_text=_("An e-mail address; of a webhook the web address that takes a POST with JSON."),
        widget=forms.TextInput(attrs={"dir": "ltr", "autocapitalize": "none", "spellcheck": "false"}),
        error_messages={"required": _("Where should alerts go?")},
    )
    kinds = forms.MultipleChoiceField(
        label=_("Which alerts"),
        choices=list(KINDS.items()),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one kind of alert.")},
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        channel, address = data.get("channel"), data.get("address")
        if channel and address:
            try:
                if channel == AlertTarget.Channel.EMAIL:
                    EmailValidator()(address)
                else:
                    egress.destination(address)
            except (forms.ValidationError, egress.EgressError):
                self.add_error("address", NO_ADDRESS[channel])
        return data


def new_target() -> TargetForm:
    """Everything is ticked: whoever wants less unticks it."""
    return TargetForm(initial={"channel": AlertTarget.Channel.EMAIL.value, "kinds": list(KINDS)})
