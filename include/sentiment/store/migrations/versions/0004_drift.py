"""Drift that can be believed: states, references by budget, alarms with sentences, estimates, weeks and months."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in (*METRICS, *TABLES, *_views(), *GRANTS):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("alarms and their reasons would be lost: restore a backup instead")


def _table(name: str, comment: str, columns: dict[str, tuple[str, str]], *constraints: str) -> list[str]:
    body = ", ".join([*(f"{column} {kind}" for column, (kind, _) in columns.items()), *constraints])
    said = [f"CREATE TABLE {name} ({body})", f"COMMENT ON TABLE {name} IS '{comment}'"]
    return [*said, *(f"COMMENT ON COLUMN {name}.{column} IS '{text}'" for column, (_, text) in columns.items())]


STATE = {
    "low_effect": ("double precision", "sum of n times effect since cusum_low left zero"),
    "low_n": ("double precision", "sum of n since cusum_low left zero"),
    "low_since": ("date", "the night on which cusum_low left zero"),
    "high_effect": ("double precision", "sum of n times effect since cusum_high left zero"),
    "high_n": ("double precision", "sum of n since cusum_high left zero"),
    "high_since": ("date", "the night on which cusum_high left zero"),
    "alarm_side": ("smallint", "open alarm after this night: -1 fallen, 1 risen, 0 none"),
    "alarm_opened": ("date", "the night that opened it"),
    "cusum_threshold": ("double precision", "cumulated sum that alarms"),
}

METRICS = [
    *(f"ALTER TABLE drift.drift_metrics ADD COLUMN {column} {kind}" for column, (kind, _) in STATE.items()),
    *(f"COMMENT ON COLUMN drift.drift_metrics.{column} IS '{text}'" for column, (_, text) in STATE.items()),
    "COMMENT ON COLUMN drift.drift_metrics.threshold IS 'z of one night that alarms'",
    "COMMENT ON COLUMN drift.drift_metrics.effect IS 'difference in the column''s own unit, weekday-adjusted; "
    "while an alarm is open, mean over its nights'",
    "COMMENT ON COLUMN drift.drift_metrics.status IS 'ok, watch, alarm, acknowledged or insufficient_data'",
    "ALTER TABLE drift.drift_metrics DROP CONSTRAINT drift_metrics_status",
    "ALTER TABLE drift.drift_metrics ADD CONSTRAINT drift_metrics_status "
    "CHECK (status IN ('ok', 'watch', 'alarm', 'acknowledged', 'insufficient_data')) NOT VALID",
    "COMMENT ON COLUMN drift.reference.frozen IS "
    "'the null model of every series, thresholds, films with a slice, edges, calibrator, budget, nights left out'",
]

TABLES = [
    *_table(
        "drift.alarm",
        "Alarms: each opens once, is followed while it lasts, and closes",
        {
            "alarm_id": ("text PRIMARY KEY", "hash of series, reference and the night that opened it"),
            "source": ("text NOT NULL", "where the reviews come from"),
            "model_id": ("text NOT NULL", "the model"),
            "reference_id": ("text NOT NULL", "the reference it was told against"),
            "slice_key": ("text NOT NULL", "what the slice is cut by; all for the whole night"),
            "slice_value": ("text NOT NULL", "which slice"),
            "column_name": ("text NOT NULL", "the watched column"),
            "side": ("smallint NOT NULL", "-1 fallen, 1 risen"),
            "channel": ("text NOT NULL", "shewhart: one night broke; cusum: it crept"),
            "began": ("date NOT NULL", "the night the change most likely began"),
            "opened": ("date NOT NULL", "the night that opened it"),
            "last_night": ("date NOT NULL", "the last night it was followed"),
            "closed": ("date", "the night that closed it; null while open"),
            "n_nights": ("integer NOT NULL", "judged nights it was followed"),
            "effect": ("double precision NOT NULL", "mean difference since it began, in the column''s unit"),
            "sentence": ("text NOT NULL", "what happened, for a person"),
            "withdrawn_at": ("timestamptz", "when a replay found that it never was; null: it stands"),
            "run_id": ("text NOT NULL", "the run or replay that wrote it last"),
        },
        "CONSTRAINT alarm_side CHECK (side IN (-1, 1))",
        "CONSTRAINT alarm_channel CHECK (channel IN ('shewhart', 'cusum'))",
    ),
    "CREATE INDEX alarm_open ON drift.alarm (source, model_id, reference_id, last_night)",
    *_table(
        "drift.acknowledgement",
        "Alarms a person has taken note of, and why; replays keep them",
        {
            "source": ("text NOT NULL", "where the reviews come from"),
            "model_id": ("text NOT NULL", "the model"),
            "slice_key": ("text NOT NULL", "what the slice is cut by"),
            "slice_value": ("text NOT NULL", "which slice"),
            "column_name": ("text NOT NULL", "the watched column"),
            "night": ("date NOT NULL", "from this night on, as long as the alarm that was open then lasts"),
            "reason": ("text NOT NULL", "why, in words"),
            "acknowledged_by": ("text NOT NULL", "who"),
            "acknowledged_at": ("timestamptz NOT NULL DEFAULT now()", "when"),
        },
        "PRIMARY KEY (source, model_id, slice_key, slice_value, column_name, night)",
        "CONSTRAINT acknowledgement_reason CHECK (btrim(reason) <> '')",
    ),
    *_table(
        "drift.performance",
        "Accuracy and F1 each night: estimated from calibrated scores, and realised where labels or ratings exist",
        {
            "night": ("date NOT NULL", "the night"),
            "source": ("text NOT NULL", "where the reviews come from"),
            "model_id": ("text NOT NULL", "the model"),
            "reference_id": ("text NOT NULL", "the reference whose calibrator was used; empty for none"),
            "n_scored": ("bigint NOT NULL", "fresh reviews"),
            "estimated_accuracy": ("double precision", "confidence-based estimate; blind to concept drift"),
            "estimated_accuracy_error": ("double precision", "its standard error"),
            "estimated_f1": ("double precision", "the same of F1 of the positive label"),
            "estimated_f1_error": ("double precision", "its standard error"),
            "n_labelled": ("bigint NOT NULL", "of these, with a polarity, or a rating of at most 2 or at least 4"),
            "realised_accuracy": ("double precision", "share of them labelled as the model says"),
            "realised_accuracy_error": ("double precision", "its standard error"),
            "realised_f1": ("double precision", "F1 of the positive label on them"),
            "realised_f1_error": ("double precision", "its standard error"),
            "run_id": ("text NOT NULL", "the run or replay that wrote it"),
        },
        "PRIMARY KEY (night, source, model_id)",
    ),
]

SUMMED = """
SELECT p.{window} AS {window}, p.source, p.model_id, p.slice_key, p.slice_value, p.column_name, p.edges_id,
  count(*) AS n_nights, sum(p.n)::bigint AS n, sum(p.n_null)::bigint AS n_null,
  sum(coalesce(p.avg, 0) * (p.n - p.n_null)) / nullif(sum(p.n - p.n_null), 0) AS avg,
  (SELECT array_agg(total ORDER BY bin) FROM (
    SELECT b.bin, sum(b.n)::bigint AS total FROM (
      SELECT unnest(q.bin_counts) AS n, generate_subscripts(q.bin_counts, 1) AS bin
      FROM drift.profile_metrics q
      WHERE date_trunc('{unit}', q.night)::date = p.{window} AND q.source = p.source AND q.model_id = p.model_id
        AND q.slice_key = p.slice_key AND q.slice_value = p.slice_value AND q.column_name = p.column_name
        AND q.edges_id = p.edges_id) AS b GROUP BY b.bin) AS added) AS bin_counts
