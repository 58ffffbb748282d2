"""A person at the keyboard: Tab, Enter, Space, arrows, letters. No pointer anywhere."""

from __future__ import annotations

from playwright.async_api import Locator, Page, expect

TABS_MAX = 300
_HAS_FOCUS = "element => element === document.activeElement"
_RINGS = """element => [element, ...(element.labels || [])].map(part => {
  const style = getComputedStyle(part);
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  return [outlined ? `${style.outlineStyle} ${style.outlineWidth} ${style.outlineColor}` : "none", style.boxShadow];
})"""
"""The outline and the shadow of the element, and of its labels: a hidden radio button's ring is around its words."""
_BARE = ["none", "none"]


class NoFocusRing(AssertionError):
    """Something has the focus, and nobody can see it."""


class Keyboard:
    """Reaches things of a page as somebody without a mouse does, and fails where that person would be stuck."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            await self.page.keyboard.press(key)

    async def write(self, text: str) -> None:
        """Type a text where the focus is."""
        await self.page.keyboard.type(text)

    async def to(self, target: Locator) -> None:
        """Tab until the element has the focus. Fails when it cannot be reached, or shows no focus ring."""
        await expect(target).to_be_visible()
        before: list[list[str]] | None = None
        for _ in range(TABS_MAX):
            if await target.evaluate(_HAS_FOCUS):
                await self._shows_it(target, before)
                return
            before = await target.evaluate(_RINGS)
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"{TABS_MAX} presses of Tab do not reach {target}")

    async def enter(self, target: Locator) -> None:
        """Tab to a link or button and press Enter."""
        await self.to(target)
        await self.page.keyboard.press("Enter")

    async def fill(self, target: Locator, text: str) -> None:
        """Tab to a field and type."""
        await self.to(target)
        await self.page.keyboard.type(text)

    async def skip(self) -> None:
        """Use the page's own link past the navigation."""
        await self.page.keyboard.press("Tab")
        await expect(self.page.locator("a.skip")).to_be_focused()
        await self.page.keyboard.press("Enter")

    async def _shows_it(self, target: Locator, before: list[list[str]] | None) -> None:
        """An outline or a shadow that was not there without the focus; where it was there from the start, any."""
        now = await target.evaluate(_RINGS)
        rings = [ring for place, ring in enumerate(now) if ring != _BARE and (before is None or ring != before[place])]
        if not rings:
            raise NoFocusRing(f"{target} has the focus and looks as without it: {now}")
