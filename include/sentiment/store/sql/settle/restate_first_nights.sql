-- Give reviews whose first night was the replaced one the first night that lists them.
UPDATE sentiment.review r SET first_night = listed.night
FROM (
  SELECT review_id, min(n.night) AS night
  FROM unsettled JOIN sentiment.night_review n USING (review_id)
  GROUP BY review_id
) AS listed
WHERE r.review_id = listed.review_id AND r.first_night = :night AND listed.night > :night
