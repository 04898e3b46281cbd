"""Charts as SVG without script or style, drawn on this machine from Vega-Lite specifications.

vl-convert draws one in 25 to 60 ms and takes 100 MB of the process; what it draws has attributes only, so that a policy
which forbids inline styles lets it stand. Colours are `currentColor` and tones that are seen on both backgrounds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

from sentiment.dashboard.evidence import BinShare
from sentiment.dashboard.formats import Translation
from sentiment.dashboard.pages import Bin
from sentiment.dashboard.reading import Rows

Spec = dict[str, Any]
INK, BLUE, RED, GREY, AMBER = "currentColor", "#3b82c4", "#d1495b", "#8a94a0", "#c98a1b"
MARKS = {
    "model": ("another model", RED), "reference": ("another reference", "#7b5ea7"), "rules": ("other rules", AMBER),
    "profile": ("another source profile", "#2a9d8f"), "superseded": ("a replaced night", GREY),
}  # fmt: skip
"""Kind of a mark (`marks.sql`) -> its name in the legend, and its colour."""
WIDTH, REFUSED_WIDTH, CALIBRATION_WIDTH, FACET_WIDTH, BAR_WIDTH = 760, 600, 320, 215, 5
FACETS = 3
NARROW = {
    "width": {WIDTH: 205, REFUSED_WIDTH: 205, CALIBRATION_WIDTH: 215, FACET_WIDTH: 95, BAR_WIDTH: 2},
    "columns": {FACETS: 2},
}
"""Property -> its value on a wide screen -> that on a telephone, where Airflow's frame leaves a chart 298 pixels."""
COUNT: Spec = {"format": "~s", "tickMinStep": 1, "labelExpr": "datum.value % 1 ? '' : datum.label"}
"""How numbers of reviews or records stand at an axis: there is no half one."""
ABOUT: Spec = {"field": "about"}
"""What a mark stands for, as text: its `aria-label`, which `page.js` shows."""
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


def positive_share(nights: Rows, marks: Rows, tr: Translation) -> str:
    """Return the positive share of each night with its interval, and below it the number of reviews.

    A dashed line stands where something else than the reviews is new, coloured by what (`marks.sql`).
    """
    x = _nights()
    share = {"type": "quantitative", "scale": {"zero": False}, "title": tr.text("positive, %")}
    kinds = {kind: tr.text(MARKS[kind][0]) for kind in MARKS if any(row.kind == kind for row in marks)}
    colours = [MARKS[kind][1] for kind in kinds]
    marked = [{"night": row.night.isoformat(), "kind": kinds[row.kind]} for row in marks]
    colour = {
        "field": "kind", "type": "nominal", "scale": {"domain": list(kinds.values()), "range": colours},
        "legend": {"title": tr.text("new from this night on"), "orient": "bottom", "symbolType": "stroke"},
    }  # fmt: skip
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
             "encoding": {"x": x, "y": {**share, "field": "share"}, "description": ABOUT}},
            *([{"data": _data(marked), "mark": {"type": "rule", "strokeDash": [4, 3], "strokeWidth": 1.5},
                "encoding": {"x": x, "color": colour}}] if marked else []),
        ],
    }  # fmt: skip
    lower = {
        "width": WIDTH, "height": 60, "mark": {"type": "bar", "color": GREY, "width": BAR_WIDTH},
        "encoding": {"x": x, "y": {"field": "n", "type": "quantitative", "title": tr.text("reviews"),
                                   "axis": {"tickCount": 2, **COUNT}}},
    }  # fmt: skip
    return _drawn({"data": _shares(nights, tr), "vconcat": [upper, lower], "resolve": {"scale": {"x": "shared"}}}, tr)


