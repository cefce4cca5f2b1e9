"""`sql`: one statement that is checked (`statement`) over views (`views`)."""
