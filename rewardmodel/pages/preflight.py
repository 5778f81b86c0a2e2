"""What was checked before a fine-tuning run, for its page: RUN/preflight.json in words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.charts import thousands
from rewardmodel.pages.runs import Row

MOST = 50  # pairs (rankings, ratings) that are named; the file names all


@dataclass(frozen=True)
class Preflight:
    facts: tuple[Row, ...]
    dropped: tuple[str, ...]  # each by the ids of its responses
    more: int  # that were dropped and are not named


def preflight(run: Path) -> Preflight | None:
    """None where nothing was checked: a run of another kind, one that has not come so far, or an old one that
    tells of pairs only."""
    try:
        return _read(json.loads((run / "preflight.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):  # not there, half there, or of another version
        return None


def _read(found: Mapping[str, Any]) -> Preflight:
    dropped = [" | ".join(one["responses"]) for one in found["rows"]["dropped"]]
    facts = (*_rows(found["rows"], len(dropped)), _head(found["head"]), _memory(found["memory"]),
             _rewards(found["rewards"]), _tokenizer(found))  # fmt: skip
    return Preflight(facts, tuple(dropped[:MOST]), max(0, len(dropped) - MOST))


def _rows(rows: Mapping[str, Any], dropped: int) -> tuple[Row, ...]:
    most = {"n": thousands(rows["max_length"])}
    long = len(rows["too_long_responses"])
    return (
        Row(
            _("Pairs trained on"),
            thousands(sum(rows["trained"].values())),
            _("%(tokens)s tokens, the longest response %(longest)s")
            % {"tokens": thousands(rows["tokens"]), "longest": thousands(rows["longest"])},
        ),
        Row(
            _("Pairs left out"),
            thousands(dropped),
            _("a response of more than %(n)s tokens; the end of such a one is scored") % most
            if dropped
            else _("every response has at most %(n)s tokens") % most
            if not long
            else ngettext("%(n)s longer response is in no pair trained on",
                          "%(n)s longer responses are in no pair trained on", long)
            % {"n": thousands(long)},
        ),
    )  # fmt: skip


def _head(head: Mapping[str, Any]) -> Row:
    moved = _("one step moves it by %(moved)s; %(n)s parameters are trained in all")
    return Row(
        _("Reward head"),
        _("learns"),
        moved % {"moved": f"{head['moved']:.2g}", "n": thousands(head["trained_parameters"])},
    )


def _memory(memory: Mapping[str, Any]) -> Row:
    sizes = {name: filesizeformat(memory[name]) for name in
             ("parameters", "gradients", "optimizer", "activations", "free")}  # fmt: skip
    what = _("weights %(parameters)s, gradients %(gradients)s, optimiser %(optimizer)s, activations "
             "%(activations)s; %(free)s free on %(device)s")  # fmt: skip
    return Row(
        _("Memory, estimated"), filesizeformat(memory["total"]), what % {**sizes, "device": memory["device"]}
    )


def _rewards(rewards: Mapping[str, Any]) -> Row:
    largest = max(rewards["largest_difference"].values())
    return Row(
        _("One reward for a text"),
        _("within %(n)s") % {"n": f"{largest:.1g}"},
        _("alone, in a batch, padded on either side and by plain transformers; %(limit)s is allowed")
        % {"limit": f"{rewards['limit']:g}"},
    )


def _tokenizer(found: Mapping[str, Any]) -> Row:
    tokens = found["tokenizer"]
    return Row(
        _("Template"),
        str(found["template"]),
        _("every response ends with %(eos)s; padding is %(pad)s")
        % {"eos": tokens["eos"], "pad": tokens["pad"]},
    )
