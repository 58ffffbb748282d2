"""What the engine refuses, and how it says so."""

from __future__ import annotations


class EngineError(ValueError):
    """A figure the engine will not guess.

    `code` is stable and for programs, `message` says what is wrong and what to do, `field` names the input
    (dotted, with `[i]` for list items; None when the whole object is meant).
    """

    def __init__(self, code: str, message: str, field: str | None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field


class UnknownTaxYear(EngineError):
    """A payment date or tax year that no parameter file covers. It is refused, never taken from a neighbouring year."""

    def __init__(self, missing: str, known: tuple[str, ...], field: str | None = "tax_year") -> None:
        super().__init__(
            "unknown_tax_year",
            f"No statutory figures are loaded for tax year {missing}; known years: {', '.join(known) or 'none'}. "
            f"Add rates/{missing}.toml when HMRC has published the year.",
            field,
        )
        self.missing = missing
