"""Charts as SVG without script or style, drawn on this machine from Vega-Lite specifications.

vl-convert draws one in 25 to 60 ms and takes 100 MB of the process; what it draws has attributes only, so that a policy
which forbids inline styles lets it stand. Colours are `currentColor` and tones that are seen on both backgrounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from sentiment.dashboard.formats import Translation
from sentiment.dashboard.pages import Rows

Spec = dict[str, Any]
INK, BLUE, RED, GREY = "currentColor", "#3b82c4", "#d1495b", "#8a94a0"
WIDTH = 760
CONFIG: Spec = {
    "background": None,
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK, "titleColor": INK, "domainColor": GREY, "tickColor": GREY, "gridColor": GREY,
        "gridOpacity": 0.25, "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal",
    },
    "header": {"labelColor": INK, "titleColor": INK, "labelFontSize": 12},
    "legend": {"labelColor": INK, "titleColor": INK, "labelLimit": 0},
    # Labels are a little wider in a browser than where they are measured.
    "padding": {"left": 5, "top": 5, "bottom": 5, "right": 30},
    "title": {"color": INK},
}  # fmt: skip


def positive_share(nights: Rows, tr: Translation) -> str:
    """Return the positive share of each night with its interval, and below it the number of reviews.

    A line stands where the model changed or a run replaced another.
    """
    marked = [{"night": night} for night in _changes(nights)]
    x = _nights()
    share = {"type": "quantitative", "scale": {"zero": False}, "title": tr.text("positive, %")}
    upper = {
        "width": WIDTH, "height": 220,
        "layer": [
            {"mark": {"type": "area", "color": BLUE, "opacity": 0.2},
             "encoding": {"x": x, "y": {**share, "field": "low"}, "y2": {"field": "high"}}},
            {"mark": {"type": "rule", "color": BLUE, "opacity": 0.3},
             "encoding": {"x": x, "y": {**share, "field": "low"}, "y2": {"field": "high"}}},
            {"mark": {"type": "line", "color": BLUE, "strokeWidth": 2},
             "encoding": {"x": x, "y": {**share, "field": "share"}}},
            {"mark": {"type": "point", "color": BLUE, "filled": True, "size": 24},
             "encoding": {"x": x, "y": {**share, "field": "share"}}},
            {"data": _data(marked), "mark": {"type": "rule", "color": RED, "strokeDash": [4, 3]}, "encoding": {"x": x}},
        ],
    }  # fmt: skip
    lower = {
        "width": WIDTH, "height": 60, "mark": {"type": "bar", "color": GREY, "width": 5},
        "encoding": {"x": x, "y": {"field": "n", "type": "quantitative", "title": tr.text("reviews"),
                                   "axis": {"tickCount": 2, "format": "~s"}}},
    }  # fmt: skip
    return _drawn({"data": _shares(nights), "vconcat": [upper, lower], "resolve": {"scale": {"x": "shared"}}}, tr)


def film_share(nights: Rows, tr: Translation) -> str:
    """Return the positive share of a film's fresh reviews of each night, larger where there are more."""
    x = _nights()
    y = {"type": "quantitative", "scale": {"domain": [0, 100]}, "title": tr.text("positive, %")}
    size = {"field": "n", "type": "quantitative", "legend": {"title": tr.text("reviews"), "format": "~s"}}
    layers = [
        {"mark": {"type": "rule", "color": BLUE, "opacity": 0.4},
         "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}},
        {"mark": {"type": "point", "color": BLUE, "filled": True},
         "encoding": {"x": x, "y": {**y, "field": "share"}, "size": size}},
    ]  # fmt: skip
    return _drawn({"data": _shares(nights), "width": WIDTH, "height": 200, "layer": layers}, tr)


def series(rows: Rows, tr: Translation) -> str:
    """Return a small chart for each watched series: its effect in standard errors, between the thresholds of alarm."""
    values = [
        {"night": row.night.isoformat(), "column": row.column_name, "z": row.z, "alarm": row.status == "alarm",
         "low": None if row.threshold is None else -row.threshold, "high": row.threshold}
        for row in rows
        if row.z is not None
    ]  # fmt: skip
    x = _nights(3)
    y = {"type": "quantitative", "title": tr.text("standard errors")}
    rule = {"type": "line", "color": RED, "strokeDash": [3, 3], "opacity": 0.7}
    layers = [
        {"mark": rule, "encoding": {"x": x, "y": {**y, "field": "low"}}},
        {"mark": rule, "encoding": {"x": x, "y": {**y, "field": "high"}}},
        {"mark": {"type": "line", "color": BLUE}, "encoding": {"x": x, "y": {**y, "field": "z"}}},
        {"transform": [{"filter": "datum.alarm"}], "mark": {"type": "point", "color": RED, "filled": True},
         "encoding": {"x": x, "y": {**y, "field": "z"}}},
    ]  # fmt: skip
    facet = {"field": "column", "type": "nominal", "title": None}
    spec = {"data": _data(values), "facet": facet, "columns": 3, "spec": {"width": 215, "height": 90, "layer": layers}}
    return _drawn(spec, tr)


def refused(rows: Rows, tr: Translation) -> str:
    """Return the refused records of each night, stacked by rule."""
    values = [{"night": row.night.isoformat(), "rule": row.rule_name, "n": row.n_records} for row in rows]
    encoding = {
        "x": _nights(),
        "y": {"field": "n", "type": "quantitative", "title": tr.text("records"), "axis": {"format": "~s"}},
        "color": {"field": "rule", "type": "nominal", "title": tr.text("rule"), "scale": {"scheme": "tableau10"}},
    }
    return _drawn(
        {
            "data": _data(values),
            "width": WIDTH - 160,
            "height": 180,
            "mark": {"type": "bar", "width": 5},
            "encoding": encoding,
        },
        tr,
    )


def _nights(n_ticks: int = 8) -> Spec:
    """Return the axis of nights; in UTC, since nights are days, whatever the machine's zone."""
    axis = {"format": "%d %b", "tickCount": n_ticks}
    return {"field": "night", "type": "temporal", "title": None, "axis": axis, "scale": {"type": "utc"}}


def _shares(nights: Rows) -> Spec:
    """Return the data of nights with a positive share and its interval, in percent."""
    return _data(
        [
            {
                "night": row.night.isoformat(), "share": _percent(row.share_positive),
                "low": _percent(row.share_positive_low), "high": _percent(row.share_positive_high), "n": row.n_reviews,
            }
            for row in nights
        ]
    )  # fmt: skip


def _changes(nights: Rows) -> list[str]:
    """Return the nights on which the model was another than the night before, or a run replaced another."""
    changed = [b.night.isoformat() for a, b in pairwise(nights) if a.model_id != b.model_id]
    return changed + [row.night.isoformat() for row in nights if row.is_superseding]


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _data(values: Sequence[Spec]) -> Spec:
    return {"values": list(values), "format": {"parse": {"night": "utc:'%Y-%m-%d'"}}}


def _drawn(spec: Spec, tr: Translation) -> str:
    """Return the SVG of a specification; nothing of one without data."""
    # Imported here: the pages that have no chart do without its 100 MB.
    import vl_convert

    if not spec["data"]["values"]:
        return ""
    drawn: str = vl_convert.vegalite_to_svg(
        {**spec, "config": CONFIG},
        allowed_base_urls=[],
        time_format_locale="fr-FR" if tr.language == "fr" else "en-GB",
        format_locale="fr-FR" if tr.language == "fr" else "en-GB",
    )
    return drawn
