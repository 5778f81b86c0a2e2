"""The columns of a model for SQL written by hand."""

from django.db.models import Model


def columns(model: type[Model], table: str) -> str:
    """All of them by name, never `*`: a prepared statement fails once a migration has added another."""
    return ", ".join(f'{table}."{field.column}"' for field in model._meta.concrete_fields)
