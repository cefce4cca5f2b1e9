"""YOLO: one text of rows for each image."""
