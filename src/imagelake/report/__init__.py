"""One HTML page that shows a person what is in a version, what was refused and why, and what changed.

    build.report → the sections of page.py, each one function and one template → pictures/album → page.render

A section takes the Scope (one version or draft, as SQL) and gives a Sketch (sketch.py), or None where nothing is to be
shown. When all are counted, the rows of the images that they sample are read at once, and each is drawn into what its
template shows, asking the Album for pictures. The lake is only read; no JVM.
"""
