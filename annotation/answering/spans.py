"""Places in a response that an annotator points at.

A span is a text quote and a text position at once (the selectors of the W3C Web Annotation model): start and
end count UTF-16 code units in the response's text as it was shown (the page's textContent), the quote is what
stands there. The quote lets a reader find the place again when the rendering changes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from annotation.answering.answer import InvalidAnswer

MOST_SPANS: Final = 50
LONGEST_QUOTE: Final = 5_000
LONGEST_LABEL: Final = 60


def checked(spans: object, responses: int, reasons: Sequence[str]) -> list[dict[str, Any]]:
    """The spans with exactly the keys response, start, end, quote and reason. Raises `InvalidAnswer`.

    `reason` is one of the project's, or empty. Spans are sorted by place and given once.
    """
    if not isinstance(spans, list) or len(spans) > MOST_SPANS:
        raise InvalidAnswer(f"Marked places come as a list of at most {MOST_SPANS}.")
    found = {}
    for span in spans:
        one = _checked(span, responses, reasons)
        found[(one["response"], one["start"], one["end"], one["reason"])] = one
    return [found[place] for place in sorted(found)]


def reordered(spans: Sequence[Mapping[str, Any]], order: Sequence[int]) -> list[dict[str, Any]]:
    """The spans with response k renamed to order[k]: display to canonical with the display order."""
    return [{**span, "response": order[span["response"]]} for span in spans]


def _checked(span: object, responses: int, reasons: Sequence[str]) -> dict[str, Any]:
    if not isinstance(span, dict):
        raise InvalidAnswer("A marked place is an object with response, start, end and quote.")
    response, start, end = (_count(span.get(name)) for name in ("response", "start", "end"))
    quote, reason = span.get("quote"), span.get("reason", "")
    if response is None or start is None or end is None or not isinstance(quote, str):
        raise InvalidAnswer("A marked place is an object with response, start, end and quote.")
    if response >= responses:
        raise InvalidAnswer(f"A marked place names response {response + 1} of {responses}.")
    if not 0 < end - start == len(quote.encode("utf-16-le", "surrogatepass")) // 2 <= LONGEST_QUOTE:
        raise InvalidAnswer(f"A marked place has 1 to {LONGEST_QUOTE} characters, as many as its quote.")
    if reason != "" and reason not in reasons:
        raise InvalidAnswer(f"“{str(reason)[:LONGEST_LABEL]}” is not one of this project's reasons.")
    clean = quote.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return {"response": response, "start": start, "end": end, "quote": clean, "reason": reason}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
