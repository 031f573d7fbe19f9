"""Quality metrics of images, labels and predictions: one small file for each, or for each family.

A file of `image`, `annotation` or `prediction` with ``METRICS`` is found by itself (``label_quality.registry``). What they
share, and what runs them, stands here: decoded pictures, outlines of polygons, the rows that SQL sees. What is unusual
among the values is `outliers`' matter, what a value says about errors `findings`'.

The schema imports the files of the three packages by way of the registry: this module and they import nothing that is above
the registry, or heavy. `build` is where to begin.
"""
