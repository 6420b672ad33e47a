"""All requests, in the order in which they are sent: later ones build on what earlier ones made."""

from . import artifacts, experiments, inputs, logged_models, metrics, models, params_tags, runs, search, server, versions

STEPS = [
    *server.STEPS,
    *experiments.STEPS,
    *runs.STEPS,
    *metrics.STEPS,
    *params_tags.STEPS,
    *search.STEPS,
    *inputs.STEPS,
    *logged_models.STEPS,
    *models.STEPS,
    *versions.STEPS,
    *artifacts.STEPS,
    *runs.LIFECYCLE,
    *experiments.LIFECYCLE,
]
