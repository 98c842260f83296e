"""The web console's frame: what stands around every page, and what pages are made of. Pages live in the modules."""
