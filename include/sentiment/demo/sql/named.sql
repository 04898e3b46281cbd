-- What drift has named of a source, by night: each alarm's first night and its sentence.
SELECT opened, sentence FROM drift.v_alarm WHERE source = :source ORDER BY opened, abs(effect) DESC, alarm_id
