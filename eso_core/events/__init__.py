"""Events about objects, as `kubectl describe` shows them.

A *recorder* belongs to a component and takes events without waiting. A *correlator* folds repeated events into series and
drops floods. The *sink* writes them to the API server in the background, and never makes anybody fail.
"""

from eso_core.events.core import CoreCorrelator, Recorder
from eso_core.events.eventsv1 import RecorderV1, SeriesCorrelator
from eso_core.events.reference import ObjectReference, reference_of
from eso_core.events.sink import EventSink, EventWriter, SinkOptions

__all__ = [
    "CoreCorrelator",
    "EventSink",
    "EventWriter",
    "ObjectReference",
    "Recorder",
    "RecorderV1",
    "SeriesCorrelator",
    "SinkOptions",
    "reference_of",
]
