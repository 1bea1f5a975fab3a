"""The door to the compiled kernels; without a compiler the same is said, slowly, by `engine.learner.twin`."""

import ctypes
import hashlib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learner.features import NAMES, POWER_I, POWER_T, STEPS, TAU_I, TAU_T
from engine.learner.rows import AnyRows, PackedRows, Rows

SOURCE = Path(__file__).with_name("kernels.c")
N_FEATURES = len(NAMES)
UPDATE, DECAYS = 1, 2

_FLOATS = (
    "n", "wins", "seen", "res_sum", "info", "mean_fast", "mean_mid", "mean_slow", "res_fast", "res_slow", "ability",
    "streak", "gap_right", "gap_wrong", "last_gap", "rt_last", "rt_mean", "rt_n", "rt_right", "last_y",
)  # fmt: skip
# One skill or item of one learner, 256 bytes; `engine/learner/kernels.c` says what each field is.
BLOCK = np.dtype(
    [("key", "<u8"), ("last_t", "<f8"), ("last_right_t", "<f8"), ("last_i", "<i4"), ("recent", "<u4")]
    + [(name, "<f4") for name in _FLOATS]
    + [(f"{what}_t", "<f4", (len(TAU_T),)) for what in ("right", "wrong", "seen")]
    + [(f"{what}_i", "<f4", (len(TAU_I),)) for what in ("right", "wrong", "seen")]
)
_DOUBLES = (
    "prev_t", "prev_minutes", "session_t", "session_n", "session_k", "run_n", "run_wins", "run_rt", "prev_rt",
    "prev_res", "prev2_res", "prev_y", "prev2_y", "prev_shown", "rt_fast", "rt_mid", "rt_slow", "rt_self", "rt_var",
    "rt_n", "n_new",
)  # fmt: skip
N_LEAN = 8
# A learner as a whole, 1,016 bytes.
SELF = np.dtype(
    [("block", BLOCK)]
    + [(name, "<f8") for name in _DOUBLES]
    + [("lean", "<f8", (N_LEAN,)), ("lean_var", "<f8", (N_LEAN, N_LEAN)), ("n_events", "<i8"), ("prev_item", "<u8")]
)


@dataclass(frozen=True, slots=True)
class Statics:
    """Difficulties and usual times of items and skills, `(n_folds, n)` float64 each; regimes `(n_folds, n, 3)`.

    `mean` is the mean outcome, `b` its logit, `m` the mean of log seconds. Effects are on the logit and on log seconds;
    the regimes are: never met, last time right, last time wrong.
    """

    mean: float
    b: float
    m: float
    item_b: NDArray[np.float64]
    item_n: NDArray[np.float64]
    item_m: NDArray[np.float64]
    item_regime: NDArray[np.float64]
    skill_b: NDArray[np.float64]
    skill_n: NDArray[np.float64]
    skill_m: NDArray[np.float64]
    skill_regime: NDArray[np.float64]


ARRAYS = ("item_b", "item_n", "item_m", "item_regime", "skill_b", "skill_n", "skill_m", "skill_regime")
_CONSTANTS = (TAU_T, TAU_I, POWER_T, POWER_I, STEPS)


@dataclass(frozen=True, slots=True)
class Traces:
    """What each row offered before its own update: what the fit of the statics needs.

    `offset`: `(n,)` logit without difficulty. `weight`: `(n,)`. `rt_offset`: `(n,)`. `item_regime`: `(n,)` int8.
    `skill_regime`: one int8 per row and skill.
    """

    offset: NDArray[np.float64]
    weight: NDArray[np.float64]
    rt_offset: NDArray[np.float64]
    item_regime: NDArray[np.int8]
    skill_regime: NDArray[np.int8]

    @classmethod
    def for_rows(cls, rows: Rows) -> "Traces":
        """Room for these rows."""
        n, n_skills = len(rows), len(rows.skill_key)
        return cls(np.empty(n), np.empty(n), np.empty(n), np.empty(n, np.int8), np.empty(n_skills, np.int8))


