"""Label Studio under the same crowd: gunicorn with 2 workers of 4 threads on PostgreSQL 18.

Used by `python -m benchmarks.annotate.load --label-studio PYTHON`, where PYTHON belongs to an environment of
its own (README.md says how to make one). Its database is a second one in an embedded cluster of ours. It may
send nothing anywhere: analytics and error reports are off.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.annotate import crowd, stage
from benchmarks.annotate.load import free_port, wait_for

TASKS = 5_000
DATABASE = "labelstudio"
PASSWORD = "a heron stands in the reeds"  # noqa: S105  of a database that lives for minutes
_TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="([^"]+)"')

_CONFIG = """
<View>
  <Text name="prompt" value="$prompt"/>
  <Text name="a" value="$a"/><Text name="b" value="$b"/>
  <Choices name="better" toName="prompt" choice="single" required="true">
    <Choice value="A is better"/><Choice value="B is better"/>
    <Choice value="Tie"/><Choice value="Both are bad"/>
  </Choices>
</View>
"""

# Its migrations, without the few indexes for searching in texts: our PostgreSQL brings neither pg_trgm nor
# btree_gin. To write without them is, if anything, quicker.
_MIGRATE = """
import django
from django.db.backends.utils import CursorWrapper
execute = CursorWrapper.execute
def without_search(self, sql, params=None):
    if not any(word in str(sql).lower() for word in ("trgm", "btree_gin", "using gin")):
        return execute(self, sql, params)
CursorWrapper.execute = without_search
django.setup()
from django.core.management import call_command
call_command("migrate", interactive=False, verbosity=0)
"""

# Run by Label Studio's own Python inside its own settings: people, a project with tasks, overlap 3.
_PREPARE = """
import json, sys
given = json.load(sys.stdin)
from django.contrib.auth import get_user_model
from organizations.models import Organization
from projects.models import Project
from tasks.models import Task
User = get_user_model()
people = [User.objects.create_user(email=email, password=given["password"]) for email in given["people"]]
organization = Organization.create_organization(created_by=people[0], title="Load")
for person in people:
    organization.add_user(person) if person != people[0] else None
    person.active_organization = organization
    person.save(update_fields=["active_organization"])
project = Project.objects.create(title="Load", created_by=people[0], organization=organization,
    label_config=given["config"], maximum_annotations=3, is_published=True)
Task.objects.bulk_create([Task(project=project, overlap=3, data=dict(prompt=given["question"] % n,
    a=given["answer"] % (1, n), b=given["answer"] % (2, n))) for n in range(given["tasks"])], batch_size=500)
print("PROJECT", project.pk)
"""


class Annotator:
    """Somebody in Label Studio's labelling stream: the next task, then its annotation, as its page asks."""

    def __init__(self, port: int, email: str, project: int) -> None:
        self.visitor = crowd.Visitor(port)
        self.project = project
        _status, page = self.visitor.request("GET", "/user/login/")
        token = _TOKEN.search(page)
        assert token is not None, page[:500]
        form = {"csrfmiddlewaretoken": token[1].decode(), "email": email, "password": PASSWORD}
        status, page = self.visitor.request("POST", "/user/login/", form)
        assert status == 302, page[:2000]

    def cycle(self) -> dict[str, float]:
        begun = time.perf_counter()
        status, page = self.visitor.request("GET", f"/api/projects/{self.project}/next")
        following = time.perf_counter()
        assert status == 200, page[:500]
        task = json.loads(page)["id"]
        value = {"choices": ["A is better"]}
        chosen = {"from_name": "better", "to_name": "prompt", "type": "choices", "value": value}
        status, page = self.visitor.request(
            "POST",
            f"/api/tasks/{task}/annotations/?project={self.project}",
            headers={"Content-Type": "application/json", "X-CSRFToken": self.visitor.cookies["csrftoken"]},
            body=json.dumps({"lead_time": 1.5, "result": [chosen], "project": self.project}).encode(),
        )
        ended = time.perf_counter()
        assert status == 201, page[:500]
        return {"next": following - begun, "submit": ended - following, "both": ended - begun}


