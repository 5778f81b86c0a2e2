"""What is judged: prompts and the responses to them. Texts are written once and never changed."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from annotation.models.project import Project

EXCERPT = 120  # characters by which a list names a text


class Prompt(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="prompts")
    key = models.CharField(max_length=64)  # SHA-256 of the conversation; see interchange.records
    messages = models.JSONField()  # [{"role", "content"}, ...], ending with the turn to answer
    metadata = models.JSONField(default=dict)
    # It measures the model: never trained on, whatever is imported later. Set once, never taken back.
    audit = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "key"], name="prompt_once_per_project"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["project"], name="prompt_audit", condition=Q(audit=True)),  # few of many
        ]

    def __str__(self) -> str:
        return _beginning(str(self.messages[-1]["content"]))


class Response(models.Model):
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="responses")
    key = models.CharField(max_length=64)  # SHA-256 of the given id, else of the text
    external_id = models.CharField(max_length=500, blank=True)
    text = models.TextField()
    model = models.CharField(max_length=200, blank=True)
    metadata = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["prompt", "key"], name="response_once_per_prompt"),
        ]

    def __str__(self) -> str:
        return _beginning(self.text)


def _beginning(text: str) -> str:
    """The first words; an ellipsis says that there are more."""
    return text if len(text) <= EXCERPT else f"{text[: EXCERPT - 1].rstrip()}…"