FROM (SELECT date_trunc('{unit}', night)::date AS {window}, m.* FROM drift.profile_metrics m) AS p
GROUP BY 1, 2, 3, 4, 5, 6, 7"""

SERIES = {
    "source": "where the reviews come from",
    "model_id": "the model",
    "slice_key": "what the slice is cut by",
    "slice_value": "which slice",
    "column_name": "the watched column",
}
SUMS = {
    "edges_id": "the bin edges that were counted on",
    "n_nights": "nights in it",
    "n": "fresh reviews",
    "n_null": "of these, without a value",
    "avg": "mean",
    "bin_counts": "null, underflow, the bins, overflow or unseen, added up",
}

VIEWS = {
    "drift.v_profile_week": (
        "Profiles added up over weeks that begin on Monday",
        {"week": "its Monday", **SERIES, **SUMS},
        SUMMED.format(window="week", unit="week"),
    ),
    "drift.v_profile_month": (
        "Profiles added up over months",
        {"month": "its first day", **SERIES, **SUMS},
        SUMMED.format(window="month", unit="month"),
    ),
    "drift.v_drift": (
        "The current state of every comparison: the highest revision",
        {
            "night": "the night",
            **SERIES,
            "drift_type": "BASELINE or CONSECUTIVE",
            "reference_id": "the reference, or the night compared with",
            "n": "fresh reviews that night",
            "effect": "difference in the column''s own unit",
            "z": "effect in standard errors, clustered by film",
            "status": "ok, watch, alarm, acknowledged or insufficient_data",
            "cusum_low": "downward cumulated sum",
            "cusum_high": "upward cumulated sum",
            "threshold": "z of one night that alarms",
            "cusum_threshold": "cumulated sum that alarms",
            "effect_floor": "smallest effect that may alarm",
            "avg_delta": "mean less the reference''s",
            "percent_null_delta": "points of nulls more than the reference, 0 to 100",
            "js_distance": "Jensen-Shannon distance in base 2, 0 to 1",
            "ks_statistic": "largest distance of the cumulated bins, 0 to 1",
            "population_stability_index": "PSI with half a count added to every bin",
            "wasserstein_distance": "in the column''s unit, on bin middles",
            "chi_squared_statistic": "Pearson''s, on the bins",
        },
        """
