"""Where this server is reached, for links that leave it: in messages, and on the command line."""

from django.conf import settings


def own_address() -> str:
    """LAUREL_PUBLIC_URL, else what the server listens on; without a slash at its end."""
    if settings.LAUREL_PUBLIC_URL:
        return str(settings.LAUREL_PUBLIC_URL)
    host = settings.LAUREL_HOST
    if host in ("127.0.0.1", "::1", "0.0.0.0", "::"):  # noqa: S104
        host = "localhost"  # as ./laurel up says it: who signs in at one name is a stranger at another
    scheme = "https" if settings.SESSION_COOKIE_SECURE else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.LAUREL_PORT}"
