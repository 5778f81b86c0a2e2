"""The PostgreSQL that comes with Laurel."""

from pathlib import Path
from typing import Any


def make_data_folder(data: Path) -> None:
    """Create the data folder and the folders in it that must exist before Django starts."""
    data.mkdir(parents=True, exist_ok=True, mode=0o711)
    for name in ("uploads", "run"):
        (data / name).mkdir(exist_ok=True, mode=0o700)


def connection_settings(data: Path) -> dict[str, Any]:
    return {
        "NAME": "laurel",
        "USER": "postgres",
        "PASSWORD": "",
        "HOST": str(data / "postgres"),
        "PORT": "5432",
        "OPTIONS": {},
    }


def conninfo(database: dict[str, Any]) -> str:
    return ""
