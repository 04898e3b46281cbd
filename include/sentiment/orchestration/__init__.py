"""Task bodies that need no Spark, what people do to published nights and models, and the Airflow side of both."""
