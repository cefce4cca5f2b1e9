"""`sql`: one statement that is checked (`statement`) over views (`views`) that are declared (`view_columns`)."""
