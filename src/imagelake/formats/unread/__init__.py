"""Labels that no reader takes: how their files look, so that they are named."""
