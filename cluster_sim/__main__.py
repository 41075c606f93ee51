"""``python -m cluster_sim``."""

from cluster_sim.cli import main

if __name__ == "__main__":
    main()
