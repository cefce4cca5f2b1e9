"""Nightly imagelake run for Airflow 3: takes everything under landing/ and publishes the datasets set to do so.

Exit codes 1 and 5 are worth a retry. 2, 3, 4 and 6 are not: somebody has to mend an upload, a setting or the data.
"""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta, timezone

from airflow.exceptions import AirflowException, AirflowFailException
from airflow.sdk import dag, task

LAKE = "/data/lake"
WORTH_RETRYING = frozenset((1, 5))


@dag(
    schedule="15 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=10)},
)
def imagelake_nightly() -> None:
    """One task: a session costs seconds, so all uploads share it."""

    @task
    def run_landing() -> str:
        """The report as JSON, kept as the task's result."""
        command = ["imagelake", "run", "--landing", "--lake", LAKE, "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode in WORTH_RETRYING:
            raise AirflowException(f"exit code {done.returncode}: {done.stdout}")
        if done.returncode:
            raise AirflowFailException(f"exit code {done.returncode}: {done.stdout}")
        return done.stdout

    run_landing()


imagelake_nightly()
