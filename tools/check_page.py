"""Looks at report pages in headless Chromium, at a phone's and a desktop's width, light and dark, and without JavaScript.

    python tools/check_page.py PAGE.html[=FIGURE,FIGURE?,…] … [--pictures FOLDER]

Fails where a page asks for anything but itself, writes to the console, has other figures than those named (one with a
question mark may be missing), shows nothing or has a figure that does not, is wider than the screen but for what scrolls
by itself, where words overlap, are cut off, leave their drawing or can hardly be told from what is behind them. With
`--self-test` a page is spoiled in each of these ways, and each must be seen.
"""

import argparse
import io
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.image import imread
from playwright.sync_api import sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
WIDTHS = {"phone": 390, "desktop": 1400}
# A picture of fewer colours shows nothing.
COLOURS_PAGE, COLOURS_FIGURE = 50, 6

# The drawings that are seen, by figure: left, top, right, bottom on the page.
DRAWINGS = """
() => Object.fromEntries([...document.querySelectorAll('figure')].map(figure => [
  figure.id,
  [...figure.querySelectorAll('svg')].filter(svg => svg.checkVisibility()).map(svg => {
    const box = svg.getBoundingClientRect();
    return [box.left, box.top + scrollY, box.right, box.bottom + scrollY];
  }),
]))
"""

# What is wrong with a page, as sentences. Lengths in CSS pixels.
LOOK = r"""
() => {
  const wrong = [], screen = document.documentElement.clientWidth;
  // What is folded up is looked at too.
  document.querySelectorAll('details').forEach(details => { details.open = true });
  const name = element => {
    const figure = element.closest('figure, table, section');
    return `<${element.tagName.toLowerCase()}>${figure && figure.id ? ' of ' + figure.id : ''} '` +
      element.textContent.trim().replace(/\s+/g, ' ').slice(0, 40) + "'";
  };
  const isShown = element => element.checkVisibility() && element.getBoundingClientRect().width > 0;
  const overlap = (a, b) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  // The letters themselves: a line's box is higher.
  const letters = box => {
    const shrink = box.height * 0.2;
    return { left: box.left, right: box.right, top: box.top + shrink, bottom: box.bottom - shrink };
  };
  const apart = words => words.forEach(([element, box], at) => words.slice(at + 1).forEach(([other, otherBox]) => {
    if (overlap(box, otherBox)) wrong.push(`${name(element)} and ${name(other)} overlap`);
  }));

  if (document.documentElement.scrollWidth > screen) wrong.push(`the page is ${document.documentElement.scrollWidth} wide`);
  for (const element of document.body.querySelectorAll('*')) {
    if (!isShown(element) || element.closest('svg') && element.tagName !== 'svg') continue;
    const box = element.getBoundingClientRect();
    const scrolls = element.parentElement.closest('.scroll');
    if (!scrolls && (box.left < -0.5 || box.right > screen + 0.5)) wrong.push(`${name(element)} is beside the screen`);
    const style = getComputedStyle(element);
    if (element.classList.contains('scroll')) {
      if (!['auto', 'scroll'].includes(style.overflowX)) wrong.push(`${name(element)} does not scroll`);
    } else if (style.display !== 'inline' && element.tagName !== 'svg' &&
        (element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0 ||
          element.scrollHeight > element.clientHeight + 1 && element.clientHeight > 0 && style.overflowY !== 'visible')) {
      wrong.push(`${name(element)} is cut off: ${element.scrollWidth} in ${element.clientWidth}`);
    }
  }

  const words = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const parent = node.parentElement;
    if (!node.data.trim() || !isShown(parent) || parent.closest('svg')) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) words.push([parent, letters(box)]);
  }
  apart(words);

  for (const drawing of document.querySelectorAll('svg')) {
    if (!isShown(drawing)) continue;
    const frame = drawing.getBoundingClientRect();
    const texts = [...drawing.querySelectorAll('text')].filter(text => text.textContent.trim());
    for (const text of texts) {
      const whole = text.getBoundingClientRect();
      const box = letters(whole);
      if (box.left < frame.left - 0.5 || box.right > frame.right + 0.5 || box.top < frame.top || box.bottom > frame.bottom) {
        const by = Math.max(frame.left - box.left, box.right - frame.right, frame.top - box.top, box.bottom - frame.bottom);
        wrong.push(`${name(text)} leaves its drawing by ${by.toFixed(1)}`);
      }
      if (whole.height < 9) wrong.push(`${name(text)} is too small to read`);
    }
    apart(texts.map(text => [text, letters(text.getBoundingClientRect())]));
  }

  // Contrast as WCAG 2 has it.
  const channels = colour => colour.match(/[\d.]+/g).map(Number);
  const luminance = colour => {
    const [red, green, blue] = channels(colour).map(value => {
      value /= 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = element => {
    const colour = getComputedStyle(element).backgroundColor, opacity = channels(colour)[3];
    return opacity === 0 && element.parentElement ? behind(element.parentElement) : colour;
  };
  const faint = new Set();
  for (const [element] of [...words, ...[...document.querySelectorAll('svg text')].filter(isShown).map(text => [text])]) {
    const style = getComputedStyle(element);
    const [a, b] = [luminance(element.tagName === 'text' ? style.fill : style.color), luminance(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.add(`${name(element)} has a contrast of ${contrast.toFixed(1)}`);
  }
  return [...wrong, ...faint];
}
"""


