"""A Laurel on a data folder of its own, with as many items as one likes, and small things about measuring."""

import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import tables

HERE = Path(__file__).resolve().parent

_PROMPTS = """
    INSERT INTO annotation_prompt (project_id, key, messages, metadata, created_at)
    SELECT %(project)s, encode(sha256((%(name)s || ' prompt ' || g)::bytea), 'hex'),
        jsonb_build_array(jsonb_build_object('role', 'user', 'content', format(%(question)s, g))), '{}', now()
    FROM generate_series(1, %(items)s) g
"""
_RESPONSES = """
    INSERT INTO annotation_response (prompt_id, key, external_id, text, model, metadata, created_at)
    SELECT p.id, encode(sha256((p.key || side)::bytea), 'hex'), '', format(%(answer)s, side, p.id),
        'model-' || side, '{}', now()
    FROM annotation_prompt p, generate_series(1, 2) side WHERE p.project_id = %(project)s
      AND NOT EXISTS (SELECT 1 FROM annotation_response r WHERE r.prompt_id = p.id)
"""
_ITEMS = """
    INSERT INTO annotation_item (project_id, prompt_id, key, response_set, external_id, origin, priority,
        shuffle, slots_left, metadata, created_at)
    SELECT %(project)s, p.id, p.key, encode(sha256(p.key::bytea), 'hex'), '', %(origin)s, 0, random(),
        %(slots)s, '{}', now()
    FROM annotation_prompt p WHERE p.project_id = %(project)s
      AND NOT EXISTS (SELECT 1 FROM annotation_item i WHERE i.prompt_id = p.id)
"""
_PLACES = """
    INSERT INTO annotation_itemresponse (item_id, response_id, position)
    SELECT i.id, r.id, row_number() OVER (PARTITION BY i.id ORDER BY r.id) - 1
    FROM annotation_item i JOIN annotation_response r ON r.prompt_id = i.prompt_id
    WHERE i.project_id = %(project)s
      AND NOT EXISTS (SELECT 1 FROM annotation_itemresponse x WHERE x.item_id = i.id)
"""
QUESTION = "Question %s: how does one tie a boat to a pier so that it neither chafes nor drifts?"
ANSWER = (
    "Answer %s to %s. Use **two lines**, one from the bow and one from the stern:\n\n"
    "1. pass each round a cleat,\n2. leave some slack for the tide,\n3. put hose where it chafes.\n\n"
    "A spring line keeps the boat from moving along the pier; `bowline` is the knot to know."
)


def open_laurel(data: Path) -> None:
    """Django on this data folder, with its embedded PostgreSQL running and its tables made."""
    os.environ["LAUREL_DATA_DIR"] = str(data)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django

    from config import embedded, preparation

    django.setup()
    embedded.ensure_running(data)
    preparation.ensure_tables()


def fill(project: Any, items: int, *, gold: int = 0) -> None:
    """Items of two responses, each on a prompt of its own, written by the database itself."""
    from django.db import connection

    from annotation.services.slots import GOLD_SLOTS

    with connection.cursor() as cursor:
        for origin, count, slots in (("imported", items, project.overlap), ("gold", gold, GOLD_SLOTS)):
            values = {
                "project": project.pk,
                "name": f"{project.slug} {origin}",
                "items": count,
                "origin": origin,
                "slots": slots,
                "question": QUESTION,
                "answer": ANSWER,
            }
            for statement in (_PROMPTS, _RESPONSES, _ITEMS, _PLACES):
                cursor.execute(statement, values)
        cursor.execute("VACUUM ANALYZE")


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies, to the nearest of them."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the slowest, in milliseconds."""
    figures = {"p50_ms": statistics.median(seconds), "p95_ms": quantile(seconds, 0.95)}
    figures |= {"p99_ms": quantile(seconds, 0.99), "max_ms": max(seconds)}
    return {name: round(1000 * value, 2) for name, value in figures.items()}


def load_average() -> float:
    """Of the last minute, before the measuring begins: on a busy machine all figures are too high."""
    return round(os.getloadavg()[0], 2)


def write(name: str, rows: Sequence[dict[str, Any]], *, folder: Path = HERE) -> None:
    """The rows as a CSV file, beside this one if nothing else is said."""
    tables.write(folder / name, rows)


def in_words(row: dict[str, Any]) -> str:
    return "  ".join(
        f"{name} {value}" for name, value in row.items() if value == value
    )  # not-a-number is not
