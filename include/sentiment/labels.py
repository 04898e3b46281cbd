"""What a rating means as a label, and which probabilities are uncertain. Imports nothing: settings read it too."""

from __future__ import annotations

WEAK_NEGATIVE_TO, WEAK_POSITIVE_FROM = 2.0, 4.0
"""Ratings, in stars out of five, that stand in for a label: negative up to the first, positive from the second on,
neither between them. The published Allociné data set was labelled so."""

UNCERTAIN_LOW, UNCERTAIN_HIGH = 0.35, 0.65
"""A p_positive from the first to the second, both included, is uncertain: the default of the settings."""
Band = tuple[float, float]
"""Lowest and highest p_positive, both included, that is uncertain."""
