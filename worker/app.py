"""The Celery app: ``python -P -m worker.start worker``, ``… beat``, ``… flower``; ``celery -A worker.app tier``.

Importing this module needs no service and no setting; a process opens both when it begins to work.
"""

from celery import Celery

from worker import config, loader, results, signals

app: Celery = Celery(
    "tierkeeper",
    amqp="worker.messages:Messages",
    fixups=[],  # Django's puts the working folder before everything that is installed
    loader=loader.InstalledLoader,
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
app.set_default()  # for threads too: Celery's own default reads a configuration in the working folder
signals.connect()
