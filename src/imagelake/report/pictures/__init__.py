"""Pictures of a page: asked for and decoded together (album, decode_child), and what is drawn over them (scene)."""
