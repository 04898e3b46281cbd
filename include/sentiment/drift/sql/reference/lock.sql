-- Wait until nobody else tracks or pins this source and model, and keep others out until the transaction ends.
SELECT pg_advisory_xact_lock(hashtext('sentiment.drift'), hashtext(:name))
