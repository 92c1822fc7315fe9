"""The real engine against the reference model: any order of what users, time, sweeps, crashes and stores do."""

from faults.lives import Lives
from faults.living import live
from support import scale, vault
from support.house import House


def test_lives(house: House) -> None:
    """Whatever is done in whatever order, wherever it crashes and whichever store fails: engine and model agree."""
    place = vault.install(house, "cold")
    live(
        Lives,
        {"house": house, "vault": place},
        lives=scale.scaled(short=25, long=100),
        steps=scale.scaled(short=18, long=30),
    )
