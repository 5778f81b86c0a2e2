"""What the pages of data accept."""

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy


class ImportForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("JSON Lines file"),
        help_text=gettext_lazy("One item per line, plain or gzip. Importing a file twice adds nothing."),
        error_messages={
            "required": gettext_lazy("Choose a file first."),
            "empty": gettext_lazy("The file is empty: it needs one item per line."),
        },
    )
    skip_bad = forms.BooleanField(
        label=gettext_lazy("Leave out bad rows instead of refusing the file"),
        required=False,
    )

    def clean_file(self) -> "UploadedFile[bytes]":
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if file.size is not None and file.size > settings.LAUREL_UPLOAD_BYTES:
            words = _("The file has %(size)s MB; this page takes up to %(most)s. Use ./laurel import for it.")
            raise forms.ValidationError(
                words, params={"size": -(-file.size // 2**20), "most": settings.LAUREL_UPLOAD_BYTES // 2**20}
            )
        return file
