"""How static files are served in production: compressed, under names that carry a hash of their content."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStorage(CompressedManifestStaticFilesStorage):
    """The imports of ES modules get hashed names too, so a release never mixes old modules with new."""

    support_js_module_import_aggregation = True
