"""Pascal VOC: one XML document for each image."""
