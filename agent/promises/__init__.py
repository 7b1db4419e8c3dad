"""Promises: texts and messages that are kept, once, whatever happens in between.

``state.py`` says what is known and what comes next (pure). ``ledger.py`` keeps that on disk,
``jobs.py`` brings it to the worker through Redis, ``keeper.py`` carries it out, ``twilio.py``
talks to the carrier, ``webhook.py`` hears from it, ``owner.py`` is what reaches the owner,
``texts.py`` what the messages say, and ``worker.py`` is the process that does it all.
"""
