"""Java's static functions looked up once: pyspark asks Java for class and member again for every column."""

from __future__ import annotations

from typing import Any

_CLASSES = (
    "functions",
    "org.apache.spark.sql.functions",
    "PythonUtils",
    "PythonSQLUtils",
)
"""Classes of functions by the names that pyspark looks them up with; they never change while Java runs."""


class _Members:
    """A Java class whose members are looked up when they are first asked for."""

    def __init__(self, java_class: Any) -> None:
        self._java_class = java_class

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._java_class, name)
        setattr(self, name, member)
        return member


def remember_lookups(jvm: Any) -> None:
    """Let this view of Java remember its static functions: a third of the questions that a small build asks."""
    for name in _CLASSES:
        if name not in vars(jvm):
            setattr(jvm, name, _Members(getattr(jvm, name)))