def colours_of(pixels):
    """How many colours every third pixel in both directions has."""
    packed = pixels[::3, ::3].astype(int) @ [65536, 256, 1]
    return np.unique(packed).size


def look_at(browser, path, figures, width, pictures=None, schemes=("light", "dark")):
    """What is wrong with a page at a width, by colour scheme."""
    wrong = {scheme: [] for scheme in schemes}
    scheme = schemes[0]
    say = lambda line: wrong[scheme].append(line)
    context = browser.new_context(viewport={"width": WIDTHS[width], "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.on("console", lambda message: say(f"console: {message.text}"))
    page.on("pageerror", lambda error: say(f"script: {error}"))
    page.on("requestfailed", lambda request: say(f"request failed: {request.url}"))
    address = path.resolve().as_uri()
    page.on("request", lambda request: say(f"asks for {request.url}") if request.url not in (address, "data:,") else None)
    page.goto(address)
    for scheme in wrong:
        page.emulate_media(color_scheme=scheme)
        picture = page.screenshot(full_page=True)
        if pictures:
            (pictures / f"{path.stem}-{width}-{scheme}.png").write_bytes(picture)
        pixels = (imread(io.BytesIO(picture))[..., :3] * 255).round().astype(np.uint8)
        if colours_of(pixels) < COLOURS_PAGE:
            say("the page shows nothing")
        if (pixels.mean() > 127) != (scheme == "light"):
            say(f"the page's mean brightness is {pixels.mean():.0f} of 255")
        drawn = page.evaluate(DRAWINGS)
        needed = {figure for figure in figures if not figure.endswith("?")}
        allowed = {figure.removesuffix("?") for figure in figures}
        if missing := needed - drawn.keys():
            say(f"there is no {', '.join(sorted(missing))}")
        if others := drawn.keys() - allowed:
            say(f"nobody asked for {', '.join(sorted(others))}")
        for figure, boxes in drawn.items():
            if len(boxes) != 1:
                say(f"{figure} has {len(boxes)} drawings")
                continue
            left, top, right, bottom = (max(round(edge), 0) for edge in boxes[0])
            if right - left < 200 or bottom - top < 100 or colours_of(pixels[top:bottom, left:right]) < COLOURS_FIGURE:
                say(f"{figure} shows nothing")
        for line in page.evaluate(LOOK):
            say(line)
    context.close()
    return wrong


def without_scripts(browser, path, figures):
    """The figures that are not there with JavaScript switched off."""
    context = browser.new_context(viewport={"width": WIDTHS["phone"], "height": 900}, java_script_enabled=False)
    page = context.new_page()
    page.goto(path.resolve().as_uri())
    drawings = {figure: page.locator(f"#{figure} svg:visible") for figure in figures if not figure.endswith("?")}
    boxes = {figure: drawing.bounding_box() if drawing.count() == 1 else None for figure, drawing in drawings.items()}
    context.close()
    return [f"{figure} is not there" for figure, box in boxes.items() if not box or min(box["width"], box["height"]) < 100]


def self_test(browser, path, figures):
    """Spoils a page in every way that is looked for. Fails where that is not seen; returns in how many."""
    text = path.read_text()
    figure = figures[0]
    start = text.index("<svg", text.index(f'id="{figure}"'))
    drawings = text[start : text.index("</figure>", start)]
    first_text = drawings[drawings.index("<text") : drawings.index(">", drawings.index("<text"))]
    before = lambda added: text.replace("</main>", f"{added}</main>")
    words = '<p style="position:absolute;left:20px;top:300px;margin:0">words</p>'
    spoiled = {
        "asks for http": before('<img src="http://127.0.0.1:9/picture.png" alt="">'),
        "console: spoiled": before("<script>console.error('spoiled')</script>"),
        "script: ": before("<script>spoiled()</script>"),
        f"there is no {figure}": text.replace(f'id="{figure}"', 'id="other"'),
        "nobody asked for other": text.replace(f'id="{figure}"', 'id="other"'),
        f"{figure} shows nothing": text.replace(drawings, re.sub(r"(<svg[^>]*>).*?(</svg>)", r"\1\2", drawings, flags=re.S)),
        "the page shows nothing": text.replace("</style>", "body > * { visibility: hidden }</style>"),
        "mean brightness": text.replace("</style>", "html, body { background: black !important }</style>"),
        "the page is": before('<div style="width:2000px">words</div>'),
        "is beside the screen": before('<div style="position:relative;left:200px">words</div>'),
        "is cut off": before('<div style="width:30px;overflow:hidden;white-space:nowrap">many words</div>'),
        "overlap": before(words + words),
        "leaves its drawing": text.replace(drawings, drawings.replace(first_text, first_text + ' transform="translate(-9999)"')),
        "too small to read": text.replace("</style>", "svg text { font-size: 8px !important }</style>"),
        "has a contrast of": text.replace("</style>", "p { color: #999 !important }</style>"),
    }
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "spoiled.html"
        for sign, changed in spoiled.items():
            page.write_text(changed)
            lines = look_at(browser, page, figures, "phone", schemes=("light",))["light"]
            if changed == text or not any(sign in line for line in lines):
                sys.exit(f"check_page: spoiled so that '{sign}' should be seen, and it says {lines}")
        page.write_text(spoiled[f"there is no {figure}"])
        if without_scripts(browser, page, figures) != [f"{figure} is not there"]:
            sys.exit("check_page: a figure that is not there without JavaScript was not missed")
    return len(spoiled) + 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", metavar="PAGE.html[=FIGURE,…]")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="keep the screenshots here")
    parser.add_argument("--self-test", action="store_true", help="spoil the first page too, and want it seen")
    arguments = parser.parse_args()
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)

    found = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for page in arguments.pages:
            path, _, figures = page.partition("=")
            path, figures = Path(path), figures.split(",") if figures else []
            for width in WIDTHS:
                for scheme, lines in look_at(browser, path, figures, width, arguments.pictures).items():
                    for line in lines:
                        found.setdefault(f"{path.stem}: {line}", []).append(f"{width} {scheme}")
            for line in without_scripts(browser, path, figures):
                found.setdefault(f"{path.stem}: {line}", []).append("no JavaScript")
            print(f"check_page: {path.name} and its {len(figures)} figures looked at")
        if arguments.self_test and not found:
            path, _, figures = arguments.pages[0].partition("=")
            print(f"check_page: {self_test(browser, Path(path), figures.split(','))} spoiled pages were seen through")
        browser.close()
    for line, where in found.items():
        print(f"check_page: {line} ({', '.join(where)})", file=sys.stderr)
    if found:
        sys.exit(f"check_page: {len(found)} things are wrong")


if __name__ == "__main__":
    main()
