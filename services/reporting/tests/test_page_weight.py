"""The script and style of any page stay under 150 kB compressed, and every page loads nothing but them, a font and an icon."""

from __future__ import annotations

import gzip
import re

import pytest
from test_pages import PAGES
from web import Site

from reporting.api.web.context import HERE

pytestmark = pytest.mark.integration
LIMIT_BYTES = 150_000
_LOADED = re.compile(r'<(?:script[^>]* src|link[^>]* rel="stylesheet"[^>]* href|link[^>]* href)="/static/([^"?]+)')


def compressed(name: str) -> int:
    """Bytes of a static file as a browser that takes gzip gets it at best."""
    return len(gzip.compress((HERE / "static" / name).read_bytes(), 9, mtime=0))


async def test_script_and_style_of_every_page_are_light(site: Site) -> None:
    async with site.sign_in("bea") as browser:
        for name, path in PAGES.items():
            text = (await browser.get(path(site.world))).text
            files = set(_LOADED.findall(text))
            assert {"app.css", "app.js", "htmx.min.js"} <= files, name
            weight = sum(compressed(file) for file in files)
            assert weight < LIMIT_BYTES, f"{name}: {weight} bytes in {sorted(files)}"
            assert not re.search(r"<(?:style|script)(?![^>]* src=)[ >]", text), (
                f"{name} carries script or style of its own"
            )
