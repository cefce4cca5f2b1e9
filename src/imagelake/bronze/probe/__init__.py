"""What a file is: hash, media type, size and decodability of an image, found without trusting it.

`probe_files` divides the work over Spark's workers, `sandbox` runs `sandbox_child` in a process with limits,
`probe_file` and `probe_image` look at one file, `probe_results` turns the answers into frames.
"""