class _CStatics(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_double) for name in ("mean", "b", "m")],
        *[(name, ctypes.c_int64) for name in ("n_items", "n_skills")],
        *[(name, ctypes.c_void_p) for name in ARRAYS],
        *[(name, ctypes.c_void_p) for name in ("tau_t", "tau_i", "power_t", "power_i", "steps")],
    ]


class _CRows(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in Rows.__dataclass_fields__]


class _CTraces(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in Traces.__dataclass_fields__]


class Prepared:
    """Statics in the shape the kernels read; the arrays live as long as this does."""

    def __init__(self, statics: Statics) -> None:
        self.statics = statics
        self.arrays = [np.ascontiguousarray(getattr(statics, name), np.float64) for name in ARRAYS]
        self.c = _CStatics(
            statics.mean,
            statics.b,
            statics.m,
            self.arrays[0].shape[1],
            self.arrays[4].shape[1],
            *[address(a) for a in self.arrays],
            *[address(a) for a in _CONSTANTS],
        )
        self.at = ctypes.addressof(self.c)


def source_hash() -> str:
    """Twelve digits that name the compiled library of this very source."""
    return hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]


@cache
def library() -> Any:
    """The compiled kernels, or None where nobody compiled this source."""
    path = SOURCE.with_name(f"_kernels-{source_hash()}.so")
    if not path.exists():
        return None
    loaded = ctypes.CDLL(str(path))
    pointer, number, integer = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
    loaded.learner_start.argtypes = [pointer, ctypes.c_double]
    loaded.learner_start.restype = None
    about: list[Any] = [number, integer, pointer, pointer, pointer, pointer]
    loaded.learner_fold.argtypes = [pointer, pointer, number, *about]
    loaded.learner_fold_packed.argtypes = [pointer, ctypes.c_char_p, number, number, *about]
    loaded.learner_encode.argtypes = [
        pointer, pointer, pointer, number, number, pointer, integer, pointer, number, pointer, pointer, pointer,
    ]  # fmt: skip
    loaded.learner_ask.argtypes = [
        pointer, pointer, pointer, number, ctypes.c_double, pointer, pointer, number, pointer, number, pointer, pointer,
        number, pointer,
    ]  # fmt: skip
    loaded.forest_walk.argtypes = [pointer, number, number, number, *[pointer] * 3, number, pointer]
    loaded.forest_walk.restype = None
    loaded.forest_strike.argtypes = [pointer, number, number, number, *[pointer] * 6, number, pointer]
    loaded.net_logits.argtypes = [pointer, pointer, number, number, pointer, number, ctypes.c_float, pointer]
    loaded.products.argtypes = [pointer, pointer, number, number, pointer, number, pointer]
    loaded.products.restype = None
    loaded.sparse_sums.argtypes = [*[pointer] * 5, number, pointer]
    loaded.sparse_sums.restype = None
    loaded.sparse_logs.argtypes = [*[pointer] * 5, number, number, ctypes.c_double, ctypes.c_double, pointer]
    loaded.strongest.argtypes = [*[pointer] * 4, number, pointer, number, pointer]
    loaded.strongest.restype = None
    loaded.best_rows.argtypes = [pointer, pointer, pointer, number, number, pointer]
    loaded.best_rows.restype = number
    loaded.gathered.argtypes = [*[pointer] * 3, number, pointer, pointer]
    loaded.gathered.restype = None
    loaded.ranker_columns.argtypes = [*[pointer] * 4, number, pointer]
    _know_steps(loaded)
    return loaded


