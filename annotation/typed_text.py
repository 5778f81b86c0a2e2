"""What people type into a text field, as the database can hold it."""


def cleaned(text: str) -> str:
    """Without NUL, with one kind of line end; half characters become “?”; nothing around it."""
    text = text.replace("\x00", "").replace("\r\n", "\n")
    return text.encode("utf-8", "replace").decode().strip()
