"""What workers are for, and how each is made ready; light to import, as the engine's host needs no torch."""

TRAIN, SIDE, OWN_LOSS = "train", "side", "own"  # Dask resources of the workers; own: losses that a user wrote
OWN_VARIABLE = "LOSSLAB_OWN_WORKER"  # set for the workers that may run own losses, and for no other process
NICE = "losslab.nice"  # Dask configuration: how far a worker yields to other processes


def warm_worker(purpose: str) -> None:
    """Runs in a worker: do its slow first things."""
    # Torch takes seconds to import, and the process that sends this never needs it.
    from models.engine import jobs

    if purpose == SIDE:
        jobs.warm_side()
    else:
        jobs.warm_training()
