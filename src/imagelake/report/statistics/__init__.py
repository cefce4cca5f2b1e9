"""What the content is like, in numbers: classes, splits, sizes, outliers, equal images, and how they have drifted."""
