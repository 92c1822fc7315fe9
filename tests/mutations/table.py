"""Every mutation there is: the rules of the design, and the guards around them."""

from mutations.absent import ABSENT
from mutations.answering import ANSWERING
from mutations.asking import ASKING
from mutations.configuring import CONFIGURING
from mutations.connecting import CONNECTING
from mutations.copying import COPYING
from mutations.dead_letters import DEAD_LETTERS
from mutations.deciding import DECIDING
from mutations.detaching import DETACHING
from mutations.ending import ENDING
from mutations.exchanging import EXCHANGING
from mutations.failing import FAILING
from mutations.final_answers import FINAL_ANSWERS
from mutations.folders import FOLDERS
from mutations.gathering import GATHERING
from mutations.gating import GATING
from mutations.growing import GROWING
from mutations.guards import GUARDS
from mutations.healing import HEALING
from mutations.importing import IMPORTING
from mutations.marking import MARKING
from mutations.naming import NAMING
from mutations.opening import OPENING
from mutations.operating import OPERATING
from mutations.ordering import ORDERING
from mutations.outcomes import OUTCOMES
from mutations.purging import PURGING
from mutations.refusing import REFUSING
from mutations.selecting import SELECTING
from mutations.speaking import SPEAKING
from mutations.starting import STARTING
from mutations.surviving import SURVIVING
from mutations.suspecting import SUSPECTING
from mutations.tenants import TENANTS
from mutations.together import TOGETHER
from mutations.unchanged import UNCHANGED
from mutations.unending import UNENDING
from mutations.vouching import VOUCHING
from mutations.waiting import WAITING
from mutations.writing import WRITING

MUTANTS = (
    *ABSENT,
    *ANSWERING,
    *ASKING,
    *CONFIGURING,
    *CONNECTING,
    *COPYING,
    *DEAD_LETTERS,
    *DECIDING,
    *DETACHING,
    *ENDING,
    *EXCHANGING,
    *FAILING,
    *FINAL_ANSWERS,
    *FOLDERS,
    *GATHERING,
    *GATING,
    *GROWING,
    *GUARDS,
    *HEALING,
    *IMPORTING,
    *MARKING,
    *NAMING,
    *OPENING,
    *OPERATING,
    *OUTCOMES,
    *ORDERING,
    *PURGING,
    *REFUSING,
    *SELECTING,
    *SPEAKING,
    *STARTING,
    *SURVIVING,
    *SUSPECTING,
    *TENANTS,
    *TOGETHER,
    *UNCHANGED,
    *UNENDING,
    *VOUCHING,
    *WAITING,
    *WRITING,
)
