"""Boxes, outlines, run lengths and EXIF orientation. Needs no Spark; `outlines` needs numpy, the rest nothing."""
