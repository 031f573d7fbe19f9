"""How well label errors are found: errors planted into real labels, methods side by side. `accuracy.py` is the command.

datasets: what is planted into. runs: one planting, scored, as arrays. methods, peers, objectlab: scores. figures: how good they are.
controls: what must not fire. page: docs/accuracy.md. Nothing of it is part of the product.
"""
