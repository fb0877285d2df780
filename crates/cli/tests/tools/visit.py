"""A browser that only opens the page."""

import sys
import urllib.request

urllib.request.urlopen(sys.argv[1]).read()
