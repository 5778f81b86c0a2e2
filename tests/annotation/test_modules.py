"""What the pages say about their ES modules is what these really import."""

import re
from pathlib import Path

import pytest
from django.core.management import call_command
from django.template import Context, Template
from django.test import override_settings

from annotation.templatetags import modules
from tests.config.live import ROOT

JUDGE = ROOT / "static" / "laurel" / "judge"


def tag(entry: str) -> str:
    return Template(f'{{% load modules %}}{{% modules "{entry}" %}}').render(Context())


def hrefs(html: str) -> list[str]:
    return re.findall(r'modulepreload" href="([^"]+)"', html)


def test_every_import_of_every_module_is_found(tmp_path: Path):
    with override_settings(STATICFILES_DIRS=[tmp_path]):
        (tmp_path / "sub").mkdir()
        (tmp_path / "a.js").write_text(
            "// import './comment.js'\n"
            "import * as b from './sub/b.js';\n"
            'import {\n  one,\n  two,\n} from "./c.js";\n'
            "const late = () => import('./late.js');\n"
            'const name = "from ./text.js";\n'
        )
        (tmp_path / "sub" / "b.js").write_text('export { x } from "../c.js";\nimport "./d.js";\n')
        (tmp_path / "c.js").write_text('import * as a from "./a.js";\n')
        (tmp_path / "sub" / "d.js").write_text("export const d = 1;\n")
        with override_settings(DEBUG=True):
            assert modules.imported("a.js") == ("sub/b.js", "c.js", "sub/d.js")
            (tmp_path / "c.js").write_text('import "./gone.js";\n')
            with pytest.raises(LookupError, match=r"gone\.js"):
                modules.imported("a.js")


def test_the_links_come_before_the_script():
    html = tag("laurel/judge/practised.js")
    assert "/static/laurel/judge/reading.js" in hrefs(html)
    assert html.endswith('<script type="module" src="/static/laurel/judge/practised.js"></script>')


def test_each_module_of_the_judging_page_belongs_to_a_page():
    """One that no page names or imports is dead; one that is imported and not found would be fetched late."""
    pages = "".join(path.read_text() for path in (ROOT / "templates").rglob("*.html"))
    named = set(re.findall(r"""["'](laurel/judge/\w+\.js)["']""", pages))
    found = {name for name in named.union(*map(modules.imported, named)) if name.startswith("laurel/judge/")}
    assert {"laurel/judge/main.js", "laurel/judge/practise.js"} < named
    assert found == {f"laurel/judge/{path.name}" for path in JUDGE.glob("*.js")}


@pytest.mark.slow
def test_a_release_links_the_very_names_its_modules_import(tmp_path: Path, settings):
    hashed = {"BACKEND": "config.static.HashedStorage"}
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {"staticfiles": hashed}
    call_command("collectstatic", verbosity=0, interactive=False)
    html = tag("laurel/judge/main.js")
    linked = {href.rsplit("/", 1)[1] for href in hrefs(html)}
    main = re.search(r'src="/static/(laurel/judge/main\.\w+\.js)"', html)
    assert main is not None
    todo, imported = [tmp_path / main[1]], set()
    while todo:
        for name in modules.IMPORT.findall(todo.pop().read_text()):
            path = tmp_path / "laurel" / "judge" / name
            if path.name not in imported:
                imported.add(path.name)
                todo.append(path)
    assert len(linked) > 20
    assert linked == imported
