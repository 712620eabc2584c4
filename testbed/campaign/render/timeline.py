"""A round as a time line: the fault, the broker's states, and messages a second."""

from testbed.campaign.results import Played, State
from testbed.report.timeline import Sketch
from testbed.timeline import Change, Kind, Lane, Moment, Timeline


def sketch(played: Played) -> Sketch:
    """Return the picture of a round."""
    moments, faults = [], [Change(0.0, "none", "good")]
    if played.injected:
        moments.append(Moment(played.injected, played.description))
        faults.append(Change(played.injected, "injected", "bad"))
        if played.ended:  # not where the round broke off before
            faults.append(Change(played.ended, "ended", "good"))
        if played.recovery is not None:
            moments.append(
                Moment(played.ended + played.recovery, f"recovered after {played.recovery:.1f} s")
            )
    states = tuple(Change(state.at, _words(state), _kind(state)) for state in played.states)
    lanes = (Lane("fault", tuple(faults)), Lane("broker", states))
    return Sketch(Timeline("", played.seconds, played.rates, lanes, tuple(moments)))


def _words(state: State) -> str:
    return f"{state.broker_state}, {state.running} of {state.nodes} nodes"


def _kind(state: State) -> Kind:
    if state.broker_state != "RUNNING":
        return "bad"
    return "good" if state.running == state.nodes else "passing"
