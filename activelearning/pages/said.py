"""What a selection says, in the reader's language: see acquisition.wording."""

from collections.abc import Iterable, Mapping
from string import Formatter
from typing import Any

from django.utils.formats import get_format
from django.utils.translation import gettext, ngettext

from annotation.charts import thousands


def in_words(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """`rows`: `Said` as JSON, as it stands in the database; a text that is no longer in use stays English."""
    return [_LOCALISED.vformat(_text(row), (), row["values"]) for row in rows]


def _text(row: Mapping[str, Any]) -> str:
    if row["plural"] is None:
        return gettext(row["text"])
    return ngettext(row["text"], row["plural"], row["values"]["n"])


class _Localised(Formatter):
    """Numbers as the reader's language writes them; of a format its places and its percent sign count."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, int):
            return thousands(value)
        if format_spec.endswith("%"):
            return f"{self.format_field(100 * value, format_spec.replace('%', 'f'))} %"
        return f"{value:{format_spec}}".replace(".", get_format("DECIMAL_SEPARATOR"))


_LOCALISED = _Localised()
