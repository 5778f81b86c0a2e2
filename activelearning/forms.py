"""What the page of the next batch accepts."""

from django import forms


class SelectForm(forms.Form):
    n = forms.IntegerField(label="Pairs", min_value=1, max_value=10_000, initial=50)


class PolicyForm(forms.Form):
    enabled = forms.BooleanField(label="Turn the loop automatically", required=False)
    retrain_every = forms.IntegerField(
        label="Retrain after this many new judgments", min_value=1, max_value=1_000_000
    )
    batch_size = forms.IntegerField(label="Then queue this many pairs", min_value=1, max_value=10_000)