def _know_steps(loaded: Any) -> None:
    """What is asked of a state to choose a step."""
    pointer, number, real = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double
    loaded.line_logits.argtypes = [pointer, number, number, *[pointer] * 3, number, real, real, pointer]
    loaded.skills_known.argtypes = [
        *[pointer] * 4, number, number, pointer, pointer, number, pointer, number, number, pointer, pointer,
    ]  # fmt: skip
    loaded.step_facts.argtypes = [pointer, pointer, number, number, real, *[pointer] * 6]
    loaded.step_facts.restype = number
    loaded.step_gains.argtypes = [pointer, number, *[pointer] * 3, number, *[real] * 4, pointer]
    loaded.best_steps.argtypes = [pointer, pointer, number, number, pointer, pointer, real, pointer, pointer]
    loaded.step_rates.argtypes = [pointer, pointer, number, *[pointer] * 3, number, real, real, pointer]
    loaded.learning_terms.argtypes = [pointer, pointer, number, pointer, pointer, number, *[pointer] * 6]
    for name in ("line_logits", "step_gains", "best_steps", "step_rates", "learning_terms"):
        getattr(loaded, name).restype = None


def started(statics: Statics) -> NDArray[np.void]:
    """A learner of whom nothing is known: `(1,)` of `SELF`."""
    whole = np.zeros(1, SELF)
    if library() is None:
        from engine.learner import twin

        twin.start(whole, statics.mean)
    else:
        library().learner_start(address(whole), statics.mean)
    return whole


def fold(
    prepared: Prepared,
    rows: AnyRows,
    whole: NDArray[np.void],
    blocks: NDArray[np.void],
    *,
    update: bool = True,
    features: bool = False,
    statics_fold: int = 0,
) -> tuple[NDArray[np.void], NDArray[np.void], NDArray[np.float32] | None]:
    """The state after these rows, or the same state where nothing is updated, and the features before each row.

    `whole`: `(1,)` of `SELF`; `blocks`: `(n,)` of `BLOCK`; neither is written to. Features `(len(rows), N_FEATURES)`.

    Raises:
        MemoryError: the machine has none left.
    """
    out = np.empty((len(rows), N_FEATURES), np.float32) if features else None
    flags = DECAYS | (UPDATE if update else 0)
    n = ctypes.c_int64(len(blocks))
    at_whole, at_blocks = (address(whole), address(blocks))
    if update:
        # One piece of memory, copied as bytes: field by field it would take longer than the fold of an event.
        room = len(rows) + (rows.n_skills if isinstance(rows, PackedRows) else len(rows.skill_key))
        grown = np.zeros(SELF.itemsize + (len(blocks) + room) * BLOCK.itemsize, np.uint8)
        grown[: SELF.itemsize] = whole.view(np.uint8)
        grown[SELF.itemsize : SELF.itemsize + blocks.nbytes] = blocks.view(np.uint8)
        at_whole = address(grown)
        at_blocks = at_whole + SELF.itemsize
        whole, blocks = grown[: SELF.itemsize].view(SELF), grown[SELF.itemsize :].view(BLOCK)
    if library() is None:
        from engine.learner import twin

        plain = rows.arrays() if isinstance(rows, PackedRows) else rows
        n.value = twin.fold(prepared.statics, plain, statics_fold, flags, whole, blocks, n.value, out)
    else:
        about = (statics_fold, flags, at_whole, at_blocks, ctypes.byref(n), None if out is None else address(out))
        if isinstance(rows, PackedRows):
            failed = library().learner_fold_packed(prepared.at, rows.content, rows.n, rows.n_skills, *about)
        else:
            kept = _rows(rows)
            failed = library().learner_fold(prepared.at, ctypes.byref(kept), len(rows), *about)
        _check(failed)
    return whole, blocks[: n.value] if update else blocks, out