def film_share(nights: Rows, tr: Translation) -> str:
    """Return the positive share of a film's fresh reviews of each night, larger where there are more."""
    x = _nights()
    y = {"type": "quantitative", "scale": {"domain": [0, 100]}, "title": tr.text("positive, %")}
    size = {"field": "n", "type": "quantitative", "legend": _counts([row.n_reviews for row in nights], tr)}
    layers = [
        {"mark": {"type": "rule", "color": BLUE, "opacity": 0.4},
         "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}},
        {"mark": {"type": "point", "color": BLUE, "filled": True},
         "encoding": {"x": x, "y": {**y, "field": "share"}, "size": size, "description": ABOUT}},
    ]  # fmt: skip
    return _drawn({"data": _shares(nights, tr), "width": WIDTH, "height": 200, "layer": layers}, tr)


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
        # Hidden from screen readers, who have the table: a facet without an alarm would be a picture without a text.
        {"transform": [{"filter": "datum.alarm"}],
         "mark": {"type": "point", "color": RED, "filled": True, "aria": False},
         "encoding": {"x": x, "y": {**y, "field": "z"}}},
    ]  # fmt: skip
    facet = {"field": "column", "type": "nominal", "title": None}
    small = {"width": FACET_WIDTH, "height": 90, "layer": layers}
    return _drawn({"data": _data(values), "facet": facet, "columns": FACETS, "spec": small}, tr)


def one_series(nights: Rows, tr: Translation) -> str:
    """Return one watched series: its effect in standard errors between the thresholds, and below it the two sums."""
    values = [
        {"night": row.night.isoformat(), "z": row.z, "alarm": row.status in ("alarm", "acknowledged"),
         "low": None if row.threshold is None else -row.threshold, "high": row.threshold,
         "rises": row.cusum_high, "falls": row.cusum_low, "limit": row.cusum_threshold,
         "about": tr.text("{day}: {z} standard errors; summed up {rises} of rises, {falls} of falls",
                          day=tr.day(row.night), z=tr.decimal(row.z), rises=tr.decimal(row.cusum_high),
                          falls=tr.decimal(row.cusum_low))}
        for row in nights if row.z is not None
    ]  # fmt: skip
    x, unit = _nights(), tr.text("standard errors")
    y, sums = {"type": "quantitative", "title": unit}, {"type": "quantitative", "title": tr.text("summed up")}
    rule = {"type": "line", "color": RED, "strokeDash": [3, 3], "opacity": 0.7}
    names = {"rises": tr.text("rises"), "falls": tr.text("falls")}
    upper = {"width": WIDTH, "height": 150, "layer": [
        {"mark": rule, "encoding": {"x": x, "y": {**y, "field": "low"}}},
        {"mark": rule, "encoding": {"x": x, "y": {**y, "field": "high"}}},
        {"mark": {"type": "line", "color": BLUE}, "encoding": {"x": x, "y": {**y, "field": "z"}}},
        {"mark": {"type": "point", "filled": True},
         "encoding": {"x": x, "y": {**y, "field": "z"}, "description": ABOUT, "color": {
             "condition": {"test": "datum.alarm", "value": RED}, "value": BLUE},
             "size": {"condition": {"test": "datum.alarm", "value": 30}, "value": 10}}},
    ]}  # fmt: skip
    lower = {"width": WIDTH, "height": 90, "layer": [
        {"mark": rule, "encoding": {"x": x, "y": {**sums, "field": "limit"}}},
        *({"transform": [{"calculate": f"'{label}'", "as": "side"}], "mark": "line",
           "encoding": {"x": x, "y": {**sums, "field": name}, "color": {
               "field": "side", "type": "nominal", "scale": {"domain": list(names.values()), "range": [BLUE, AMBER]},
               "legend": {"title": None, "orient": "bottom"}}}}
          for name, label in names.items()),
    ]}  # fmt: skip
    return _drawn({"data": _data(values), "vconcat": [upper, lower], "resolve": {"scale": {"x": "shared"}}}, tr)


