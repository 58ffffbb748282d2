"""The grammar of PAYE tax codes (HMRC, PAYE tax table routines section 3.3; RTI data items 17 and 17A)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from pay_calc.domain.engine.errors import EngineError

Region = Literal["rUK", "Scotland", "Wales"]
Kind = Literal["suffix", "K", "BR", "D", "NT"]

_CODE = re.compile(
    r"(?P<region>[SC])?(?:(?P<number>[0-9]{1,6})[LMNT]|K(?P<k>[0-9]{1,4})|D(?P<d>[0-9])|(?P<word>BR|NT))"
    r"[ ]*(?P<basis>W1/M1|W1M1|W1|M1|X)?"
)
_HIGHEST_D = {"rUK": 1, "Wales": 1, "Scotland": 3}


@dataclass(frozen=True, slots=True)
class TaxCode:
    """A parsed code. `number`: the code's number for suffix and K codes, the digit of a D code, None for BR and NT."""

    text: str
    region: Region
    kind: Kind
    number: int | None
    non_cumulative: bool

    @property
    def bare(self) -> str:
        """The code without region and basis, as the FPS wants it."""
        return re.sub(r" *(W1/M1|W1M1|W1|M1|X)$", "", self.text).removeprefix("S").removeprefix("C")


def parse_tax_code(text: str, field: str = "tax_code") -> TaxCode:
    """The code's parts; EngineError `invalid_tax_code` says what is wrong.

    `[S|C]` then digits with L, M, N or T, or K with digits, BR, NT or D with a digit, then W1, M1, X, W1/M1 or W1M1. At most
    seven characters before the basis.
    """
    return _parse(text, field)


@lru_cache(maxsize=4096)
def _parse(text: str, field: str) -> TaxCode:
    match = _CODE.fullmatch(text) if len(text) <= 20 else None
    if match is None:
        raise EngineError(
            "invalid_tax_code",
            f"{text[:20]!r} is not a tax code: expected such as 1257L, S1257L W1, K475, BR, D0 or NT, in capitals.",
            field,
        )
    basis = match["basis"]
    body = text[: len(text) - len(basis)].rstrip(" ") if basis else text
    if body != body.strip(" "):
        raise EngineError("invalid_tax_code", f"{text!r} ends in a space: remove it.", field)
    if len(body) > 7:
        raise EngineError("invalid_tax_code", f"{body!r} is longer than the seven characters a tax code has.", field)
    region: Region = {"S": "Scotland", "C": "Wales", None: "rUK"}[match["region"]]  # type: ignore[assignment]
    non_cumulative = basis is not None
    if match["number"] is not None:
        return TaxCode(text, region, "suffix", int(match["number"]), non_cumulative)
    if match["k"] is not None:
        if int(match["k"]) == 0:
            raise EngineError("invalid_tax_code", "K0 is not a tax code: K codes run from K1 to K9999.", field)
        return TaxCode(text, region, "K", int(match["k"]), non_cumulative)
    if match["d"] is not None:
        if int(match["d"]) > _HIGHEST_D[region]:
            raise EngineError(
                "invalid_tax_code",
                f"{body} does not exist: {region} has D0 to D{_HIGHEST_D[region]}.",
                field,
            )
        return TaxCode(text, region, "D", int(match["d"]), non_cumulative)
    if match["word"] == "NT":
        if match["region"] is not None:
            raise EngineError("invalid_tax_code", f"{body} does not exist: NT never takes S or C.", field)
        return TaxCode(text, region, "NT", None, non_cumulative)
    return TaxCode(text, region, "BR", None, non_cumulative)
