"""Mask R-CNN: model files, loading, running on the images of a batch, asking it about each label, labels that look alike.

The only room that imports torch, inside functions. ``build`` is what an asset calls; nothing here knows Dagster.
"""
