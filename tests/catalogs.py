"""The translations: what is to be translated, the catalogs in locale/, and the files Laurel reads.

    .venv/bin/python -m tests.catalogs     brings locale/*/LC_MESSAGES/django.po and .mo up to date

New strings arrive with an empty translation, unused ones go; a quick test fails until every one is filled in.
No gettext tools are needed: templates are read through Django's `templatize`, Python through its own parser.
"""

import ast
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = ("de", "ar")
PYTHON = ("accounts", "annotation", "rewardmodel", "activelearning", "config")
PLURALS = {
    "de": "nplurals=2; plural=(n != 1);",
    # as in Django's own Arabic catalogs, so that the forms agree
    "ar": "nplurals=6; plural=n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : "
    "n%100>=11 && n%100<=99 ? 4 : 5;",
}
# function: (where the context is, the singular, the plural) among its arguments
_CALLS: dict[str, tuple[int | None, int, int | None]] = {
    "gettext": (None, 0, None),
    "ngettext": (None, 0, 1),
    "pgettext": (0, 1, None),
    "npgettext": (0, 1, 2),
    "said": (None, 0, None),
    "counted": (None, 1, 2),
}
_MARKING = ("django.utils.translation", "activelearning.acquisition.wording")
_LITERAL = re.compile(r"""\s*u?("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')\s*,?""")
_IN_TEMPLATE = re.compile(r"\b(n?p?gettext|_)\(")


@dataclass(frozen=True)
class Message:
    context: str | None
    singular: str
    plural: str | None
    place: str  # file and line

    @property
    def id(self) -> str | tuple[str, str]:
        return self.singular if self.plural is None else (self.singular, self.plural)


def messages() -> list[Message]:
    """Everything that is to be translated, in the order of the files."""
    found: list[Message] = []
    for path in sorted((ROOT / "templates").rglob("*.html")):
        found += in_template(path.read_text(), str(path.relative_to(ROOT)))
    for folder in PYTHON:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                found += in_python(path.read_text(), str(path.relative_to(ROOT)))
    return found


def in_template(source: str, name: str) -> Iterator[Message]:
    """`templatize` turns tags into calls and the rest into X; a call's arguments are Python literals."""
    for number, line in enumerate(templatize(source, origin=name).split("\n"), start=1):
        for call in _IN_TEMPLATE.finditer(line):
            function = "gettext" if call[1] == "_" else call[1]
            yield _message(function, _literals(line[call.end() :]), name, number)


def in_python(source: str, name: str) -> Iterator[Message]:
    tree = ast.parse(source)
    known = {
        alias.asname or alias.name: alias.name.removesuffix("_lazy").removesuffix("_noop")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in _MARKING
        for alias in node.names
    }
    yield from _labels(tree, name)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and known.get(node.func.id) in _CALLS
        ):
            arguments = [each.value if isinstance(each, ast.Constant) else None for each in node.args]
            text = _CALLS[known[node.func.id]][1]
            if isinstance(arguments[text], str):  # a variable was marked where it was written
                yield _message(known[node.func.id], arguments, name, node.lineno)


def _labels(tree: ast.Module, name: str) -> Iterator[Message]:
    """The labels of choices: plain in the models, as migrations keep them; translated where shown."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef) or not any(
            "TextChoices" in ast.unparse(base) for base in node.bases
        ):
            continue
        for line in node.body:
            if isinstance(line, ast.Assign) and isinstance(line.value, ast.Tuple):
                label = line.value.elts[1]
                if isinstance(label, ast.Constant) and isinstance(label.value, str):
                    yield Message(None, label.value, None, f"{name}:{line.lineno}")


def _literals(text: str) -> list[object]:
    """The string literals with which the arguments begin."""
    found: list[object] = []
    at = 0
    while literal := _LITERAL.match(text, at):
        found.append(ast.literal_eval(literal[1]))
        at = literal.end()
    return found


def _message(function: str, arguments: list[object], name: str, line: int) -> Message:
    context, singular, plural = _CALLS[function]
    try:
        texts = [None if at is None else arguments[at] for at in (context, singular, plural)]
    except IndexError:
        raise ValueError(f"{name}:{line}: {function} wants more arguments") from None
    said = [each if each is None or isinstance(each, str) else None for each in texts]
    if said[1] is None:
        raise ValueError(f"{name}:{line}: {function} wants its text written out")
    return Message(said[0], said[1], said[2], f"{name}:{line}")


# --- the files ------------------------------------------------------------------------------------


def po_file(language: str) -> Path:
    return ROOT / "locale" / language / "LC_MESSAGES" / "django.po"


def catalog(language: str) -> Catalog:
    path = po_file(language)
    if not path.exists():
        return _empty(language)
    with path.open("rb") as file:
        read = read_po(file, locale=language)
    made = _empty(language)
    for one in read:
        if one.id:
            made.add(one.id, one.string, flags=one.flags, context=one.context)
    return made


def compiled(of: Catalog) -> bytes:
    buffer = io.BytesIO()
    write_mo(buffer, of)
    return buffer.getvalue()


def renew(language: str) -> Catalog:
    """The catalog with exactly the messages there are, and the translations it had for them."""
    old, new = catalog(language), _empty(language)
    for message in messages():
        had = old.get(message.id, context=message.context)
        if had is None and message.plural is not None:
            had = old.get(message.singular, context=message.context)
        kept = (
            had.string
            if had is not None and isinstance(had.id, tuple) == (message.plural is not None)
            else ""
        )
        flags = {"python-format"} if re.search(r"%(\(\w+\))?[sd]", message.singular) else set()
        new.add(message.id, kept or None, flags=flags, context=message.context)
    return new


def write(of: Catalog, language: str) -> None:
    path = po_file(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, of, width=110, sort_output=False, omit_header=False)
    path.with_suffix(".mo").write_bytes(compiled(of))


class _Plain(Catalog):
    """A catalog without dates and addresses: the same messages are the same file."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        return [
            ("Project-Id-Version", "Laurel"),
            ("Language", str(self.locale)),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
            ("Plural-Forms", PLURALS[str(self.locale)]),
        ]


def _empty(language: str) -> Catalog:
    made = _Plain(locale=language, charset="utf-8", fuzzy=False)
    made.header_comment = "# Laurel's words. Brought up to date by: python -m tests.catalogs"
    return made


def untranslated(of: Catalog) -> list[str]:
    """The messages of which a form is missing."""
    return [
        str(one.id)
        for one in of
        if one.id and not (one.string if isinstance(one.string, str) else all(one.string or [""]))
    ]


if __name__ == "__main__":
    settings.configure()
    for each in LANGUAGES:
        fresh = renew(each)
        write(fresh, each)
        print(f"{each}: {len(fresh)} messages, {len(untranslated(fresh))} to translate")  # noqa: T201
