"""Pages of HTML that stand by themselves: what is known of a network, or of several. They load nothing.

``document`` is the frame of every page, with ``page.css`` and ``page.js``; ``network`` and ``compared`` fill it, of
``drawings`` (the picture, folded to several depths), ``charts`` (what is where along the depth), ``listing`` (the
text with its costs) and, of a run, ``trained``.
"""
