"""Pay profiles, payees, the employer and the pay calendar. NI numbers and bank details come in here and go nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from pay_calc.api.access import AgencyId, Day, ExternalId, ExternalIdFilter, Line, Money, Name, after_id, plain
from pay_calc.domain.decide import Worker
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.nic import LETTER_AFTER
from pay_calc.domain.engine.starters import P45 as P45Facts
from pay_calc.domain.engine.tax_code import parse_tax_code
from pay_calc.domain.profiles import account_number_of, ni_number_of, sort_code_of
from pay_calc.domain.starting import Mistake, Start
from pay_calc.domain.starting import Starter as StarterFacts
from pay_calc.domain.subcontractors import Finding, utr_of, verification_number_of
from pay_calc.store import connected, facts, people
from pay_calc.usecases import profiles as usecase
from pay_calc.usecases.connected import name_connected
from pay_calc.usecases.replay import load_json
from paybill_common.auth import Principal
from paybill_common.clock import london_date
from paybill_common.http.paging import Cursor, Limit, Page, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, conflict, invalid, not_found
from paybill_common.http.route import TxDep, TxRoute, require
from paybill_common.money import from_pence, to_pence

router = APIRouter(
    prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["pay profiles"]
)

TaxCodeText = Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, min_length=2, max_length=20)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=30)]


class Bank(BaseModel):
    """Where money is sent. Sort code and account number come together or not at all."""

    model_config = ConfigDict(extra="forbid")

    sort_code: Short | None = Field(None, description="Six digits, such as 00-00-01")
    account_number: Short | None = Field(None, description="Six to eight digits")
    account_name: Line | None = None

    @field_validator("sort_code")
    @classmethod
    def _sort_code(cls, value: str | None) -> str | None:
        return sort_code_of(value) if value else None

    @field_validator("account_number")
    @classmethod
    def _account_number(cls, value: str | None) -> str | None:
        return account_number_of(value) if value else None

    @model_validator(mode="after")
    def _whole(self) -> Bank:
        if (self.sort_code is None) != (self.account_number is None):
            raise ValueError("sort_code and account_number come together")
        return self


class PensionTerms(BaseModel):
    """An active membership; per cents of qualifying earnings, basic pay or all earnings. Under salary sacrifice the worker gives up
    `sacrifice_gbp` of each week's pay, which the employer pays over beside its own per cent."""

    model_config = ConfigDict(extra="forbid")

    basis: Literal["net_pay", "ras", "salary_sacrifice"]
    employee_pct: Annotated[Decimal, Field(ge=0, le=100, decimal_places=2)] = Decimal(0)
    employer_pct: Annotated[Decimal, Field(ge=0, le=100, decimal_places=2)] = Decimal(0)
    earnings: Literal["qualifying", "basic_pay", "all_earnings"] = "qualifying"
    sacrifice_gbp: Money = Decimal(0)


class Pension(PensionTerms):
    """A membership with the terms that its basis needs."""

    @model_validator(mode="after")
    def _sacrifice(self) -> Pension:
        sacrifices = self.basis == "salary_sacrifice"
        if sacrifices and (not self.sacrifice_gbp or self.employee_pct):
            raise ValueError("salary_sacrifice needs sacrifice_gbp, the agreed amount a week, and no employee_pct")
        if self.sacrifice_gbp and not sacrifices:
            raise ValueError("sacrifice_gbp goes with the basis salary_sacrifice")
        return self


class Directorship(BaseModel):
    """How a company director's National Insurance is worked out. standard: on the year so far; alternative: week by week, and the year
    at its last payday, or on the first payday from `settle_on`."""

    model_config = ConfigDict(extra="forbid")

    method: Literal["standard", "alternative"]
    appointed_on: Day
    settle_on: Day | None = None


class HeldFor(BaseModel):
    """Terms that hold from a day to a day, both included; without an end until they are replaced."""

    model_config = ConfigDict(extra="forbid")

    starts_on: Day
    ends_on: Day | None = None

    @model_validator(mode="after")
    def _days(self) -> HeldFor:
        if self.ends_on is not None and self.ends_on < self.starts_on:
            raise ValueError("ends_on is not before starts_on")
        return self


