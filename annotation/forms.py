"""What the pages of data accept."""

from django import forms


class ImportForm(forms.Form):
    file = forms.FileField(
        label="JSON Lines file",
        help_text="One item per line, plain or gzip. Importing a file twice adds nothing.",
    )
    skip_bad = forms.BooleanField(
        label="Leave out bad rows instead of refusing the file",
        required=False,
    )
