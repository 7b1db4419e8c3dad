"""The dialplan as a thing that can be read, checked, shown and applied without fear.

``source`` reads the files as Asterisk does, ``calls`` takes a step's words apart, ``graph``
follows the ways a call can go, ``check`` says what is wrong, ``picture`` draws, ``apply`` puts it
to use and takes it back.
"""
