"""The filter by tenant, dropped at one call after the other: a second tenant's rows are counted, planned, moved."""

from mutations.mutant import Edit, Mutant

_TENANTS = "tests/integration/keeper/test_tenants.py::"
_SCHEDULE = "tierkeeper/catalog/schedule.py"
_BROWSE = "tierkeeper/catalog/browse.py"
_PREVIEW = "tierkeeper/engine/plans/preview.py"
_ROTATION = "tierkeeper/engine/converge/rotation.py"
_OWN = "test_only_the_tenants_own["
#: of any tenant, and a parameter that is still used
_ANY = "(:tenant IS NULL OR true)"


def _dropped(where: str, file: str, old: str, new: str, test: str) -> Mutant:
    """Return a mutant that asks for every tenant's rows where one tenant's were asked for."""
    return Mutant("tenant", f"{where}: of any tenant", (Edit(file, old, new),), (f"{_TENANTS}{test}",))


TENANTS = (
    _dropped(
        "claims",
        _SCHEDULE,
        "                AND {OF_TENANT}\n                AND {which}\n",
        f"                AND {_ANY}\n                AND {{which}}\n",
        f"{_OWN}one-rotate]",
    ),
    _dropped(
        "the count of due artifacts",
        _SCHEDULE,
        '{due("statement_timestamp()")}\n        AND {OF_TENANT}\n',
        f'{{due("statement_timestamp()")}}\n        AND {_ANY}\n',
        "test_only_the_tenants_own_are_counted",
    ),
    _dropped(
        "whether anything is due",
        _SCHEDULE,
        "            AND {OF_TENANT}\n            AND {_IN_TIERS}\n    )\n",
        f"            AND {_ANY}\n            AND {{_IN_TIERS}}\n    )\n",
        "test_nothing_due_of_a_tenant_begins_no_run",
    ),
    _dropped(
        "the preview of what is due",
        _SCHEDULE,
        "(:after_due, :after_id)\n        AND {OF_TENANT}\n",
        f"(:after_due, :after_id)\n        AND {_ANY}\n",
        f"{_OWN}one-due]",
    ),
    _dropped(
        "statistics",
        "tierkeeper/catalog/copy_counts.py",
        "AND {OF_TENANTS_SCOPE}\n",
        f"AND {_ANY}\n",
        "test_only_the_tenants_own_are_counted",
    ),
    _dropped(
        "plans", _BROWSE, "AND id > :after AND {OF_TENANT}\n", f"AND id > :after AND {_ANY}\n", f"{_OWN}one-plan]"
    ),
    _dropped(
        "the matches of a policy",
        _BROWSE,
        "            *of_tenant(NAME.c.tenant, match.tenant),\n",
        "",
        "test_a_policy_of_a_tenant_matches_its_artifacts",
    ),
    _dropped("lists", _BROWSE, "        *of_tenant(NAME.c.tenant, filter_.tenant),\n", "", f"{_OWN}one-find]"),
    _dropped(
        "parked artifacts",
        "tierkeeper/catalog/parked.py",
        "        *of_tenant(_SCHEDULE.c.tenant, tenant),\n",
        "",
        f"{_OWN}one-parked artifacts]",
    ),
    _dropped(
        "parked messages",
        "tierkeeper/catalog/deliveries.py",
        "        *of_tenant(_TABLE.tenant, tenant),\n",
        "",
        f"{_OWN}one-parked messages]",
    ),
    _dropped(
        "events",
        "tierkeeper/catalog/events.py",
        "    statement = statement.where(*of_tenant(EVENTS.c.tenant, tenant))\n",
        "",
        f"{_OWN}one-events]",
    ),
    _dropped(
        "a run that is at work",
        "tierkeeper/catalog/runs.py",
        "tenant IS NOT DISTINCT FROM :tenant",
        "(true OR tenant IS NOT DISTINCT FROM :tenant)",
        "test_nothing_due_of_a_tenant_begins_no_run",
    ),
    _dropped("a rotation claims", _ROTATION, "worker, tenant=tenant,", "worker, tenant=None,", f"{_OWN}one-rotate]"),
    _dropped(
        "a rotation begins",
        _ROTATION,
        "any_due(connection, tenant=tenant,",
        "any_due(connection, tenant=None,",
        "test_nothing_due_of_a_tenant_begins_no_run",
    ),
    _dropped(
        "due artifacts are previewed",
        _PREVIEW,
        "limit=size, tenant=tenant)",
        "limit=size, tenant=None)",
        f"{_OWN}one-due]",
    ),
    _dropped(
        "all artifacts are planned",
        _PREVIEW,
        "limit=_PAGE, tenant=view.tenant)",
        "limit=_PAGE, tenant=None)",
        f"{_OWN}one-apply]",
    ),
    _dropped(
        "copies are counted",
        "tierkeeper/engine/read/views.py",
        "copy_counts.estimated(connection, tenant=tenant)",
        "copy_counts.estimated(connection, tenant=None)",
        "test_only_the_tenants_own_are_counted",
    ),
    _dropped(
        "stuck work is selected",
        "tierkeeper/engine/operations/parked.py",
        '        "tenant": filter_.tenant,\n',
        '        "tenant": None,\n',
        f"{_OWN}one-parked artifacts]",
    ),
)
