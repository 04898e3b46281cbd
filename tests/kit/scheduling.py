"""How pytest-xdist hands modules to its workers: so that few of them start a Java machine of one kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler.loadgroup import LoadGroupScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController


class FromBothEnds(LoadGroupScheduling):  # type: ignore[misc]  # xdist's classes are untyped
    """Let every second worker begin at the end of the list of groups.

    Nights are at its beginning, tests on a Spark session of their own at its end, and what takes little between them:
    two workers start each kind of Java machine once, not twice, and neither ends with something long.
    """

    def _assign_work_unit(self, node: WorkerController) -> None:
        if int(node.gateway.id.removeprefix("gw")) % 2:
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)
