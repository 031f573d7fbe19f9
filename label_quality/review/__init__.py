"""The web application: pages on which people look at findings, decide, tag and export.

It reads the published database, the masks and the images, and writes nothing but the review log. Pages are shells made on
the server; ES modules in ``static/`` fill them from JSON under ``/api``. The only room with the web framework in it.
"""
