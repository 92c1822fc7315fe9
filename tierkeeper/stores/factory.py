"""Makes a tier's store from its settings; adapters are found through the entry points ``tierkeeper.stores``."""

from collections.abc import Callable
from importlib.metadata import entry_points
from urllib.parse import parse_qsl, urlsplit

from tierkeeper.base.settings_groups import TierSettings
from tierkeeper.stores.base import Store, StoreConfig
from tierkeeper.stores.errors import BadTierUrl, UnknownScheme
from tierkeeper.stores.options import setting_of

GROUP = "tierkeeper.stores"


def make(tier: str, settings: TierSettings, *, io_threads: int, catalog_url: str | None) -> Store:
    """Return the store of ``tier``; nothing is connected yet.

    ``postgres:`` without a host means the catalog's server at ``catalog_url``. Raises :class:`UnknownScheme` and
    :class:`BadTierUrl`.
    """
    parts = urlsplit(settings.url)
    options = _options(tier, parts.query, settings.options)
    adapter = _adapter(tier, parts.scheme)
    url = settings.url.partition("?")[0]
    if parts.fragment:
        raise BadTierUrl(setting=setting_of(tier), problem="it has a '#'.", fix="Write %23 where it belongs to a name.")
    if parts.scheme == "postgres" and not parts.netloc and "host" not in options:
        if catalog_url is None:
            raise BadTierUrl(
                setting=setting_of(tier),
                problem="it means the catalog's server, and there is none.",
                fix="Set TIERKEEPER_CATALOG__URL, or write postgres://host/database.",
            )
        url = catalog_url
    return adapter(StoreConfig(tier=tier, url=url, options=options, io_threads=io_threads))


def _options(tier: str, query: str, more: dict[str, str]) -> dict[str, str]:
    """Merge the URL's query with the tier's options; an option given twice with different values is refused."""
    options: dict[str, str] = {}
    for name, value in [*parse_qsl(query, keep_blank_values=True), *more.items()]:
        if options.setdefault(name, value) != value:
            raise BadTierUrl(
                setting=setting_of(tier),
                problem=f"option {name} is given twice, with different values.",
                fix="Keep one of them.",
            )
    return options


def _adapter(tier: str, scheme: str) -> Callable[[StoreConfig], Store]:
    found = entry_points(group=GROUP)
    if scheme not in found.names:
        known = ", ".join(sorted(found.names))
        raise UnknownScheme(setting=setting_of(tier), scheme=scheme, known=known)
    adapter: Callable[[StoreConfig], Store] = found[scheme].load()
    return adapter
