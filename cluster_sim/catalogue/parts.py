"""What takes two entries to tell: an engine and the external laser that feeds it."""

from cluster_sim.catalogue.load import laser
from cluster_sim.catalogue.technology import FIT_PER_YEARLY_FAILURE, Technology


def ends_per_laser_module(technology: Technology) -> float | None:
    """Ends that one external laser module feeds; None where the lasers are the end's own, or it has none."""
    if technology.external_laser is None or technology.laser_count is None:
        return None
    return laser(technology.external_laser).lasers.typical / technology.laser_count.typical


def fit_by_part(technology: Technology) -> dict[str, float]:
    """Failures in 10**9 hours for each end: ``laser``, ``external laser`` (its share of a module's) and ``rest``.

    A laser module that fails darkens all the ends that it feeds, but is one failure.
    """
    ends = ends_per_laser_module(technology)
    if ends is None or technology.external_laser is None:
        return technology.fit
    module = laser(technology.external_laser).annual_failure.typical * FIT_PER_YEARLY_FAILURE
    return {"external laser": module / ends} | technology.fit
