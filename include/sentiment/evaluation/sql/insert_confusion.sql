-- Insert one field of an evaluation's confusion matrix.
INSERT INTO sentiment.evaluation_confusion (evaluation_id, label, predicted, n)
VALUES (:evaluation_id, :label, :predicted, :n)
