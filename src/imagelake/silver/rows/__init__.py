"""The rows an upload makes: images, categories, annotations and what is refused of them."""
