"""Texts that are hard to show: formulas, code, tables, many scripts, ten thousand words."""

FORMULAS = r"""The roots are $x_{1,2} = \frac{-b \pm \sqrt{b^2-4ac}}{2a}$; it costs $5 and $10.

$$
\int_0^\infty e^{-x^2}\,dx = \frac{\sqrt{\pi}}{2}
$$

So \(e^{i\pi} + 1 = 0\), and a long one: $$\sum_{k=0}^{n} \binom{n}{k} x^k y^{n-k} = (x+y)^n = x^n + n x^{n-1} y + \frac{n(n-1)}{2} x^{n-2} y^2 + \dots + y^n$$ A wrong one: $\frac{1$ stays as it is: $\nosuchcommand{x}$."""  # noqa: E501  a formula wider than a phone

CODE = '''```python
# Count the words of a text, and say which is the longest of them all, in a line too long for a column.
def count(text: str, *, least: int = 3) -> dict[str, int]:
    """How often each word comes."""
    found = {}
    for word in text.lower().split():
        if len(word) >= least and word != "the":
            found[word] = found.get(word, 0) + 1
    return found
```

```html
<a href="https://ok.example" onclick="alert(1)">a link</a> <!-- a note -->
```

```
plain text without a language
```'''

TABLE = """| Name | First column of several | Second column | Third column | Fourth column | Sum |
|:--|--:|--:|--:|--:|--:|
| Alpha | 1,000.25 | 2,000 | 3,000 | 4,000 | 10,000 |
| Beta | 1 | 2 | 3 | 4 | $x_4$ |"""

SCRIPTS = """## مرحبا بالعالم

هذا نص عربي فيه كلمة `print("مرحبا")` ورقم 1,234 وكلمة English في الوسط، وصيغة $a^2+b^2=c^2$.

1. البند الأول: ٣ تفاحات
2. البند الثاني: 42 كتابا
10. العاشر

שלום עולם, זהו טקסט בעברית עם `code()` ומספר 3.14.

این یک متن فارسی است؛ عدد ۱۲۳۴ و «نقل قول».

中文文本：设$x$为未知数，则有两个解。日本語のテキストです。한국어 텍스트입니다.

Emoji 👩‍👩‍👧‍👦 🇩🇪 👍🏽, combining marks: é ñ Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍, tiếng Việt.

> اقتباس عربي
> - قائمة
"""

WORDS = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "jetty", "kelp"]


def long_text(words: int = 10_000, marker: str = "The very end.") -> str:
    """So many words in paragraphs of a hundred, and a last line."""
    paragraphs = []
    for start in range(0, words - len(marker.split()), 100):
        size = min(100, words - len(marker.split()) - start)
        line = " ".join(WORDS[(start * 7 + k * k) % len(WORDS)] for k in range(size))
        paragraphs.append(f"{line[0].upper()}{line[1:]}.")
    return "\n\n".join([*paragraphs, marker])
