"""The ``clearspec`` command: it runs scenarios, explains rules and writes schemas."""