def distribution(bins: Sequence[BinShare], tr: Translation) -> str:
    """Return the share of values in each bin, of the reference beside that of now."""
    then, now = tr.text("reference"), tr.text("now")
    angle = 0 if len(bins) < 5 else -30
    labels = [tr.text(bin_share.label) if bin_share.label in ("yes", "no") else bin_share.label for bin_share in bins]
    values = [
        {"bin": label, "order": order, "when": when, "share": 100 * share,
         "about": f"{label}, {when}: {tr.percent(share)}"}
        for order, (label, bin_share) in enumerate(zip(labels, bins, strict=True))
        for when, share in ((then, bin_share.then), (now, bin_share.now))
    ]  # fmt: skip
    encoding = {
        "x": {"field": "bin", "type": "nominal", "sort": labels, "title": None, "axis": {"labelAngle": angle}},
        "xOffset": {"field": "when", "sort": [then, now]},
        "y": {"field": "share", "type": "quantitative", "title": tr.text("share of reviews, %")},
        "color": {"field": "when", "type": "nominal", "sort": [then, now], "title": None,
                  "scale": {"domain": [then, now], "range": [GREY, BLUE]}, "legend": {"orient": "bottom"}},
        "description": ABOUT,
    }  # fmt: skip
    return _drawn({"data": {"values": values}, "width": WIDTH, "height": 180, "mark": "bar", "encoding": encoding}, tr)


def calibration(bins: Sequence[Bin], tr: Translation) -> str:
    """Return the share of truly positive reviews at each predicted probability, beside the line of equal ones."""
    values = [
        {"predicted": 100 * b.predicted, "share": 100 * b.n_positive / b.n, "n": b.n,
         "about": tr.text("predicted {predicted}: {share} of {n} reviews positive", predicted=tr.percent(b.predicted),
                          share=tr.percent(b.n_positive / b.n), n=tr.number(b.n))}
        for b in bins
    ]  # fmt: skip
    percent = {"type": "quantitative", "scale": {"domain": [0, 100]}}
    x = {**percent, "field": "predicted", "title": tr.text("predicted probability of a positive review, %")}
    y = {**percent, "field": "share", "title": tr.text("positive by label or rating, %")}
    size = {"field": "n", "type": "quantitative", "legend": _counts([b.n for b in bins], tr)}
    layers = [
        {"data": {"values": [{"predicted": 0, "share": 0}, {"predicted": 100, "share": 100}]},
         "mark": {"type": "line", "color": GREY, "strokeDash": [4, 3]}, "encoding": {"x": x, "y": y}},
        {"mark": {"type": "line", "color": BLUE, "opacity": 0.4}, "encoding": {"x": x, "y": y}},
        {"mark": {"type": "point", "color": BLUE, "filled": True},
         "encoding": {"x": x, "y": y, "size": size, "description": ABOUT}},
    ]  # fmt: skip
    return _drawn({"data": {"values": values}, "width": CALIBRATION_WIDTH, "height": 280, "layer": layers}, tr)


def ratings(rows: Rows, tr: Translation) -> str:
    """Return the positive share of a film's reviews at each rating, with its number of reviews."""
    values = [
        {"rating": float(r.rating), "share": 100 * r.n_positive / r.n_reviews, "n": r.n_reviews,
         "about": tr.text("rating {rating}: {share} of {n} reviews positive", rating=tr.number(r.rating),
                          share=tr.percent(r.n_positive / r.n_reviews), n=tr.number(r.n_reviews))}
        for r in rows
    ]  # fmt: skip
    encoding = {
        "x": {"field": "rating", "type": "ordinal", "title": tr.text("rating, of 5"), "axis": {"labelAngle": 0}},
        "y": {"field": "share", "type": "quantitative", "scale": {"domain": [0, 100]}, "title": tr.text("positive, %")},
        "opacity": {"field": "n", "type": "quantitative", "legend": _counts([r.n_reviews for r in rows], tr)},
        "description": ABOUT,
    }
    mark = {"type": "bar", "color": BLUE}
    return _drawn({"data": {"values": values}, "width": WIDTH, "height": 140, "mark": mark, "encoding": encoding}, tr)


