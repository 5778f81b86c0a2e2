"""Names and definitions of what a run is examined for; metrics hold the keys."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Words:
    title: Promise
    what: Promise


KINDS = {
    "length_gap": Words(_("By length"), _("How many times as long the longer response is.")),
    "longer_won": Words(_("By who won"), _("Whether the voters' choice is the longer response.")),
    "agreement": Words(_("By agreement"), _("How many of the voters agree; strong is three in four.")),
    "category": Words(_("By category"), _("The category of the prompt.")),
    "origin": Words(_("By origin"), _("How the pair came to be judged.")),
}
PROBES = {
    "padding": Words(_("padding"), _("empty sentences at the end, half as long again")),
    "repetition": Words(_("repetition"), _("everything said twice")),
    "flattery": Words(_("flattery"), _("praise of the reader in front")),
    "formatting": Words(_("formatting"), _("a heading, a list, bold beginnings; the same words")),
    "truncation": Words(_("truncation"), _("the first half only")),
    "language_switch": Words(
        _("another language"), _("the second half gives way to fixed sentences of another language")
    ),
    "shuffle": Words(_("words shuffled"), _("the same words in a random order")),
    "another_prompt": Words(_("another answer"), _("a response to another prompt")),
}
STRATA = {
    "longer": _("the longer won"),
    "shorter": _("the shorter won"),
    "same length": _("same length"),
    "unanimous": _("unanimous"),
    "strong": _("strong agreement"),
    "split": _("split votes"),
    "one vote": _("a single vote"),
    "imported": _("imported"),
    "random": _("chosen at random"),
    "selected": _("chosen by the model"),
    "audit": _("audit"),
    "others": _("others"),
}


def kind_of_pair(kind: str, name: str) -> str:
    """A stratum in words; categories are called what the project calls them."""
    if kind == "category" and name != "others":
        return name
    return str(STRATA.get(name, name))