class PayrolledBenefit(HeldFor):
    """A benefit in kind that is taxed through pay: its amount for each weekly payday from `starts_on`. What falls on paydays without pay is
    taxed with the next payslip of the tax year. `starts_on` is the first payday on which it is taxed here: in a year that began with other
    software not earlier. Another amount is another entry from its day; changing an old one puts the year right on the next payslip."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
    week_gbp: Annotated[Money, Field(gt=0)]


class AccommodationProvided(HeldFor):
    """Living accommodation that the agency provides: for the minimum wage test alone, nothing is deducted by it. A charge above the day's
    offset lowers the pay that counts; accommodation without charge adds the offset. A charge that is also recorded as an `agreed` net
    deduction would count twice."""

    days_a_week: Annotated[int, Field(ge=1, le=7)]
    charge_a_day_gbp: Money = Decimal(0)


def _tax_code_of(text: str) -> str:
    """The code itself. ValueError says what is wrong with it."""
    try:
        parse_tax_code(text)
    except EngineError as error:
        raise ValueError(error.message) from error
    return text


class P45(BaseModel):
    """Parts 2 and 3 of a P45. Its figures count in the tax year of `left_on`, and on a W1 or M1 code not at all."""

    model_config = ConfigDict(extra="forbid")

    left_on: Day
    tax_code: TaxCodeText = Field(description="With W1 or M1 where the P45 says so")
    pay_to_date_gbp: Money | None = Field(None, validate_default=True, description="Needed unless the code is W1 or M1")
    tax_to_date_gbp: Money | None = Field(None, validate_default=True, description="Needed unless the code is W1 or M1")

    @field_validator("tax_code")
    @classmethod
    def _tax_code(cls, value: str) -> str:
        return _tax_code_of(value)

    @field_validator("pay_to_date_gbp", "tax_to_date_gbp")
    @classmethod
    def _figure(cls, value: Decimal | None, info: ValidationInfo) -> Decimal | None:
        code = info.data.get("tax_code")
        if value is None and code is not None and not parse_tax_code(code).non_cumulative:
            raise ValueError(
                "a P45 says the pay and the tax to date, 0 where it is none; only one on W1 or M1 says none"
            )
        return value


class Starter(BaseModel):
    """What a new employee brought in the place of a tax code: the P45, the starter checklist's statement (A first job since 6 April, B only
    job now, C another job or pension), student and postgraduate loans. With neither P45 nor statement tax is taken on 0T week 1."""

    model_config = ConfigDict(extra="forbid")

    started_on: Day
    declaration: Literal["A", "B", "C"] | None = None
    p45: P45 | None = None
    student_loan: bool = False
    student_loan_plan: Literal["1", "2", "4", "5"] | None = Field(
        None, description="Left out while the worker does not know it: the plan with the year's lowest threshold"
    )
    postgrad_loan: bool = False

    @field_validator("student_loan_plan")
    @classmethod
    def _plan(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and not info.data.get("student_loan", True):
            raise ValueError("student_loan_plan goes with student_loan: true")
        return value

    def stored(self) -> dict[str, Any]:
        p45 = self.p45
        return StarterFacts(
            started_on=self.started_on,
            declaration=self.declaration,
            p45=None
            if p45 is None
            else P45Facts(
                p45.left_on,
                p45.tax_code,
                to_pence(p45.pay_to_date_gbp or Decimal(0)),
                to_pence(p45.tax_to_date_gbp or Decimal(0)),
            ),
            student_loan=self.student_loan,
            student_loan_plan=self.student_loan_plan,
            postgrad_loan=self.postgrad_loan,
        ).as_json()


class StartingTax(BaseModel):
    """What a starter comes to, on a payday of today or of the first day while that lies ahead. `declaration`: what the submission of the
    first payment reports. The previous employment's figures count in `previous_tax_year`, for tax alone."""

    tax_code: str
    reason: str
    declaration: str | None
    previous_tax_year: str | None
    previous_pay_gbp: Decimal
    previous_tax_gbp: Decimal
    student_loan_plan: str | None
    postgrad_loan: bool


