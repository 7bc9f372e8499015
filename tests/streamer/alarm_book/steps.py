"""Random lives of alarms with what peers ask meanwhile, for the tests of books and stores."""

from dataclasses import dataclass, replace

from hypothesis import strategies as st

from streamer.line_status import Command, CommandKind
from streamer.message import Alarm, AlarmKind, DefectState, RegionMm, Severity

S = 1_000_000_000
START_NS = 1_700_000_000 * S
NEW, UPDATE, END = DefectState.NEW, DefectState.UPDATE, DefectState.END
ALARM = Alarm(
    id="r/c/defect-1",
    sequence=7,
    kind=AlarmKind.DEFECT,
    state=NEW,
    severity=Severity.LOW,
    roll="r",
    camera="c",
    region=RegionMm(1.0, 2.0, 3.0, 4.0),
    encoder_first=1,
    encoder_end=2,
    raised_ns=5,
    captured_ns=4,
    peak=1.5,
    config_digest="cd",
    model_digest="md",
    text="scratch",
    scored_ns=6,
    travel_mm=7.5,
    threshold="profile",
)
SYSTEM = replace(ALARM, id="r/c/maintenance-1", kind=AlarmKind.SYSTEM, severity=Severity.MEDIUM)


def alarm(number=1, state=NEW, severity=Severity.LOW, kind=AlarmKind.DEFECT):
    return replace(ALARM, id=f"r/c/{kind}-{number}", state=state, severity=severity, kind=kind)


def ask(kind, target="*", seconds=0.0, by="page"):
    return Command("c1", CommandKind(kind), target, by, seconds)


@dataclass(frozen=True)
class Step:
    """One call of a book, `after_ns` after the one before."""

    after_ns: int
    what: object  # Alarm, Command or None for a tick

    def run(self, book, now_ns):
        match self.what:
            case None:
                return book.tick(now_ns)
            case Command():
                return book.command(self.what, now_ns)[1]
            case _:
                return book.take(self.what, now_ns)


_numbers = st.integers(1, 4)
_alarms = st.builds(
    alarm,
    _numbers,
    st.sampled_from(DefectState),
    st.sampled_from(Severity),
    st.sampled_from(AlarmKind),
)
_ids = st.builds(lambda kind, number: f"r/c/{kind}-{number}", st.sampled_from(AlarmKind), _numbers)
_targets = st.one_of(st.just("*"), _ids, st.sampled_from(["r/c/defect", "r/", "elsewhere"]))
_commands = st.builds(
    ask,
    st.sampled_from([kind for kind in CommandKind if kind is not CommandKind.STOP]),
    _targets,
    st.sampled_from([0.5, 30.0, 700.0]),
)
_pauses = st.sampled_from([0, S // 100, S, 40 * S, 400 * S])
steps = st.lists(
    st.builds(Step, _pauses, st.one_of(_alarms, _alarms, _commands, st.none())), max_size=40
)


def played(book, chosen, now_ns=START_NS):
    """Everything that a book publishes, step by step: (time, step, messages)."""
    for step in chosen:
        now_ns += step.after_ns
        yield now_ns, step, step.run(book, now_ns)
