"""The page of recordings: hits, misses and problems of the files."""

from collections import Counter

from starlette.requests import Request

from antiphon.engine.slices import in_thread
from antiphon.recording.care.check import check
from antiphon.recording.seam.catalogue import RecordingCatalogue
from antiphon.server.edge.authentication import PAGES
from antiphon.server.edge.state import services_of
from antiphon.server.pages.access import require_operator
from antiphon.server.pages.frame import Shown, page
from antiphon.viewer.views import FileProblem, RecordingsView

_MOST_PROBLEMS = 500
_TITLE = "Recordings"


async def recordings(request: Request) -> Shown:
    """Show the latest hits and misses, and on demand the problems of the files."""
    require_operator(request)
    catalogue = services_of(request).catalogue
    lookup = catalogue.lookup if isinstance(catalogue, RecordingCatalogue) else None
    if lookup is None:
        return Shown(_TITLE, RecordingsView(mode="live"))
    assert isinstance(catalogue, RecordingCatalogue)
    history, collection = lookup.history, lookup.collection
    view = RecordingsView(
        mode=catalogue.mode,
        directory=str(collection.directory),
        calls=dict(Counter(call.kind for call in collection.calls)),
        hit_count=history.hit_count,
        miss_count=history.miss_count,
        hits=list(history.hits)[::-1],
        misses=list(history.misses)[::-1],
        is_checked="check" in request.query_params,
    )
    if view.is_checked:
        used = set(history.used)
        found = await in_thread(lambda: check(collection.directory, used))
        view.problem_count = len(found)
        view.problems = [FileProblem(each.kind, list(each.names), each.text) for each in found][
            :_MOST_PROBLEMS
        ]
    return Shown(_TITLE, view)


routes = page(f"{PAGES}/recordings", "recordings.html", recordings)
