"""The Celery app: ``celery -A worker.app worker``, ``… beat``, ``… flower``, ``… tier``.

Importing this module needs no service and no setting; a process opens both when it begins to work.
"""

from celery import Celery

from worker import config, results, signals

app: Celery = Celery(
    "tierkeeper",
    amqp="worker.messages:Messages",
    include=[
        "tasks.archive",
        "tasks.canary",
        "tasks.clean_hot",
        "tasks.collect",
        "tasks.converge_due",
        "tasks.dump",
        "tasks.maintain",
        "tasks.promote",
        "tasks.purge",
        "tasks.recompute",
        "tasks.reconcile",
        "tasks.redeliver",
        "tasks.refuse",
        "tasks.restore",
        "tasks.rotate",
        "tasks.store",
        "tasks.store_many",
        "tasks.undelete",
        "tasks.verify",
    ],
)
app.add_defaults(config.worker_settings)
app.loader.override_backends = dict.fromkeys(results.NAMES, "worker.results:Results")
signals.connect()
