"""What cluster and laptop both need to start Spark: Java, the jars, the session, a standalone cluster."""
