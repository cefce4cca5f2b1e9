"""Versions as training data: bytes from packages, an order, batches.

`reader` gives the bytes of a sample, from a file of the lake or from `cache`, which holds parts of a bucket's objects
on this machine for all its processes; `order` divides samples among ranks and shuffles them; `stream` goes through
them in that order, reading ahead, and can be resumed; `batches` makes columns of samples; `torch_dataset`
and `ray_samples` are for those. `protocols` says what they need of samples.
"""
