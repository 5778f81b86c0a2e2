"""Lines of the import format for tests."""

import io
import json
from typing import Any, BinaryIO

from django.db import connection

from annotation.models.project import Project
from annotation.services.importing import ImportReport, import_stream

COUNTED = (
    "annotation_prompt", "annotation_response", "annotation_item", "annotation_itemresponse",
    "annotation_goldanswer", "annotation_judgment", "annotation_answer", "accounts_user",
    "accounts_auditentry",
)  # fmt: skip


def row(number: int, *votes: tuple[str, str], **fields: Any) -> dict[str, Any]:
    """Item q<number>: two responses r<number>a and r<number>b, votes as (annotator, choice)."""
    found = {
        "id": f"q{number}",
        "prompt": f"Question {number}?",
        "responses": [
            {"id": f"r{number}a", "text": f"Yes, {number}."},
            {"id": f"r{number}b", "text": f"No, {number}."},
        ],
        "votes": [{"annotator": annotator, "choice": choice} for annotator, choice in votes],
        **fields,
    }
    return {key: value for key, value in found.items() if value not in (None, [])}


def lines(*rows: dict[str, Any] | str) -> bytes:
    texts = (one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in rows)
    return b"".join(text.encode() + b"\n" for text in texts)


def stream(*rows: dict[str, Any] | str) -> BinaryIO:
    return io.BytesIO(lines(*rows))


def bring(project: Project, *rows: dict[str, Any] | str, skip_bad: bool = False) -> ImportReport:
    return import_stream(project=project, stream=stream(*rows), skip_bad=skip_bad)


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """Every row an import may touch."""
    with connection.cursor() as cursor:
        found = {}
        for table in COUNTED:
            cursor.execute(f"SELECT * FROM {table} ORDER BY id")  # noqa: S608
            found[table] = cursor.fetchall()
    return found
