"""How good a model is: labelled sets, the card's classification report, intervals, calibration, paired comparison."""
