"""Spark's own resolver (Ivy), in a process of its own: it prints, and keeps its answer for the life of a JVM."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark import SparkConf
from pyspark.java_gateway import launch_gateway

# everything that the wanted artifacts would pull in: Spark ships it, or the lake does not use it
_EXCLUDED = (
    "com.fasterxml.jackson*:*",
    "com.google*:*",
    "commons-*:*",
    "io.delta:delta-kernel*",
    "io.netty:*",
    "io.unitycatalog:*",
    "org.apache.commons:*",
    "org.apache.hadoop:hadoop-client*",
    "org.apache.httpcomponents:*",
    "org.apache.logging*:*",
    "org.apache.parquet:*",
    "org.apache.spark:*",
    "org.roaringbitmap:*",
    "org.scala-lang:*",
    "org.slf4j:*",
    "org.wildfly*:*",
    "software.amazon.awssdk:bundle",
)


def main(folder: str, coordinates: Sequence[str]) -> None:
    """Resolve coordinates into `<folder>/jars`, named group_artifact-version.jar; fails when one is not found."""
    conf = SparkConf(loadDefaults=False)
    conf.set("spark.jars.ivy", folder)
    conf.set("spark.jars.packages", ",".join(coordinates))
    conf.set("spark.jars.excludes", ",".join(_EXCLUDED))
    launch_gateway(conf).shutdown()  # type: ignore[no-untyped-call]
