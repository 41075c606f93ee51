"""What path finders say of themselves, unless they say something else; see tables.PathFinder."""

from cluster_sim.tables import Array, Circuits, PathForms


class EnumeratedPaths:
    """No closed form says where endpoints hang or what a path consists of."""

    __slots__ = ()

    def places(self, endpoint: Array) -> tuple[Array, Array] | None:
        """See tables.PathFinder."""
        return None

    def forms(self) -> PathForms | None:
        """See tables.PathFinder."""
        return None


class EvenPaths(EnumeratedPaths):
    """Every candidate path of a pair crosses the same bundles, and spraying loads each evenly."""

    __slots__ = ()

    @property
    def is_even(self) -> bool:
        """See tables.PathFinder."""
        return True

    @property
    def is_bundled(self) -> bool:
        """See tables.PathFinder."""
        return True

    def shares(self, src: Array, dst: Array, circuits: Circuits | None) -> tuple[Array, Array, Array]:
        """See tables.PathFinder."""
        raise NotImplementedError("paths are even: bundles say it all")


class UnevenPaths(EnumeratedPaths):
    """Candidate paths of a pair cross different links, each by itself; finders say what shares they carry."""

    __slots__ = ()

    @property
    def is_even(self) -> bool:
        """See tables.PathFinder."""
        return False

    @property
    def is_bundled(self) -> bool:
        """See tables.PathFinder."""
        return False
