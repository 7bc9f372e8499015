"""What a sink and a publisher talk to, in memory: they keep what they are given."""

from dataclasses import dataclass, field


@dataclass
class FakeRecord:
    """Keeps what it is given; see ports.RollRecord."""

    strips: list = field(default_factory=list)
    evidence: list = field(default_factory=list)
    defects: list = field(default_factory=list)
    alarms: list = field(default_factory=list)
    repeats: list = field(default_factory=list)
    summaries: list = field(default_factory=list)
    backlog: int = 0
    beat_at_finish: object = None
    on_finish: object = None

    def add_strip(self, strip):
        self.strips.append(strip)

    def add_evidence(self, score_map):
        self.evidence.append(score_map)

    def add_defect(self, defect):
        self.defects.append(defect)

    def add_repeat(self, repeat):
        self.repeats.append(repeat)

    def add_alarm(self, alarm):
        self.alarms.append(alarm)

    def finish(self, summary, on_step):
        self.summaries.append(summary)
        if self.on_finish:
            self.on_finish()

    def close(self):
        pass


@dataclass
class FakeOutput:
    """An alarm output; raises `fault` if it has one."""

    fault: Exception | None = None
    published: list = field(default_factory=list)
    polls: int = 0

    def publish(self, alarm):
        if self.fault:
            raise self.fault
        self.published.append(alarm)

    def poll(self):
        self.polls += 1
        if self.fault:
            raise self.fault

    def close(self):
        pass


@dataclass
class FakePeers:
    """Those who follow the line; `wishes` are what they ask; see line_ports.LinePeers."""

    publisher: str = "p"
    told: list = field(default_factory=list)
    rows: list = field(default_factory=list)
    wishes: list = field(default_factory=list)
    answers: list = field(default_factory=list)

    def tell(self, status):
        self.told.append(status)

    def show_rows(self, rows):
        self.rows.append(rows)

    def take_commands(self):
        taken = tuple(self.wishes)
        self.wishes.clear()
        return taken

    def answer(self, address, answer):
        self.answers.append((address, answer))


@dataclass
class FakeMemory:
    """What is kept of the alarm book, and when; raises `fault` if it has one."""

    fault: Exception | None = None
    messages: list = field(default_factory=list)
    states: list = field(default_factory=list)

    def publish(self, alarm):
        self.messages.append(alarm)

    def commit(self, state):
        if self.fault:
            raise self.fault
        self.states.append(state)

    def close(self):
        pass
