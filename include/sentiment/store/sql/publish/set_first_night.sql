-- Give reviews an earlier first night: for a night that is not the newest of its source.
UPDATE sentiment.review r SET first_night = :night
FROM staged_review s
WHERE r.review_id = s.review_id AND r.first_night > :night
