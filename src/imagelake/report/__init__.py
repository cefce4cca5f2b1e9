"""One HTML page that shows a person what is in a version, what was refused and why, and what changed.

    build.report → the sections of page.py, each one function and one template → pictures/album → page.render

A section's function takes the Scope (one version or draft, as SQL) and the Album (which it asks for pictures), and
gives what its template shows, or None where there is nothing to show. The lake is only read; no JVM.
"""
