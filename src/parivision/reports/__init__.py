"""Everything that people look at as a page: HTML, plots, and the reports made of them.

It computes no score: what it draws, others have judged.
"""
