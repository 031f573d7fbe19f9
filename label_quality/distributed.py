"""Steps on several machines: Celery's executor from Dagster, and the application that its workers run.

``executor = "celery"`` in the settings chooses it; without, nothing here is imported. A worker is started by
``celery --app label_quality.distributed worker --queues dagster``, the one beside the database by ``--queues publish``
(docs/deploy.md). What Celery is told stands here alone, so that runs and workers cannot differ in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import dagster as dg
from dagster._core.execution.retries import RetryMode
from dagster_celery.executor import CeleryExecutor
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_task

from label_quality.assets.alive import PARTITION_TAG, at_work
from label_quality.assets.resources import HELD_TAG
from label_quality.settings import Settings, SettingsError, load_settings
from label_quality.store import Store, StoreError

_LOOKED_FOR = 10  # seconds between two looks for steps of workers that are gone


def build_executor(settings: Settings) -> dg.ExecutorDefinition:
    """The executor that hands steps to the workers of the settings' broker."""

    @dg.executor(name="celery", requirements=dg.multiple_process_executor_requirements())
    def celery_executor(_context: dg.InitExecutorContext) -> HoldingExecutor:
        return _executor(settings)

    return celery_executor


class HoldingExecutor(CeleryExecutor):  # type: ignore[misc]
    """Holds the run's and the batch's lock from the first step to the last, on the machine of the database.

    In a run of one process the steps' resource does. Here steps of one run work side by side in processes, perhaps on
    machines, that know nothing of each other; a tag of the run tells them that the locks are held, or why they are not.
    """

    root = ""  # the one of the definitions

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[Any]:
        """Run the plan. Where the batch is held by another run the first step fails and says so."""
        run, instance = plan_context.dagster_run, plan_context.instance
        with ExitStack() as held:
            refusal = ""
            try:
                settings = load_settings(self.root or None)
                held.enter_context(at_work(settings.root_path, run.run_id))
                if batch := run.tags.get(PARTITION_TAG):
                    held.enter_context(Store(settings.root_path, settings).lock(batch))
            except (StoreError, SettingsError, OSError) as error:
                refusal = str(error)
            # With the run's own id: a run that repeats another one inherits its tags.
            instance.add_run_tags(run.run_id, {HELD_TAG: f"{run.run_id} {refusal}".strip()})
            yield from super().execute(plan_context, execution_plan)


def _executor(settings: Settings) -> HoldingExecutor:
    seconds = settings.celery.visibility_timeout_seconds
    made = HoldingExecutor(
        retries=RetryMode.ENABLED,
        broker=settings.celery.broker,
        backend=settings.celery.broker,
        include=[
            "label_quality.definitions"
        ],  # before a worker forks, so that none of its children need do it
        config_source={
            # A step that was handed to a worker is done, or is handed to another one when the worker is gone so long.
            "task_acks_late": True,
            # Where that was too early, and the step was done after all, it is not done again.
            "worker_deduplicate_successful_tasks": True,
            "broker_transport_options": {
                "visibility_timeout": seconds,
                "unacked_restore_interval": min(_LOOKED_FOR, seconds),
                "unacked_restore_throttle": 1,
            },
            "broker_connection_retry_on_startup": True,
            "worker_prefetch_multiplier": 1,  # none waits behind a long step while a worker is idle
        },
    )
    made.root = settings.root
    return made


def _application(settings: Settings) -> Any:
    made = make_app(_executor(settings).app_args())
    create_task(made)
    return made


app = _application(load_settings())
