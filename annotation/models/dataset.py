"""Immutable snapshots: the only hand-off to machine learning."""

from typing import ClassVar

from django.conf import settings
from django.db import models

from annotation.models.project import Project


class DatasetSnapshot(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="snapshots")
    number = models.PositiveIntegerField()
    folder = models.CharField(max_length=500)  # relative to LAUREL_DATA_DIR
    manifest = models.JSONField()
    manifest_sha256 = models.CharField(max_length=64)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "number"], name="snapshot_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.project.slug} snapshot {self.number}"
