"""A run from the command line or from code: its context, its stages in order, its reports.

`open_run` makes the session and the run's row, `pipeline` calls the stages, `landing` works through waiting uploads.
"""
