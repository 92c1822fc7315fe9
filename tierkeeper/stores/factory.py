"""Create a tier's store from its settings; adapters are found through the entry points ``tierkeeper.stores``."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoints, entry_points

from tierkeeper.settings.groups import TierSettings
from tierkeeper.stores.base import Store, StoreConfig
from tierkeeper.stores.errors import BadTierUrl, UnknownScheme
from tierkeeper.stores.options import setting_of
from tierkeeper_client import urls
from tierkeeper_client.errors import TierkeeperError

GROUP = "tierkeeper.stores"


def make(
    tier: str, settings: TierSettings, *, io_threads: int, catalog_url: str | None, others_write: bool = False
) -> Store:
    """Return the store of ``tier``; it is not connected yet. ``others_write``: producers write into it.

    ``postgres:`` without a host means the catalog's server at ``catalog_url``. Raises :class:`UnknownScheme` and
    :class:`BadTierUrl`.
    """
    adapter, config = _configured(tier, settings, io_threads=io_threads, catalog_url=catalog_url)
    with _judging(tier):
        return adapter(replace(config, others_write=others_write))


def check(tier: str, settings: TierSettings, *, catalog_url: str) -> None:
    """Raise as :func:`make` for a URL or options that cannot be used, as far as that is known without a connection."""
    adapter, config = _configured(tier, settings, io_threads=1, catalog_url=catalog_url)
    owner = getattr(adapter, "__self__", None)  # the class, where the adapter is a class method of it
    with _judging(tier):
        if isinstance(owner, type) and issubclass(owner, Store):
            owner.check_url(config)
        else:
            adapter(config).close()


@contextmanager
def _judging(tier: str) -> Iterator[None]:
    """Raise BadTierUrl for whatever an adapter raises that is no error of tierkeeper's."""
    try:
        yield
    except TierkeeperError:
        raise
    except Exception as error:
        problem = f"its adapter fails: {type(error).__name__}: {error}."
        fix = "Correct its URL and options; if they are right, report it to the adapter's makers."
        raise BadTierUrl(setting=setting_of(tier), problem=problem, fix=fix) from error


def _configured(
    tier: str, settings: TierSettings, *, io_threads: int, catalog_url: str | None
) -> tuple[Callable[[StoreConfig], Store], StoreConfig]:
    place, options = read(tier, settings)
    adapter = _adapter(tier, place.scheme)
    url = settings.url.partition("?")[0]
    if place.scheme == "postgres" and not place.host and "host" not in options:
        if catalog_url is None:
            raise BadTierUrl(
                setting=setting_of(tier),
                problem="it means the catalog's server, and there is none.",
                fix="Set TIERKEEPER_CATALOG__URL, or write postgres://host/database.",
            )
        url = catalog_url
    return adapter, StoreConfig(tier=tier, url=url, options=options, io_threads=io_threads)


def read(tier: str, settings: TierSettings) -> tuple[urls.PlaceUrl, dict[str, str]]:
    """Return a tier's parsed URL, and its options from the URL and the settings; raises BadTierUrl."""
    try:
        place = urls.parse(settings.url)
    except urls.UnusableUrl as error:
        raise BadTierUrl(setting=setting_of(tier), problem=error.problem, fix=error.fix) from None
    return place, _options(tier, place.options, settings.options)


def _options(tier: str, given: Mapping[str, str], more: dict[str, str]) -> dict[str, str]:
    """Merge the URL's options with the settings'; BadTierUrl for one given twice with different values."""
    options = dict(given)
    for name, value in more.items():
        if options.setdefault(name, value) != value:
            raise BadTierUrl(
                setting=setting_of(tier),
                problem=f"option {name} is given twice, with different values.",
                fix="Keep one of them.",
            )
    return options


def _adapter(tier: str, scheme: str) -> Callable[[StoreConfig], Store]:
    found = _adapters()
    if scheme not in found.names:
        known = ", ".join(sorted(found.names))
        raise UnknownScheme(setting=setting_of(tier), scheme=scheme, known=known)
    with _judging(tier):
        adapter: Callable[[StoreConfig], Store] = found[scheme].load()
    return adapter


@cache
def _adapters() -> EntryPoints:
    """Return the adapters that are installed; to look through the packages costs more than to load one."""
    return entry_points(group=GROUP)
