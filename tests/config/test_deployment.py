"""The container file starts what the Procfile starts. (No container engine is needed, or used, here.)"""

import yaml
from honcho.environ import parse_procfile

from tests.config.live import ROOT


def test_every_line_of_the_procfile_has_its_container():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    lines = parse_procfile((ROOT / "Procfile").read_text()).processes
    assert set(lines) == set(services) - {"database", "prepare"}
    for name, service in services.items():
        if name in ("worker", "trainer", "scorer", "scheduler"):
            asked = lines[name].split("exec ", 1)[1].replace("${LAUREL_WORKERS:-2}", "2")
            assert service["command"] == asked


def test_no_container_has_a_secret_written_into_it():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name, service in services.items():
        for key, value in service.get("environment", {}).items():
            if "SECRET" in key or "PASSWORD" in key:
                assert value.startswith("${"), f"{name}: {key}"
                assert ":?" in value, f"{name}: {key} must have no default"
