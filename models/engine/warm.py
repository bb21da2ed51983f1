"""What workers are for, and how each is made ready; light to import, as the engine's host needs no torch."""

TRAIN, SIDE = "train", "side"  # Dask resources of the workers
NICE = "losslab.nice"  # Dask configuration: how far a worker yields to other processes


def warm_worker(purpose: str) -> None:
    """Runs in a worker: do its slow first things."""
    # Torch takes seconds to import, and the process that sends this never needs it.
    from models.engine import jobs

    if purpose == TRAIN:
        jobs.warm_training()
    else:
        jobs.warm_side()
