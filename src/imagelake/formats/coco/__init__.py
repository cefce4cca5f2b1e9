"""COCO: JSON documents of images, boxes, polygons and masks."""
