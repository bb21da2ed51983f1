"""The list of contents of a PyTorch state, opcode by opcode: nothing is imported or called, only containers are made.

The format builds values on a stack. Of everything it may name, the few that a state of plain tensors needs are known
here, as words; any other name ends the reading with what it is and what to save instead.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from models.reading.refused import MOST_VALUE, Refused, shown, told

_MOST = 2_000_000  # opcodes
STORAGES = {
    "FloatStorage": "F32", "DoubleStorage": "F64", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8",
    "ByteStorage": "U8", "BoolStorage": "BOOL",
}  # fmt: skip
_TENSOR, _PARAMETER = "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"
_DICT, _SIZE = "collections.OrderedDict", "torch.Size"
_OTHER = {
    "torch._utils._rebuild_sparse_tensor": "sparse",
    "torch._utils._rebuild_meta_tensor_no_storage": "meta",
    "torch._utils._rebuild_qtensor": "quantised",
    "torch._utils._rebuild_tensor_v3": "quantised",
    "torch._utils._rebuild_nested_tensor": "nested",
}
_MARK = object()


@dataclass(frozen=True)
class Name:
    """A function or class by its name, never the thing itself."""

    text: str


@dataclass(frozen=True)
class Storage:
    """Numbers in a member of the archive."""

    kind: str  # F32, ...
    key: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def check_names(raw: bytes, file: str) -> None:
    """Refuse by the worst thing a file names: a whole model (E161), NumPy's values (E162), anything else (E110)."""
    names = [arg.replace(" ", ".", 1) for op, arg, _ in operations(raw, file) if op == "GLOBAL"]
    unknown = [name for name in names if not _known(name)]
    for name in unknown:
        if name.startswith("torch.nn.") and not name.startswith("torch.nn.parameter."):
            raise _refused(name, file)
    if unknown:
        raise _refused(unknown[0], file)


def operations(raw: bytes, file: str) -> list[tuple[str, Any, int | None]]:
    """Opcodes by name with their arguments; raises Refused (E104) if they cannot be told apart."""
    found = []
    try:
        for code, arg, place in pickletools.genops(raw):
            found.append((code.name, arg, place))
            if len(found) > _MOST:
                raise Refused("E121", f"{shown(file)} lists more than {_MOST:,} things. Save model.state_dict() alone.")
    except Refused:
        raise
    except (ValueError, IndexError, OverflowError, MemoryError):
        raise Refused(
            "E104", f"{shown(file)} is damaged: its list of contents cannot be read. Copy or save it again."
        ) from None
    return found


def _known(name: str) -> bool:
    storage = name.startswith("torch.") and name.removeprefix("torch.") in STORAGES
    return storage or name in (_TENSOR, _PARAMETER, _DICT, _SIZE)


def _refused(name: str, file: str) -> Refused:
    weights = "safetensors.torch.save_file(model.state_dict(), path)"
    if name in _OTHER:
        return Refused("E165", f"A tensor in {shown(file)} is {_OTHER[name]}; only dense real numbers are used.")
    if name.startswith("torch.Complex") or name.startswith("torch.Q"):
        kind = "complex" if "Complex" in name else "quantised"
        return Refused("E165", f"A tensor in {shown(file)} is {kind}; only dense real numbers are used.")
    if name.startswith("torch.nn."):
        parts = name.split(".")
        plain = f"torch.nn.{parts[-1]}"
        mend = f"Save model.state_dict(), best as safetensors: from safetensors.torch import save_file; {weights}."
        return Refused("E161", f"{shown(file)} is a whole model ({shown(plain, MOST_VALUE)}), which is code. {mend}")
    if name.split(".")[0] == "numpy":
        plain = "numpy.float64" if "scalar" in name else name
        mend = "Keep only tensors and plain numbers: float(best)."
        return Refused("E162", f"{shown(file)} holds numpy values ({shown(plain, MOST_VALUE)}). {mend}")
    mend = f"Files that hold code are never loaded. Save the weights with safetensors: {weights}."
    return Refused("E110", f"{shown(file)} asks to run '{shown(name, MOST_VALUE)}' when it is opened. {mend}")