def ask(
    prepared: Prepared,
    rows: "AskedRows",
    which: NDArray[np.int64],
    t: float,
    *,
    whole: NDArray[np.void],
    blocks: NDArray[np.void],
    columns: NDArray[np.int32],
    more: NDArray[np.int32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features of rows `which` `(n,)`, asked at minute `t`: `(n, len(columns))`, and `(n, len(more))` of others.

    Raises:
        MemoryError: the machine has none left.
    """
    if library() is None:
        asked = replace(rows.rows.taken(which), t=np.full(len(which), t))
        _, _, x = fold(prepared, asked, whole, blocks, update=False, features=True)
        assert x is not None
        return np.ascontiguousarray(x[:, columns]), x[:, more]
    out = np.empty((len(which), len(columns)), np.float32)
    other = np.empty((len(which), len(more)), np.float32)
    failed = library().learner_ask(
        prepared.at, rows.at, address(which), len(which), t, address(whole), address(blocks), len(blocks),
        address(columns), len(columns), address(out), address(more), len(more), address(other),
    )  # fmt: skip
    _check(failed)
    return out, other


class AskedRows:
    """Rows to be asked about again and again, in the shape the kernels read."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self._c = _rows(rows)
        self.at = ctypes.addressof(self._c)


def encode(
    prepared: Prepared,
    rows: Rows,
    learner_ptr: NDArray[np.int64],
    *,
    folds: NDArray[np.int32],
    columns: NDArray[np.int32],
    kept: NDArray[np.int64] | None = None,
    learners: tuple[int, int] | None = None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Features `(n, len(columns))` of many learners' rows, each learner folded from nothing.

    `folds`: `(n_learners,)`, whose statics a learner is read with. `kept`: `(len(rows),)` where in `out` a row goes,
    -1 for nowhere. `learners` bounds the work, for threads that share `out`.
    """
    kept = np.arange(len(rows), dtype=np.int64) if kept is None else kept
    out = np.empty((int(kept.max(initial=-1)) + 1, len(columns)), np.float32) if out is None else out
    _encode(prepared, rows, learner_ptr, folds, DECAYS, columns, kept, out, None, learners)
    return out


def traces(prepared: Prepared, rows: Rows, learner_ptr: NDArray[np.int64], *, folds: NDArray[np.int32]) -> Traces:
    """What each row offered before its update, with each learner read under the statics of their fold."""
    result = Traces.for_rows(rows)
    nothing = np.empty(0, np.int32)
    _encode(prepared, rows, learner_ptr, folds, 0, nothing, np.empty(0, np.int64), None, result, None)
    return result


def _encode(  # noqa: PLR0913 - one argument for each the compiled function takes
    prepared: Prepared,
    rows: Rows,
    learner_ptr: NDArray[np.int64],
    folds: NDArray[np.int32],
    flags: int,
    columns: NDArray[np.int32],
    kept: NDArray[np.int64],
    out: NDArray[np.float32] | None,
    told: Traces | None,
    learners: tuple[int, int] | None,
) -> None:
    first, last = learners or (0, len(learner_ptr) - 1)
    flags |= UPDATE
    if library() is None:
        from engine.learner import twin

        twin.encode(prepared.statics, rows, learner_ptr, first, last, folds, flags, columns, kept, out, told)
        return
    c_rows = _rows(rows)
    c_traces = None if told is None else _CTraces(*[address(getattr(told, n)) for n in Traces.__dataclass_fields__])
    failed = library().learner_encode(
        prepared.at, ctypes.byref(c_rows), address(learner_ptr), first, last, address(folds), flags, address(columns),
        len(columns), address(kept), None if out is None else address(out),
        None if c_traces is None else ctypes.byref(c_traces),
    )  # fmt: skip
    _check(failed)


def _rows(rows: Rows) -> _CRows:
    return _CRows(*[address(getattr(rows, name)) for name in Rows.__dataclass_fields__])


def address(array: NDArray[Any]) -> int:
    """Where an array's numbers lie; every array handed over is in C order."""
    # Read where numpy itself keeps it: to ask for it takes twenty times as long, and a decision asks fifty times.
    return _POINTER(id(array) + _DATA).value or 0 if _DATA else int(array.ctypes.data)


def _place_of_data() -> int:
    """How far into an array's object its address stands; 0 where this numpy keeps it elsewhere."""
    for array in (np.zeros(3), np.zeros(1, np.int8), np.zeros(4, _PROBE)[1:]):
        if _POINTER(id(array) + object.__basicsize__).value != array.ctypes.data:
            return 0
    return object.__basicsize__


_POINTER = ctypes.c_void_p.from_address
_PROBE = np.dtype([("a", "<i4"), ("b", "<f8")])
_DATA = _place_of_data()


def _check(failed: int) -> None:
    if failed:
        raise MemoryError("not enough memory for the state of a learner")
