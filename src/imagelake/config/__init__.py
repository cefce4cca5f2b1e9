"""Settings: of a machine (`settings`), of a dataset (`dataset_settings`), of bucket rules (`lifecycle_settings`)."""