def refused(rows: Rows, tr: Translation) -> str:
    """Return the refused records of each night, stacked by rule."""
    values = [
        {"night": row.night.isoformat(), "rule": row.rule_name, "n": row.n_records,
         "about": f"{tr.day(row.night)}, {row.rule_name}: {tr.number(row.n_records)}"}
        for row in rows
    ]  # fmt: skip
    encoding = {
        "x": _nights(),
        "y": {"field": "n", "type": "quantitative", "title": tr.text("records"), "axis": COUNT},
        "color": {"field": "rule", "type": "nominal", "title": tr.text("rule"), "scale": {"scheme": "tableau10"}},
        "description": ABOUT,
    }
    mark = {"type": "bar", "width": BAR_WIDTH}
    return _drawn(
        {"data": _data(values), "width": REFUSED_WIDTH, "height": 180, "mark": mark, "encoding": encoding}, tr
    )


def _nights(n_ticks: int = 8) -> Spec:
    """Return the axis of nights; in UTC, since nights are days, whatever the machine's zone."""
    axis = {"format": "%d %b", "tickCount": n_ticks, "labelOverlap": True, "labelSeparation": 14}
    return {"field": "night", "type": "temporal", "title": None, "axis": axis, "scale": {"type": "utc"}}


def _shares(nights: Rows, tr: Translation) -> Spec:
    """Return the data of nights with a positive share and its interval, in percent."""
    return _data(
        [
            {
                "night": row.night.isoformat(), "share": _percent(row.share_positive),
                "low": _percent(row.share_positive_low), "high": _percent(row.share_positive_high), "n": row.n_reviews,
                "about": tr.text(
                    "{day}: {share} of {n} reviews positive, between {low} and {high}", day=tr.day(row.night),
                    share=tr.percent(row.share_positive), n=tr.number(row.n_reviews),
                    low=tr.percent(row.share_positive_low), high=tr.percent(row.share_positive_high),
                ),
            }
            for row in nights
        ]
    )  # fmt: skip


def _counts(counts: Sequence[int], tr: Translation) -> Spec:
    """Return the legend of numbers of reviews; of few, those that there are, since Vega would name halves."""
    own = {"values": sorted(set(counts))} if max(counts, default=0) <= 5 else {}
    return {"title": tr.text("reviews"), "format": "~s", **own}


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _data(values: Sequence[Spec]) -> Spec:
    return {"values": list(values), "format": {"parse": {"night": "utc:'%Y-%m-%d'"}}}


def _drawn(spec: Spec, tr: Translation) -> str:
    """Return the chart of a specification for wide and for narrow screens; nothing of one without data."""
    if not spec["data"]["values"]:
        return ""
    below = {**CONFIG["legend"], "orient": "bottom", "columns": 2}
    narrow = {**_narrowed(spec), "config": CONFIG | {"legend": below}}
    drawings = {"wide": {**spec, "config": CONFIG}, "narrow": narrow}
    return "".join(f'<div class="{n}">{_svg(json.dumps(of), tr.language)}</div>' for n, of in drawings.items())


def _narrowed(part: Any) -> Any:
    if isinstance(part, list):
        return [_narrowed(one) for one in part]
    if not isinstance(part, dict):
        return part
    return {name: NARROW[name][own] if name in NARROW else _narrowed(own) for name, own in part.items()}


@lru_cache(maxsize=128)
def _svg(spec: str, language: str) -> str:
    """Return the SVG of a specification in JSON: of the same data once, however many visitors look at it."""
    # Imported here: the pages that have no chart do without its 100 MB.
    import vl_convert

    locale: Literal["fr-FR", "en-GB"] = "fr-FR" if language == "fr" else "en-GB"
    drawn: str = vl_convert.vegalite_to_svg(
        json.loads(spec), allowed_base_urls=[], time_format_locale=locale, format_locale=locale
    )
    return drawn