class ProfileIn(Bank):
    """How one worker is paid and taxed. A whole profile replaces the one before. `tax_code` is HMRC's; a new employee without one has
    `starter`. With both the starter decides until `tax_code_from`, and HMRC's code from that day on."""

    external_id: ExternalId | None = None
    given_name: Line | None = None
    family_name: Line | None = None
    gender: Literal["F", "M"] | None = None
    address: Annotated[list[Line], Field(max_length=5)] = []
    ni_number: Short | None = Field(None, description="Two letters, six digits, A to D")
    birth_on: Annotated[date, Field(ge=date(1900, 1, 1), le=date(2100, 1, 1))] | None = None
    starter: Starter | None = None
    tax_code: TaxCodeText | None = Field(None, validate_default=True)
    tax_basis: Literal["cumulative", "week1"] = "cumulative"
    tax_code_from: Day | None = Field(
        None,
        description="Since when the code is operated; left out, the day of this request. From the 6 April after it the code is cumulative",
    )
    p45_issued_on: Day | None = Field(
        None, description="What is paid after it is taxed on 0T week 1 and marked as payment after leaving"
    )
    ni_letter: Annotated[str, StringConstraints(pattern=r"^[A-Z]$")]
    ni_letter_until: Day | None = Field(
        None,
        description="The last day of a deferment (J, Z, L, D) or of a veteran's first year (V); later paydays are under A, M, F or N",
    )
    student_loan_plan: Literal["1", "2", "4", "5"] | None = None
    postgrad_loan: bool = False
    pension: Pension | None = None
    apprentice: bool = False
    apprenticeship_started_on: Day | None = Field(
        None,
        description="Decides the first year, for the minimum wage of an apprentice of 19 or over; only with apprentice",
    )
    accommodation: AccommodationProvided | None = None
    payrolled_benefits: Annotated[list[PayrolledBenefit], Field(max_length=20)] = []
    director: bool = False
    directorship: Directorship | None = Field(None, description="Needed to pay a director; only with director")
    attachment_of_earnings: bool = False
    previous_tax_year: Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-[0-9]{2}$")] | None = None
    previous_pay_gbp: Money = Decimal(0)
    previous_tax_gbp: Money = Decimal(0)
    starter_declaration: Literal["A", "B", "C"] | None = None
    employment_no: Annotated[int, Field(ge=1, le=999)] = 1

    @field_validator("ni_number")
    @classmethod
    def _ni_number(cls, value: str | None) -> str | None:
        return ni_number_of(value) if value else None

    @field_validator("tax_code")
    @classmethod
    def _tax_code(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("starter", 0) is None:
            raise ValueError("give HMRC's tax code, or in starter what a new employee brought; no code is guessed")
        return None if value is None else _tax_code_of(value)

    @field_validator("tax_basis", "tax_code_from", "previous_tax_year")
    @classmethod
    def _with_the_code(cls, value: Any, info: ValidationInfo) -> Any:
        if value not in (None, "cumulative") and info.data.get("tax_code", 0) is None:
            raise ValueError(f"{info.field_name} goes with tax_code: what a starter brought says it itself")
        return value

    @field_validator("starter_declaration")
    @classmethod
    def _declaration(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("starter") is not None:
            raise ValueError("with starter the statement is its declaration: leave starter_declaration out")
        return value

    @model_validator(mode="after")
    def _director(self) -> ProfileIn:
        if self.directorship is not None and not self.director:
            raise ValueError("directorship goes with director: true")
        if self.ni_letter_until is not None and self.ni_letter not in LETTER_AFTER:
            raise ValueError(
                f"ni_letter_until goes with {', '.join(LETTER_AFTER)}; the letter {self.ni_letter} has no end"
            )
        if self.apprenticeship_started_on is not None and not self.apprentice:
            raise ValueError("apprenticeship_started_on goes with apprentice: true")
        return self

    def stored(self) -> dict[str, Any]:
        values = self.model_dump(exclude={"directorship", "starter"})
        values["starter"] = None if self.starter is None else self.starter.stored()
        housed = self.accommodation
        values["accommodation"] = None if housed is None else _stored_terms(housed)
        values["payrolled_benefits"] = [_stored_terms(benefit) for benefit in self.payrolled_benefits]
        terms = self.directorship
        values["director_method"] = None if terms is None else terms.method
        values["director_appointed_on"] = None if terms is None else terms.appointed_on
        values["director_settle_on"] = None if terms is None else terms.settle_on
        if self.pension is not None:
            values["pension"] = {
                "basis": self.pension.basis,
                "employee_bp": int(self.pension.employee_pct * 100),
                "employer_bp": int(self.pension.employer_pct * 100),
                "earnings": self.pension.earnings,
                "sacrifice_pence": to_pence(self.pension.sacrifice_gbp),
            }
        return values


def _stored_terms(terms: HeldFor) -> dict[str, Any]:
    """As JSON, amounts in pence."""
    return {
        name.removesuffix("_gbp") + "_pence" if name.endswith("_gbp") else name: to_pence(getattr(terms, name))
        if name.endswith("_gbp")
        else value
        for name, value in terms.model_dump(mode="json").items()
    }


def _shown_terms(stored: dict[str, Any]) -> dict[str, Any]:
    """What `_stored_terms` made, in pounds again."""
    return {
        name.removesuffix("_pence") + "_gbp" if name.endswith("_pence") else name: from_pence(value)
        if name.endswith("_pence")
        else value
        for name, value in stored.items()
    }


class ProfileBatchLine(ProfileIn):
    worker_id: UUID


class ProfileBatch(BaseModel):
    profiles: Annotated[list[ProfileBatchLine], Field(min_length=1, max_length=1000)]


class ProfileOut(BaseModel):
    """A stored profile. `starting_tax`: the code that follows from `starter`, and why. `unsupported`: codes of what holds this
    worker's pay: missing terms, or what this release does not work out."""

    worker_id: UUID
    external_id: str | None
    given_name: str | None
    family_name: str | None
    gender: str | None
    address: list[str]
    ni_number: str | None
    birth_on: date | None
    tax_code: str | None
    tax_basis: str
    tax_code_from: date | None
    p45_issued_on: date | None
    ni_letter: str
    ni_letter_until: date | None
    student_loan_plan: str | None
    postgrad_loan: bool
    pension: PensionTerms | None
    apprentice: bool
    apprenticeship_started_on: date | None
    accommodation: AccommodationProvided | None
    payrolled_benefits: list[PayrolledBenefit]
    director: bool
    directorship: Directorship | None
    attachment_of_earnings: bool
    previous_tax_year: str | None
    previous_pay_gbp: Decimal
    previous_tax_gbp: Decimal
    starter_declaration: str | None
    starter: Starter | None
    starting_tax: StartingTax | None
    employment_no: int
    sort_code: str | None
    account_number: str | None
    account_name: str | None
    version: int
    updated_at: datetime
    unsupported: list[str] = []


class CisVerification(BaseModel):
    """HMRC's answer when a subcontractor was verified: 0 per cent for gross status, 20 registered, 30 unmatched (who may have no UTR)."""

    model_config = ConfigDict(extra="forbid")

    rate_pct: Literal[0, 20, 30]
    verified_on: Day
    verification_number: Annotated[
        Short, Field(description="V and ten digits; at 30 per cent with a letter, such as V0000000017/A")
    ]
    utr: Annotated[Short | None, Field(description="Unique taxpayer reference: ten digits")] = None

    @field_validator("utr")
    @classmethod
    def _utr(cls, value: str | None) -> str | None:
        return utr_of(value) if value else None

    @field_validator("verification_number")
    @classmethod
    def _number(cls, value: str) -> str:
        return verification_number_of(value)

    @model_validator(mode="after")
    def _matched(self) -> CisVerification:
        if self.rate_pct != 30 and self.utr is None:
            raise ValueError("a subcontractor whom HMRC matched has a utr")
        return self


class AgencyRules(BaseModel):
    """Who decided, when and on what evidence, whether the agency has to run PAYE for a self-employed subcontractor (ITEPA 2003 s.44).

    `controlled`: anyone may supervise, direct or control how the worker works, so it does; `not_controlled`, `not_personal` (another may
    be sent in the worker's place) and `own_company_outside` (an own company, outside IR35): it does not.
    """

    model_config = ConfigDict(extra="forbid")

    finding: Finding
    decided_by: Name
    decided_on: Day
    evidence_ref: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class PayeeIn(Bank):
    """The bank details of an umbrella, limited company or CIS subcontractor, and of the last how HMRC verified it and whether the agency
    rules apply. Without `cis` or `agency_rules` a subcontractor is held. A whole payee replaces the one before."""

    external_id: ExternalId | None = None
    cis: CisVerification | None = None
    agency_rules: AgencyRules | None = None

    def stored(self) -> dict[str, Any]:
        terms = self.cis
        rules = self.agency_rules
        return self.model_dump(exclude={"cis"}) | {
            "agency_rules": None if rules is None else rules.model_dump(mode="json"),
            "cis_utr": None if terms is None else terms.utr,
            "cis_rate_pct": None if terms is None else terms.rate_pct,
            "cis_verification_number": None if terms is None else terms.verification_number,
            "cis_verified_on": None if terms is None else terms.verified_on,
        }


class PayeeBatchLine(PayeeIn):
    payee_id: UUID


class PayeeBatch(BaseModel):
    payees: Annotated[list[PayeeBatchLine], Field(min_length=1, max_length=1000)]


class PayeeOut(BaseModel):
    payee_id: UUID
    external_id: str | None
    cis: CisVerification | None
    agency_rules: AgencyRules | None
    sort_code: str | None
    account_number: str | None
    account_name: str | None
    version: int
    updated_at: datetime


class Receipt(BaseModel):
    """What became of one line of a batch, by its place in the list."""

    line: int
    record_id: UUID
    status: Literal["accepted", "refused"]
    code: str | None = None
    reason: str | None = None


class Receipts(BaseModel):
    accepted: int
    refused: int
    receipts: list[Receipt]


class EmployerIn(Bank):
    """The agency as employer: what payslips, submissions and bank files carry. The bank details are where pay comes from."""

    legal_name: Name
    address: Annotated[list[Line], Field(max_length=6)] = []
    paye_reference: Annotated[str, StringConstraints(pattern=r"^[0-9]{3}/[A-Z0-9]{1,10}$")] | None = None
    accounts_office_reference: Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{13}$")] | None = None
    levy_payer: bool = False
    pension_re_enrolment_on: Day | None = Field(
        None, description="The next day of automatic re-enrolment of who opted out"
    )
    service_user_number: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")] | None = None


class EmployerOut(EmployerIn):
    updated_at: datetime


class ConnectedIn(BaseModel):
    """Agencies that carry on business in association with this one. A connection counts when both agencies name each other: each consents
    that the other is told what a person whom both pay earned there. Name none where adding is not reasonably practicable."""

    model_config = ConfigDict(extra="forbid")

    agencies: Annotated[list[UUID], Field(max_length=50)]


class ConnectedAgency(BaseModel):
    agency_id: UUID
    recorded_at: datetime
    recorded_by: str


class ConnectedOut(BaseModel):
    """The agencies that this one names, whether or not they name it too."""

    agencies: list[ConnectedAgency]


class CalendarIn(BaseModel):
    """When weeks are paid. `late_pay` is what the contract says of a week that comes after its run: no default, because the law's
    answer depends on it; without it a late PAYE week is held. with_current_pay: nothing was owed before the timesheet; it is part of this
    payday's pay. usual_payday: it was owed on its own payday; National Insurance, loans and pension are worked out for that payday, with
    what was charged for it before, or, where that was in an earlier tax year, on it alone at this year's rates. Tax follows payment under
    both, and both pay on one payslip."""

    model_config = ConfigDict(extra="forbid")

    frequency: Literal["weekly"] = "weekly"
    payday_days_after: Annotated[int, Field(ge=0, le=28, description="Days from the week's Sunday to payday")] = 5
    late_pay: Literal["with_current_pay", "usual_payday"] | None = None


class CalendarOut(BaseModel):
    frequency: Literal["weekly"] = "weekly"
    payday_days_after: int
    late_pay: str | None
    is_default: bool


@router.put("/pay-profiles/{worker_id}")
async def put_profile(
    tx: TxDep, agency_id: AgencyId, worker_id: UUID, body: ProfileIn, principal: Principal = require("pay:write")
) -> ProfileOut:
    """Create or replace a worker's pay profile; the worker's drafts are worked again."""
    values = body.stored()
    if (wrong := usecase.starter_mistake(values, london_date(tx.now))) is not None:
        raise invalid(wrong.code, wrong.words, pointer=f"#/starter/{wrong.field}")
    await _store_profiles(tx, agency_id, [(worker_id, values)], principal)
    return await _profile_out(tx, agency_id, worker_id)


@router.post("/pay-profiles/batch")
async def put_profiles(
    tx: TxDep, agency_id: AgencyId, body: ProfileBatch, principal: Principal = require("pay:write")
) -> Receipts:
    """Up to 1,000 profiles with a receipt each. A worker or external id named twice in the list is refused from the second on, and a line
    whose starter cannot be."""
    lines = [(line.worker_id, line.external_id, line.stored()) for line in body.profiles]
    for _, _, values in lines:
        values.pop("worker_id")
    today = london_date(tx.now)
    found = [usecase.starter_mistake(values, today) for _, _, values in lines]
    receipts, accepted = await _sift(tx, "pay_profile", "worker_id", agency_id, lines, found)
    if accepted:
        await _store_profiles(tx, agency_id, accepted, principal)
    return _receipts(receipts)


@router.get("/pay-profiles/{worker_id}")
async def get_profile(
    tx: TxDep, agency_id: AgencyId, worker_id: UUID, principal: Principal = require("pay:read")
) -> ProfileOut:
    """A worker's pay profile."""
    return await _profile_out(tx, agency_id, worker_id)


@router.get("/pay-profiles")
async def list_profiles(
    tx: TxDep,
    agency_id: AgencyId,
    external_id: ExternalIdFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("pay:read"),
) -> Page[ProfileOut]:
    """Pay profiles by worker."""
    rows = await people.profiles(
        tx, agency_id=agency_id, external_id=external_id, after=after_id(cursor), most=limit + 1
    )
    keys = [(agency_id, row.worker_id) for row in rows[:limit]]
    found = await facts.load(tx, keys)
    items = []
    for row in rows[:limit]:
        items.append(_profile(row, found.workers[agency_id, row.worker_id], london_date(tx.now)))
    return Page(items=items, next_cursor=encode_cursor(rows[limit - 1].worker_id) if len(rows) > limit else None)


@router.put("/payees/{payee_id}")
async def put_payee(
    tx: TxDep, agency_id: AgencyId, payee_id: UUID, body: PayeeIn, principal: Principal = require("pay:write")
) -> PayeeOut:
    """Create or replace the bank details of an umbrella, limited company or CIS subcontractor, and how HMRC verified the last."""
    await _store_payees(tx, agency_id, [(payee_id, body.stored())], principal)
    return await _payee_out(tx, agency_id, payee_id)


@router.post("/payees/batch")
async def put_payees(
    tx: TxDep, agency_id: AgencyId, body: PayeeBatch, principal: Principal = require("pay:write")
) -> Receipts:
    """Up to 1,000 payees with a receipt each."""
    lines = [(line.payee_id, line.external_id, line.stored()) for line in body.payees]
    for _, _, values in lines:
        values.pop("payee_id")
    receipts, accepted = await _sift(tx, "payee", "payee_id", agency_id, lines)
    if accepted:
        await _store_payees(tx, agency_id, accepted, principal)
    return _receipts(receipts)


@router.get("/payees/{payee_id}")
async def get_payee(
    tx: TxDep, agency_id: AgencyId, payee_id: UUID, principal: Principal = require("pay:read")
) -> PayeeOut:
    """A payee's bank details and CIS verification."""
    return await _payee_out(tx, agency_id, payee_id)


@router.get("/payees")
async def list_payees(
    tx: TxDep,
    agency_id: AgencyId,
    external_id: ExternalIdFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("pay:read"),
) -> Page[PayeeOut]:
    """Payees by id."""
    rows = await people.payees(tx, agency_id=agency_id, external_id=external_id, after=after_id(cursor), most=limit + 1)
    return Page(
        items=[_payee(row) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1].payee_id) if len(rows) > limit else None,
    )


@router.put("/employer")
async def put_employer(
    tx: TxDep, agency_id: AgencyId, body: EmployerIn, principal: Principal = require("pay:write")
) -> EmployerOut:
    """Store the agency's details as employer."""
    await usecase.store_employer(tx, agency_id=agency_id, values=body.model_dump(), by=principal.subject)
    return await _employer_out(tx, agency_id)


@router.get("/employer")
async def get_employer(tx: TxDep, agency_id: AgencyId, principal: Principal = require("pay:read")) -> EmployerOut:
    """The agency's details as employer."""
    return await _employer_out(tx, agency_id)


@router.put("/employer/connected")
async def put_connected(
    tx: TxDep, agency_id: AgencyId, body: ConnectedIn, principal: Principal = require("pay:write")
) -> ConnectedOut:
    """Name the agencies that this one is connected with, all of them. From the next pay run on, National Insurance and loans of a person
    with the same NI number in both are worked out on both pays of a tax week together, by whoever pays last."""
    if agency_id in body.agencies:
        raise invalid(
            "connected_with_itself", "An agency is not connected with itself: name the others.", pointer="/agencies"
        )
    await name_connected(tx, agency_id=agency_id, others=body.agencies, by=principal.subject)
    return await _connected_out(tx, agency_id)


@router.get("/employer/connected")
async def get_connected(tx: TxDep, agency_id: AgencyId, principal: Principal = require("pay:read")) -> ConnectedOut:
    """The agencies that this one names."""
    return await _connected_out(tx, agency_id)


async def _connected_out(tx: TxDep, agency_id: UUID) -> ConnectedOut:
    rows = await connected.of_agency(tx, agency_id=agency_id)
    return ConnectedOut(
        agencies=[
            ConnectedAgency(agency_id=row.other_agency_id, recorded_at=row.recorded_at, recorded_by=row.recorded_by)
            for row in rows
        ]
    )


@router.put("/pay-calendar")
async def put_calendar(
    tx: TxDep, agency_id: AgencyId, body: CalendarIn, principal: Principal = require("pay:write")
) -> CalendarOut:
    """Store when weeks are paid; paydays of open periods move with it."""
    values = body.model_dump(exclude={"frequency"})
    await usecase.store_calendar(tx, agency_id=agency_id, values=values, by=principal.subject)
    return CalendarOut(**values, is_default=False)


@router.get("/pay-calendar")
async def get_calendar(tx: TxDep, agency_id: AgencyId, principal: Principal = require("pay:read")) -> CalendarOut:
    """When weeks are paid: the Friday after, unless the agency set another day."""
    row = await people.calendar(tx, agency_id=agency_id)
    if row is None:
        return CalendarOut(payday_days_after=facts.DEFAULT_PAYDAY_DAYS_AFTER, late_pay=None, is_default=True)
    return CalendarOut(payday_days_after=row.payday_days_after, late_pay=row.late_pay, is_default=False)


async def _store_profiles(
    tx: TxDep, agency_id: UUID, rows: list[tuple[UUID, dict[str, Any]]], principal: Principal
) -> None:
    try:
        await usecase.store_profiles(tx, agency_id=agency_id, profiles=rows, by=principal.subject)
    except usecase.ExternalIdTaken as error:
        raise conflict("external_id_taken", f"{error}.") from error


async def _store_payees(
    tx: TxDep, agency_id: UUID, rows: list[tuple[UUID, dict[str, Any]]], principal: Principal
) -> None:
    try:
        await usecase.store_payees(tx, agency_id=agency_id, payees=rows, by=principal.subject)
    except usecase.ExternalIdTaken as error:
        raise conflict("external_id_taken", f"{error}.") from error


async def _sift(
    tx: TxDep,
    table: str,
    key: str,
    agency_id: UUID,
    lines: list[tuple[UUID, str | None, dict[str, Any]]],
    mistakes: Sequence[Mistake | None] = (),
) -> tuple[list[Receipt], list[tuple[UUID, dict[str, Any]]]]:
    """Refuse lines that name a record or an external id again, or an external id that another record has, and those with a mistake."""
    wanted = [external_id for _, external_id, _ in lines if external_id is not None]
    taken = await people.taken_external_ids(tx, table=table, key=key, agency_id=agency_id, external_ids=wanted)
    seen: set[UUID] = set()
    seen_external: set[str] = set()
    receipts: list[Receipt] = []
    accepted: list[tuple[UUID, dict[str, Any]]] = []
    for line, (record_id, external_id, values) in enumerate(lines):
        code = reason = None
        if record_id in seen:
            code, reason = "named_twice", f"{record_id} is in the list before this line"
        elif external_id is not None and external_id in seen_external:
            code, reason = "external_id_taken", "the external_id is in the list before this line"
        elif external_id is not None and taken.get(external_id, record_id) != record_id:
            code, reason = "external_id_taken", f"the external_id names {taken[external_id]}"
        elif mistakes and (wrong := mistakes[line]) is not None:
            code, reason = wrong.code, f"starter/{wrong.field}: {wrong.words}"
        else:
            seen.add(record_id)
            if external_id is not None:
                seen_external.add(external_id)
            accepted.append((record_id, values))
        receipts.append(
            Receipt(
                line=line,
                record_id=record_id,
                status="accepted" if code is None else "refused",
                code=code,
                reason=reason,
            )
        )
    return receipts, accepted


def _receipts(receipts: list[Receipt]) -> Receipts:
    refused = sum(receipt.status == "refused" for receipt in receipts)
    return Receipts(accepted=len(receipts) - refused, refused=refused, receipts=receipts)


async def _profile_out(tx: TxDep, agency_id: UUID, worker_id: UUID) -> ProfileOut:
    row = await people.profile(tx, agency_id=agency_id, worker_id=worker_id)
    if row is None:
        raise not_found("pay_profile", worker_id)
    found = await facts.load(tx, [(agency_id, worker_id)])
    return _profile(row, found.workers[agency_id, worker_id], london_date(tx.now))


def _lacking(worker: Worker) -> list[str]:
    return [] if worker.profile is None else worker.profile.unsupported(orders=len(worker.orders))


def _starter(raw: dict[str, Any] | None) -> dict[str, Any] | None:
    """What `Starter.stored` made, as it was given: figures of a W1 or M1 code that are none are left out."""
    if raw is None or raw["p45"] is None:
        return raw
    given = raw["p45"]
    ignored = parse_tax_code(given["tax_code"]).non_cumulative
    p45 = {"left_on": given["left_on"], "tax_code": given["tax_code"]}
    for name in ("pay_to_date", "tax_to_date"):
        pence = given[f"{name}_pence"]
        p45[f"{name}_gbp"] = None if ignored and not pence else from_pence(pence)
    return {**raw, "p45": p45}


def _starting_tax(start: Start | None) -> dict[str, Any] | None:
    if start is None:
        return None
    return {
        "tax_code": start.tax_code,
        "reason": start.reason,
        "declaration": start.declaration,
        "previous_tax_year": start.previous_tax_year,
        "previous_pay_gbp": from_pence(start.previous_pay_pence),
        "previous_tax_gbp": from_pence(start.previous_tax_pence),
        "student_loan_plan": start.student_loan_plan,
        "postgrad_loan": start.postgrad_loan,
    }


def _profile(row: Any, worker: Worker, today: date) -> ProfileOut:
    values = _only(row, ProfileOut)
    pension = load_json(row.pension)
    values["address"] = load_json(row.address)
    values["pension"] = None
    if pension is not None:
        values["pension"] = {
            "basis": pension["basis"],
            "employee_pct": Decimal(pension["employee_bp"]).scaleb(-2),
            "employer_pct": Decimal(pension["employer_bp"]).scaleb(-2),
            "earnings": pension["earnings"],
            "sacrifice_gbp": from_pence(pension.get("sacrifice_pence", 0)),
        }
    housed = load_json(row.accommodation)
    values["accommodation"] = None if housed is None else _shown_terms(housed)
    values["payrolled_benefits"] = [_shown_terms(each) for each in load_json(row.payrolled_benefits)]
    values["starter"] = _starter(load_json(row.starter))
    values["starting_tax"] = _starting_tax(usecase.start_of(worker, today))
    values["directorship"] = None
    if row.director_method is not None:
        values["directorship"] = {
            "method": row.director_method,
            "appointed_on": row.director_appointed_on,
            "settle_on": row.director_settle_on,
        }
    return ProfileOut(**values, unsupported=_lacking(worker))


async def _payee_out(tx: TxDep, agency_id: UUID, payee_id: UUID) -> PayeeOut:
    row = await people.payee(tx, agency_id=agency_id, payee_id=payee_id)
    if row is None:
        raise not_found("payee", payee_id)
    return _payee(row)


def _payee(row: Any) -> PayeeOut:
    cis = None
    if row.cis_rate_pct is not None:
        cis = {name: getattr(row, f"cis_{name}") for name in CisVerification.model_fields}
    return PayeeOut(**{**_only(row, PayeeOut), "cis": cis, "agency_rules": load_json(row.agency_rules)})


async def _employer_out(tx: TxDep, agency_id: UUID) -> EmployerOut:
    row = await people.employer(tx, agency_id=agency_id)
    if row is None:
        raise not_found("employer", agency_id)
    return EmployerOut(**{**_only(row, EmployerOut), "address": load_json(row.address)})


def _only(row: Any, model: type[BaseModel]) -> dict[str, Any]:
    return {name: value for name, value in plain(row).items() if name in model.model_fields}