class Reader:
    """A stack machine that knows containers, plain values, storages and tensors."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def read(self, raw: bytes) -> Any:
        """The value the opcodes describe; raises Refused (E104, E110, E161, E162, E165)."""
        check_names(raw, self._file)
        try:
            for op, arg, _ in operations(raw, self._file):
                if op == "STOP":
                    return self._stack.pop()
                self._step(op, arg)
        except Refused:
            raise
        except (IndexError, KeyError, TypeError, ValueError, AttributeError):
            raise self._damaged() from None
        raise self._damaged()

    def _damaged(self) -> Refused:
        return Refused(
            "E104", f"{shown(self._file)} is damaged: its list of contents cannot be read. Copy or save it again."
        )

    def _step(self, op: str, arg: Any) -> None:
        if op in ("PROTO", "FRAME"):
            return
        if op in _VALUES:
            self._stack.append(arg)
        elif op in _FRESH:
            self._stack.append(_FRESH[op]())
        elif op in ("BINPUT", "LONG_BINPUT", "PUT"):
            self._memo[int(arg)] = self._stack[-1]
        elif op == "MEMOIZE":
            self._memo[len(self._memo)] = self._stack[-1]
        elif op in ("BINGET", "LONG_BINGET", "GET"):
            self._stack.append(self._memo[int(arg)])
        else:
            self._rarer(op, arg)

    def _rarer(self, op: str, arg: Any) -> None:
        actions: dict[str, Callable[[], Any]] = {
            "MARK": lambda: self._stack.append(_MARK),
            "GLOBAL": lambda: self._stack.append(self._name(arg.replace(" ", ".", 1))),
            "STACK_GLOBAL": lambda: self._stack.append(self._name(".".join(map(str, self._take(2))))),
            "TUPLE": lambda: self._stack.append(tuple(self._marked())),
            "TUPLE1": lambda: self._stack.append(tuple(self._take(1))),
            "TUPLE2": lambda: self._stack.append(tuple(self._take(2))),
            "TUPLE3": lambda: self._stack.append(tuple(self._take(3))),
            "LIST": lambda: self._stack.append(self._marked()),
            "DICT": lambda: self._stack.append(_paired({}, self._marked())),
            "SETITEMS": lambda: self._into(dict, lambda top, items: _paired(top, items), self._marked()),
            "SETITEM": lambda: self._into(dict, lambda top, items: _paired(top, items), self._take(2)),
            "APPENDS": lambda: self._into(list, lambda top, items: top.extend(items), self._marked()),
            "APPEND": lambda: self._into(list, lambda top, items: top.extend(items), self._take(1)),
            "BINPERSID": lambda: self._stack.append(self._storage(self._stack.pop())),
            "REDUCE": lambda: self._stack.append(self._made(*self._take(2))),
            "BUILD": lambda: self._into(dict, lambda _top, _items: None, self._take(1)),
            "POP": lambda: self._stack.pop(),
        }
        if op not in actions:
            raise Refused(
                "E110",
                f"{shown(self._file)} uses '{op}', which no state of plain tensors needs. Save model.state_dict().",
            )
        actions[op]()

    def _take(self, count: int) -> list[Any]:
        taken = self._stack[-count:]
        if len(taken) < count:
            raise IndexError
        del self._stack[-count:]
        return taken

    def _marked(self) -> list[Any]:
        place = max(at for at, value in enumerate(self._stack) if value is _MARK)
        taken = self._stack[place + 1 :]
        del self._stack[place:]
        return taken

    def _into(self, kind: type, change: Callable[[Any, list[Any]], Any], items: list[Any]) -> None:
        if not isinstance(self._stack[-1], kind):
            raise TypeError
        change(self._stack[-1], items)

    def _name(self, text: str) -> Name:
        if not _known(text):
            raise _refused(text, self._file)
        return Name(text)

    def _storage(self, told_: Any) -> Storage:
        word, kind, key, _, count = told_
        if word != "storage" or not isinstance(kind, Name) or not isinstance(key, str) or type(count) is not int:
            raise TypeError
        return Storage(STORAGES[kind.text.removeprefix("torch.")], key, count)

    def _made(self, name: Any, arguments: Any) -> Any:
        if name == Name(_DICT) and arguments == ():
            return {}
        if name == Name(_SIZE):
            return tuple(arguments[0])
        if name == Name(_PARAMETER):
            return arguments[0]
        if name == Name(_TENSOR):
            storage, offset, shape, stride = arguments[:4]
            sides = (offset, *shape, *stride)
            if (
                not isinstance(storage, Storage)
                or len(shape) != len(stride)
                or any(type(s) is not int or s < 0 for s in sides)
            ):
                raise TypeError
            return Tensor(storage, offset, tuple(shape), tuple(stride))
        raise TypeError


def _paired(target: dict[Any, Any], items: list[Any]) -> dict[Any, Any]:
    target.update(zip(items[::2], items[1::2], strict=True))
    return target


_VALUES = {
    "BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "BINBYTES", "SHORT_BINBYTES", "BINSTRING",
    "SHORT_BINSTRING", "STRING",
}  # fmt: skip
_FRESH: dict[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
}


def flattened(value: Any, file: str, most: int) -> dict[str, Tensor]:
    """Tensors of nested dicts and lists by dotted name; raises Refused (E121, E166)."""
    found: dict[str, Tensor] = {}
    visited = 0
    open_: list[tuple[str, Any, int]] = [("", value, 0)]
    while open_:
        path, item, depth = open_.pop()
        visited += 1
        if visited > 20 * most or len(found) > most or depth > 50:
            raise Refused("E121", f"{shown(file)} nests or repeats too much. Save model.state_dict() alone.")
        if isinstance(item, Tensor):
            found[path or "tensor"] = item
        elif isinstance(item, dict):
            open_ += [(f"{path}.{key}" if path else str(key), item[key], depth + 1) for key in reversed(item)]
        elif isinstance(item, list | tuple):
            open_ += [
                (f"{path}.{place}" if path else str(place), one, depth + 1)
                for place, one in reversed(list(enumerate(item)))
            ]
    if not found:
        keys = (
            ", ".join(shown(key, MOST_VALUE) for key in list(value)[:10])
            if isinstance(value, dict)
            else type(value).__name__
        )
        raise Refused("E166", f"No tensors found; keys: {keys}.")
    return found


def check_view(name: str, tensor: Tensor, width: int) -> None:
    """Refuse a tensor that shows more than its storage holds (E164); `width` is the bytes of a number."""
    elements, reach = 1, tensor.offset + 1
    for side, step in zip(tensor.shape, tensor.stride, strict=True):
        elements *= side
        reach += max(side - 1, 0) * step
    if elements > tensor.storage.count or (elements and reach > tensor.storage.count):
        there = f"{tensor.storage.count * width:,} bytes of data"
        raise Refused("E164", f"Tensor '{shown(name, MOST_VALUE)}' has shape {told(tensor.shape)} but {there}.")
