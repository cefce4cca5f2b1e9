"""The one place that makes a Spark session (`session`): its conf, its jars, Java, and the class archive."""
