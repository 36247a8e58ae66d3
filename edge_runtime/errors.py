"""Every error that this package raises deliberately, in one tree; each also derives from the matching builtin.

EdgeRuntimeError                      exit code 1
├── UsageError (ValueError)                    2   a flag or an argument is wrong
├── ModelError (ValueError)                   65   a model file is damaged or contradicts itself
├── DataError (ValueError)                    65   an image, frame or data set cannot be used
├── MissingInputError (FileNotFoundError)     66   a named file or folder is not there
├── CameraError (ConnectionError)             69   a camera cannot be opened or went away
├── InternalError (AssertionError)            70   a bug in this package
├── OutputError (OSError)                    73   an output cannot be opened or written; the same command may work later
├── AlreadyRunningError (BlockingIOError)     75   another instance holds the lock
├── SignatureError (PermissionError)          76   a signature or a hash is refused
└── ConfigurationError (ValueError)           78   the settings cannot work together

The message says what happened, what was expected, and what to do, with both values in the text. The exit codes follow
sysexits.h where it has a matching one.
"""

from __future__ import annotations


class EdgeRuntimeError(Exception):
    """Base of all errors raised deliberately; ``exit_code`` is the command line's exit code."""

    exit_code = 1

    def __str__(self) -> str:
        # Subclasses of OSError would format (errno, strerror); these errors carry one sentence.
        return str(self.args[0]) if self.args else type(self).__name__


class UsageError(EdgeRuntimeError, ValueError):
    """A flag or an argument is wrong."""

    exit_code = 2


class ModelError(EdgeRuntimeError, ValueError):
    """A model file is damaged or contradicts itself."""

    exit_code = 65


class DataError(EdgeRuntimeError, ValueError):
    """An image, a frame or a data set cannot be used."""

    exit_code = 65


class MissingInputError(EdgeRuntimeError, FileNotFoundError):
    """A named file or folder does not exist."""

    exit_code = 66


class CameraError(EdgeRuntimeError, ConnectionError):
    """A camera cannot be opened or has gone."""

    exit_code = 69


class InternalError(EdgeRuntimeError, AssertionError):
    """A bug in this package."""

    exit_code = 70


class OutputError(EdgeRuntimeError, OSError):
    """An output cannot be opened or written; the same command may work later."""

    exit_code = 73


class AlreadyRunningError(EdgeRuntimeError, BlockingIOError):
    """Another instance holds the lock."""

    exit_code = 75


class SignatureError(EdgeRuntimeError, PermissionError):
    """A signature or a hash is refused."""

    exit_code = 76


class ConfigurationError(EdgeRuntimeError, ValueError):
    """The settings cannot work together, or something is not installed."""

    exit_code = 78
