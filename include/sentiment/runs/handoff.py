"""What one step of a run leaves for the steps after it, as it is stored in `sentiment.run_step.detail`.

Each model is named after what it holds. Its JSON keys, given here as aliases, are those of the rows that earlier
versions stored, so that a run begun by one version is finished by the next; keys that a model doesn't know are left
alone. A model is stored while its attempt works and when the attempt fails, with the fields that were set by then:
fields that are only known late have a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sentiment.errors import InfrastructureError
from sentiment.labels import Band
from sentiment.runs.model import IdentityRule, Layout, Reading
from sentiment.workspace import Part


class Handoff(BaseModel):
    """Base of the models: they are read by alias or name, written by alias, and ignore keys of other versions."""

    model_config = ConfigDict(populate_by_name=True, extra="ignore")

    def stored(self) -> dict[str, Any]:
        """Return the fields that were set, as JSON values by their stored keys."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class DumpColumns(Handoff):
    """The columns of a dump, over all its files."""

    columns: list[str]
    """Names as the files write them, in order of their first appearance."""
    mapped: dict[str, str]
    """Column of the contract -> the dump's column that it is read from."""


class ReceivedDump(Handoff):
    """A received dump, how its records are to be read, and what was asked of its night."""

    layouts: list[Layout] = []
    """One for each file, by `file_no`."""
    profile: dict[str, Any] = {}
    """Fields of the source profile (`dump.profiles.Profile`) that fits the dump."""
    received_key: str | None = Field(None, alias="received")
    """Key of the records in the part `received`; None in rows of versions that cut records otherwise."""
    manifest_night: date | None = None
    """The night that a manifest beside the files names."""
    allow: list[str] = []
    """Names of batch checks that the night is allowed to fail, sorted."""
    reading: Reading = Field(Reading(), alias="asked")
    """How whoever ran the night wanted the dump to be read."""
    sentences: bool = False
    """Whether sentences are scored too."""
    identity: IdentityRule | None = None
    """What makes two records the same review; None in rows of versions that knew no rule."""
    labels: dict[str, list[str]] | None = None
    """Words of labels that the source's first night fixed, as `dump.labels.inferred` returns them; None before it."""
    dump_columns: DumpColumns | None = Field(None, alias="schema")
    schema_changes: list[str] = Field([], alias="told")
    """Differences from the columns of the night before, each for people."""
    record_bounds: tuple[int | None, int | None] = Field((None, None), alias="bounds")
    """Fewest and most records that recent nights let expect; None where those are too few."""
    allowed: list[str] = []
    """Batch checks that failed and were allowed, each with what is wrong."""

    @property
    def records_key(self) -> str:
        """Key of the part `received`; InfrastructureError where the row names none."""
        if self.received_key is None:
            raise InfrastructureError(
                "An earlier version received this dump and cut its records otherwise.",
                "clear the task `ingest` in Airflow, so that this version receives it again",
            )
        return self.received_key


class JudgedNight(Handoff):
    """How the night's records fared by the rule table and as a batch."""

    rules: list[str] = []
    """Names of the refusing rules of that night's table, in order."""
    reasons: dict[str, int] = {}
    """Refusing rule -> records that failed it; rules that none failed are left out."""
    unread: dict[str, int] = {}
    """Rule of an optional column -> values of records that are not refused that can't be read by it."""
    flagged: dict[str, int] = {}
    """Rule that only warns -> records that are not refused and fail it."""
    optional_values: dict[str, int] = {}
    """Optional column -> records that are not refused and have a value of it, readable or not."""
    n_numbered: int = 0
    """Records that only their number among equal ones identifies."""
    n_unnamed: int = 0
    """Accepted records with neither id nor item, author or date: by the first rule their position identifies them."""
    labels: dict[str, list[str]] = {}
    """Words of labels by which the night is read, where they differ from the profile's (`dump.labels.inferred`)."""
    languages: dict[str, int] = {}
    """Predicted language -> records; records without a prediction are left out."""
    data_docs: str | None = None
    """Path of Great Expectations' page about the night."""
    expectations_met: bool | None = Field(None, alias="gx_success")
    expectations_failed: list[str] = Field([], alias="gx_failed")
    """Rules whose expectation failed."""
    allowed: list[str] = []
    """Batch checks that failed and were allowed, each with what is wrong."""


class CanaryPrediction(BaseModel):
    """What the network predicts of one bundled sentence."""

    model_config = ConfigDict(frozen=True)

    sentence_no: int
    label: str
    score: float
    """Probability of `label`, 0 to 1."""


class ScoredPart(Handoff):
    """The committed part `scored`, which publishing must find in staging."""

    novelty_base_run: str | None = Field(None, alias="baseline")
    """The source's newest publication when novelty was decided; None where there was none."""
    scored: Part | None = None
    """None until the part is committed."""
    uncertain_band: Band | None = None
    """Band by which the profile counts `uncertain`; None in rows of versions that counted by 0.35 to 0.65."""

    def part(self) -> Part:
        """Return the part; raise InfrastructureError where an attempt finished without one."""
        if self.scored is None:
            raise InfrastructureError("The finished attempt names no scored part.", "clear the task `score` in Airflow")
        return self.scored


class ScoredNight(ScoredPart):
    """The night's scores, and the canary predictions of the same network in the same session."""

    canary: list[CanaryPrediction] = []
    n_read_anew: int = 0
    """Known reviews of which other columns than the text are read otherwise than by the version of then."""


class RescoredNight(ScoredPart):
    """A published night's scores by another model; the canary is compared in the same attempt."""

    canary: str | None = None
    """How the canary predictions compare with the first ones, for people."""
    n_unstored_versions: int = Field(0, alias="versions_not_kept")
    """Reviews that are left out, because the version that the night had is no longer stored."""


class ComparedCanary(Handoff):
    """How the canary predictions compare with the first ones of this model."""

    canary: str


class TrackedDrift(Handoff):
    """Drift statuses of the night."""

    statuses: dict[str, int]
    """Status, as `drift.v_drift` has it -> compared series."""


class Report(Handoff):
    """The night in one paragraph."""

    text: str = Field(alias="words")


Model = TypeVar("Model", bound=Handoff)


def load(model: type[Model], stored: Mapping[str, Any], origin: str) -> Model:
    """Return a stored row's model; raise InfrastructureError, naming `origin`, where the row doesn't fit it."""
    try:
        return model.model_validate(stored)
    except ValidationError as error:
        first = error.errors()[0]
        raise InfrastructureError(
            f"What {origin} stored can't be read as {model.__name__}: {'.'.join(map(str, first['loc']))}: "
            f"{first['msg']}.",
            "clear that task in Airflow, so that this version writes the row anew",
        ) from error
