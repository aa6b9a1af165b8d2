"""The built site, page by page, in a headless Chromium: `make docs-test`."""

import functools
import html.parser
import posixpath
import urllib.parse
from pathlib import Path

import pytest

SITE = Path(__file__).resolve().parents[1] / "site"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
WIDTHS = (1280, 400)
LARGEST = 1_500_000  # bytes of a page with all it loads

pytestmark = [
    pytest.mark.site,
    # the browser's descriptors are given in a process that has threads, those of the server
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]

# What is wrong with the page as it is drawn, as a list of sentences.
FAULTS = r"""(() => {
  const faults = [], wide = document.documentElement.clientWidth;
  const drawn = each => each.getClientRects().length > 0;
  const said = each => each.textContent.trim().replace(/\s+/g, " ").slice(0, 60);
  if (document.documentElement.scrollWidth > wide) faults.push("the page is wider than the window");
  for (const each of document.images)
    if (!each.naturalWidth) faults.push("no picture at " + each.getAttribute("src"));
  for (const each of document.querySelectorAll("math")) {
    if (!drawn(each)) continue;
    const box = each.getBoundingClientRect();
    if (box.width < 1 || box.height < 1) faults.push("formula without a size: " + said(each));
    if (box.right > wide + 1 && !each.closest(".formula, table, pre"))
      faults.push("formula runs off: " + said(each));
  }
  for (const each of document.querySelectorAll(".formula"))
    if (drawn(each) && wide >= 1280 && each.scrollWidth > each.clientWidth + 1)
      faults.push("formula is scrolled: " + said(each));
  const walker = document.createTreeWalker(document.querySelector("article"), NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());)
    if (!node.parentElement.closest("code, pre, script, style") && /\$\$|\\[\(\[]|\\[a-z]+[ {_^]/.test(node.data))
      faults.push("formula left raw: " + node.data.trim().slice(0, 60));
  for (const each of document.querySelectorAll("article table")) {
    if (!drawn(each) || each.closest(".highlight")) continue;
    const box = each.closest(".md-typeset__scrollwrap") ?? each.parentElement;
    if (each.getBoundingClientRect().width > box.clientWidth + 1)
      faults.push("table is wider than its box: " + said(each));
  }
  return faults;
})()"""


@pytest.fixture(scope="module")
def address():
    from browser import serve

    with serve(SITE) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    from browser import Browser  # which takes what Windows has not

    browser = Browser()
    yield browser
    browser.close()


class Page(html.parser.HTMLParser):
    """What a page names and what it leads to."""

    def __init__(self, path):
        super().__init__()
        self.names, self.targets = set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.names |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        self.targets |= {attributes[key] for key in ("href", "src") if attributes.get(key)}


read = functools.cache(Page)


def test_the_site_is_built():
    assert len(PAGES) > 10, "there is no site yet: `make docs-test` builds it"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    dead = []
    for target in read(SITE / page).targets:
        parts = urllib.parse.urlsplit(target)
        if parts.scheme or parts.netloc or page == "404.html":  # which has the address of the published site
            continue
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), urllib.parse.unquote(parts.path)))
        file = SITE / (path if parts.path else page)
        if file.is_dir():
            file /= "index.html"
        if not file.exists():
            dead.append(target)
        elif parts.fragment and file.suffix == ".html":
            name = urllib.parse.unquote(parts.fragment)
            if name not in read(file).names and not name.startswith("__"):  # these are the theme's own
                dead.append(target)
    assert not dead


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_whole(page, browser, address):
    """Nothing in the console, nothing from elsewhere, not too large, and drawn as it should be at both widths."""
    browser.open(f"{address}/{page}", WIDTHS[0])
    faults = [f"at {WIDTHS[0]}: {fault}" for fault in browser.evaluate(FAULTS)] if page != "404.html" else []
    for event in browser.events:
        method, found = event["method"], event["params"]
        if method == "Log.entryAdded" and found["entry"]["level"] in ("error", "warning"):
            faults.append(f"console: {found['entry']['text']} {found['entry'].get('url', '')}")
        elif method == "Runtime.consoleAPICalled" and found["type"] in ("error", "warning", "assert"):
            faults.append(f"console: {[each.get('value') for each in found['args']]}")
        elif method == "Runtime.exceptionThrown":
            faults.append(f"console: {found['exceptionDetails']['text']}")
        elif method == "Network.requestWillBeSent":
            wanted = found["request"]["url"]
            if not wanted.startswith((address, "data:", "blob:")):
                faults.append(f"asks {wanted}")
        elif method == "Network.responseReceived" and found["response"]["status"] >= 400:
            faults.append(f"{found['response']['status']}: {found['response']['url']}")
    ended = [event["params"] for event in browser.events if event["method"] == "Network.loadingFinished"]
    loaded = sum(each["encodedDataLength"] for each in ended)
    if loaded > LARGEST:
        faults.append(f"loads {loaded / 1e6:.2f} MB; it may be {LARGEST / 1e6} MB")
    if page != "404.html":
        browser.resize(WIDTHS[1])
        browser.evaluate("new Promise(requestAnimationFrame)")
        faults += [f"at {WIDTHS[1]}: {fault}" for fault in browser.evaluate(FAULTS)]
    assert not faults, "\n".join(faults)


def test_the_search_answers(browser, address):
    browser.open(f"{address}/index.html", WIDTHS[0])
    browser.evaluate("document.querySelector('[data-md-component=search-query]').focus()")
    browser.call("Input.insertText", text="GFM")
    found = browser.evaluate("""new Promise((done, fail) => {
      const look = () => {
        const titles = [...document.querySelectorAll(".md-search-result__article h1, .md-search-result__article h2")];
        if (titles.length) done(titles.map(each => each.textContent));
        else setTimeout(look, 50);
      };
      look();
      setTimeout(() => done([]), 20000);
    })""")
    assert any("GFM" in title for title in found), found