SELECT DISTINCT ON (night, granularity, source, model_id, slice_key, slice_value, column_name, drift_type)
  night, source, model_id, slice_key, slice_value, column_name, drift_type, reference_id, n, effect, z, status,
  cusum_low, cusum_high, threshold, cusum_threshold, effect_floor, avg_delta, percent_null_delta, js_distance,
  ks_statistic, population_stability_index, wasserstein_distance, chi_squared_statistic
FROM drift.drift_metrics
ORDER BY night, granularity, source, model_id, slice_key, slice_value, column_name, drift_type, revision DESC""",
    ),
    "drift.v_alarm": (
        "Alarms that stand, with their sentences; open ones have no closing night",
        {
            "alarm_id": "the alarm",
            **SERIES,
            "reference_id": "the reference it was told against",
            "status": "alarm, acknowledged or closed",
            "channel": "shewhart: one night broke; cusum: it crept",
            "began": "the night the change most likely began",
            "opened": "the night that opened it",
            "last_night": "the last night it was followed",
            "closed": "the night that closed it",
            "n_nights": "judged nights it was followed",
            "effect": "mean difference since it began, in the column''s unit",
            "sentence": "what happened, for a person",
            "reason": "why it was acknowledged",
            "acknowledged_by": "who acknowledged it",
        },
        """
SELECT a.alarm_id, a.source, a.model_id, a.slice_key, a.slice_value, a.column_name, a.reference_id,
  CASE WHEN a.closed IS NOT NULL THEN 'closed' WHEN k.reason IS NOT NULL THEN 'acknowledged' ELSE 'alarm' END AS status,
  a.channel, a.began, a.opened, a.last_night, a.closed, a.n_nights, a.effect, a.sentence, k.reason, k.acknowledged_by
FROM drift.alarm a LEFT JOIN LATERAL (
  SELECT reason, acknowledged_by FROM drift.acknowledgement k
  WHERE k.source = a.source AND k.model_id = a.model_id AND k.slice_key = a.slice_key
    AND k.slice_value = a.slice_value AND k.column_name = a.column_name
    AND k.night BETWEEN a.opened AND a.last_night ORDER BY k.night LIMIT 1) k ON true
WHERE a.withdrawn_at IS NULL""",
    ),
}

GRANTS = [
    "GRANT SELECT, INSERT, UPDATE, DELETE ON drift.alarm, drift.acknowledgement, drift.performance TO sentiment_writer",
    "GRANT SELECT ON drift.v_drift, drift.v_alarm, drift.v_profile_week, drift.v_profile_month TO sentiment_writer",
    "GRANT SELECT ON drift.alarm, drift.acknowledgement, drift.performance, drift.v_drift, drift.v_alarm, "
    "drift.v_profile_week, drift.v_profile_month TO sentiment_reader",
]


def _views() -> list[str]:
    said = ["DROP VIEW drift.v_drift"]
    for view, (comment, columns, query) in VIEWS.items():
        said += [f"CREATE VIEW {view} AS {query}", f"COMMENT ON VIEW {view} IS '{comment}'"]
        said += [f"COMMENT ON COLUMN {view}.{column} IS '{text}'" for column, text in columns.items()]
    return said
