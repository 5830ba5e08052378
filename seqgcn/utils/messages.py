"""Messages for whoever uses the package; those of the command line come out on standard error."""

import logging

log = logging.getLogger("seqgcn")
"""What a user should know: INFO what is done and found, WARNING what they may want to change."""

# A library writes nothing to the console by itself: who wants the messages adds a handler.
log.addHandler(logging.NullHandler())
