"""Behind a labelling tool: pages of images with labels (`label_pages`), saves (`save_labels`), their cache (`warm`)."""
