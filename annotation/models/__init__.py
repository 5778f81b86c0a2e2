# Django finds models through this module alone; import them from where they are defined.
from annotation.models import (  # noqa: F401
    alert,
    content,
    dataset,
    learning,
    project,
    quality,
    review,
    standing,
    work,
    worker,
)
