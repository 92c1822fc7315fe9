import base64
from typing import NoReturn

from celery import shared_task

from tasks.base import VerbTask
from tierkeeper import keeper
from tierkeeper.base import log
from tierkeeper.values.parking import DeadLetter
from tierkeeper_client.contract import RefuseArgs, TaskName
from tierkeeper_client.errors import MessageRefused

FIX = "Send it as tierkeeper's client does: well-formed, small and, if the workers have keys, signed with one of them."

_log = log.get(__name__)


@shared_task(bind=True, base=VerbTask, name=TaskName.REFUSE.value, arguments=RefuseArgs)
def refuse(_self: VerbTask, arguments: RefuseArgs) -> NoReturn:
    """Keep a message that the consumer refused as a dead letter, then answer its producer with ``MessageRefused``."""
    letter = DeadLetter(
        raw=base64.b64decode(arguments.raw),
        size=arguments.size,
        sha256=bytes.fromhex(arguments.sha256),
        reason=arguments.reason,
        broker=arguments.broker,
        queue=arguments.queue,
        task=arguments.task,
    )
    if not keeper.current().deliveries.refuse(letter):
        _log.error("a refused message is counted, not kept: there are too many", sha256=arguments.sha256)
    raise MessageRefused(problem=arguments.reason, fix=FIX)
