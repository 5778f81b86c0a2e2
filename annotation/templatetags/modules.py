"""ES modules of a page, asked for all at once.

A browser learns what a module imports only once it has read it: each step of the imports is another round
trip. `{% modules "laurel/judge/main.js" %}` names everything the module imports, however far down.
"""

import re
from functools import cache
from pathlib import Path
from posixpath import dirname, join, normpath

from django import template
from django.conf import settings
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

IMPORT = re.compile(r"""^\s*(?:import|export)\b[^"'();]*["'](\.{1,2}/[^"']+)["']""", re.MULTILINE)


@register.simple_tag
def modules(entry: str) -> SafeString:
    """The links that fetch what ``entry`` imports, and the script itself."""
    links = format_html_join(
        "", '<link rel="modulepreload" href="{}">', ((static(m),) for m in imported(entry))
    )
    return format_html('{}<script type="module" src="{}"></script>', links, static(entry))


def imported(entry: str) -> tuple[str, ...]:
    """The static files a module imports, directly or not, nearest first; not what it may load later."""
    return _imported(entry) if settings.DEBUG else _remembered(entry)


def _imported(entry: str) -> tuple[str, ...]:
    known = [entry]
    for name in known:  # grows as it goes
        for found in IMPORT.findall(_text(name)):
            path = normpath(join(dirname(name), found))
            if path not in known:
                known.append(path)
    return tuple(known[1:])


_remembered = cache(_imported)


def _text(name: str) -> str:
    found = finders.find(name)
    if not isinstance(found, str):
        raise LookupError(f"{name} is imported by a module, and is no static file.")
    return Path(found).read_text()
