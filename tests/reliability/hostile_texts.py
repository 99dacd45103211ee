"""Texts that would do harm where somebody takes them for markup or a program."""

RUNS = "window.__owned=1;console.log('OWNED')"
"""What a text does where it is run; elements that it makes are of the class ``owned``."""

TEXTS = (
    f"<script>{RUNS}</script>",
    f"</script><script>{RUNS}</script>",
    f'<img class=owned src=x onerror="{RUNS}">',
    f'<svg class=owned onload="{RUNS}"><g></g></svg>',
    f'<iframe class=owned srcdoc="<script>parent.{RUNS}</script>"></iframe>',
    f'"><b class=owned onmouseover="{RUNS}">over</b>',
    f"' autofocus onfocus='{RUNS}' class='owned",
    f'" onmouseenter="{RUNS}" class="owned',
    f'<a class=owned href="javascript:{RUNS}">press</a>',
    '<a class=owned href="https://evil.example/owned">away</a>',
    "<b class=owned>bold</b><br><i class=owned>italic</i>",
    f"<!-- <p class=owned> --><script>{RUNS}</script>",
    f"]]><script>{RUNS}</script>",
    f"</style></textarea></title><script>{RUNS}</script>",
    "<style class=owned>body { display: none }</style>",
    "<base class=owned href='https://evil.example/'><link class=owned rel=stylesheet href=x.css>",
    f"<math><mtext class=owned><a xlink:href='javascript:{RUNS}'>press</a></mtext></math>",
    f"&lt;script class=owned&gt;{RUNS}&lt;/script&gt;",
    f"&#60;img class=owned src=x onerror={RUNS}&#62;",
    f"{{{{constructor.constructor('{RUNS}')()}}}} {{% print(7 * 7) %}}",
    f"${{{RUNS}}} `;{RUNS}//",
    f'\\";{RUNS}//',
    f"'-({RUNS.replace(';', ',')})-'",
    f"\u2028{RUNS}\u2029{RUNS}",
    "one line\nanother\r\nand a third\ta tab",
    "\u202egnp.exe \u2066left\u2069 \u05e9\u05dc\u05d5\u05dd \u0627\u0644\u0633\u0644\u0627\u0645",
    "%s%n{0.__class__} $x^2$ %{x} %{customdata[0]}<extra></extra>",
    "__proto__",
    "constructor",
    "<b class=owned>" * 700,
    "ten thousand letters and no space between them".replace(" ", "") * 250,
    "\U0001f600\u0301" * 300,
)
