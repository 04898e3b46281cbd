-- Insert the paired comparison of two stored evaluations of the same labelled set.
INSERT INTO sentiment.evaluation_comparison (
  first_id, second_id, n, only_first_right, only_second_right, p_value, difference, difference_low, difference_high)
VALUES (
  :first_id, :second_id, :n, :only_first_right, :only_second_right, :p_value, :difference, :difference_low,
  :difference_high)
