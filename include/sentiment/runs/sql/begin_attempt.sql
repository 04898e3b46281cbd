-- Insert an attempt of a step and draw its fencing token.
INSERT INTO sentiment.run_step (run_id, step, token, state)
VALUES (:run_id, :step, nextval('sentiment.fence_token'), 'running')
RETURNING token
