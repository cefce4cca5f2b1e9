"""Lists of images, which say the split of the images they name."""
