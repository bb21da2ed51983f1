"""The run-time check of annotations in the tests, strict on shapes and types; a whole number may stand for a float."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