def rows(python: str, people: list[int], cycles: int) -> list[dict[str, Any]]:
    from config import embedded

    data = Path(tempfile.mkdtemp(prefix="label-studio-benchmark-"))
    embedded.make_data_folder(data)
    embedded.ensure_running(data)
    try:
        place = _Place(Path(python).absolute(), data)
        place.make_database()
        project = place.prepare(max(people))
        with place.served() as port:
            return [
                crowd.measure(
                    place.version(),
                    [Annotator(port, email(number), project) for number in range(count)],
                    max(10, cycles // 10 // count),
                )
                for count in people
            ]
    finally:
        embedded.release(data)
        shutil.rmtree(data, ignore_errors=True)


def email(number: int) -> str:
    return f"annotator-{number}@example.org"


class _Place:
    """An installed Label Studio and where it keeps its things for now."""

    def __init__(self, python: Path, data: Path) -> None:
        from config import embedded

        self.python, self.data = python, data
        self.cluster = embedded.connection_settings(data)
        found = self._ask("import label_studio; print(label_studio.__path__[0])")
        self.folder = Path(found.splitlines()[-1])
        (data / "label-studio").mkdir()
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "core.settings.label_studio",
            "DJANGO_DB": "default",
            "POSTGRE_NAME": DATABASE,
            "POSTGRE_USER": self.cluster["USER"],
            "POSTGRE_PASSWORD": "",
            "POSTGRE_HOST": self.cluster["HOST"],
            "POSTGRE_PORT": self.cluster["PORT"],
            "LABEL_STUDIO_BASE_DATA_DIR": str(data / "label-studio"),
            "SENTRY_DSN": "",
            "FRONTEND_SENTRY_DSN": "",
            "COLLECT_ANALYTICS": "False",
            "LATEST_VERSION_CHECK": "False",
            "DEBUG": "False",
            "PYTHONPATH": str(self.folder),
        }

    def version(self) -> str:
        found = self._ask("import importlib.metadata as m; print(m.version('label-studio'))")
        return f"label-studio {found.strip()}"

    def make_database(self) -> None:
        import psycopg

        from config import embedded

        with psycopg.connect(
            embedded.conninfo(self.cluster | {"NAME": "postgres"}), autocommit=True
        ) as server:
            server.execute(f"CREATE DATABASE {DATABASE}")
        self._run("-c", _MIGRATE)

    def prepare(self, people: int) -> int:
        given = {
            "people": [email(number) for number in range(people)],
            "password": PASSWORD,
            "config": _CONFIG,
            "tasks": TASKS,
            "question": stage.QUESTION,
            "answer": stage.ANSWER,
        }
        said = self._run("-c", "import django; django.setup()\n" + _PREPARE, given=json.dumps(given))
        return int(said.split("PROJECT")[-1])

    @contextmanager
    def served(self) -> Iterator[int]:
        port = free_port()
        command = [self.python, "-m", "gunicorn", "core.wsgi", "--bind", f"127.0.0.1:{port}"]
        command += ["--workers", "2", "--threads", "4", "--timeout", "120", "--keep-alive", "5"]
        with (self.data / "gunicorn.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
            try:
                wait_for(f"http://127.0.0.1:{port}/user/login/", process)
                yield port
            finally:
                process.terminate()
                process.wait(timeout=60)

    def _run(self, *words: str, given: str = "") -> str:
        done = subprocess.run(
            [self.python, *words],
            cwd=self.folder,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"label-studio: {done.stderr[-3000:]}")
        return done.stdout

    def _ask(self, code: str) -> str:
        return subprocess.run([self.python, "-c", code], capture_output=True, text=True, check=True).stdout
