# Django finds models through this module alone; import them from where they are defined.
from annotation.models import content, dataset, learning, project, quality, trust, work, worker  # noqa: F401
