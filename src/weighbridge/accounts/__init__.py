"""Who someone is and what they may do: accounts, roles, tokens, passwords, readers.

reader = await authenticate(db, token_text, now_ms=clock())
roles = await roles_on_repo(db, reader.account.id, repo)
"""

from weighbridge.accounts.account import (
    Account,
    AccountKind,
    check_name,
    create_organisation,
    create_user,
    disable_account,
    find_account,
    get_account,
    list_accounts,
)
from weighbridge.accounts.password import check_password, set_password
from weighbridge.accounts.reader import ANONYMOUS, Reader, authenticate
from weighbridge.accounts.role import (
    Membership,
    Role,
    ScopeKind,
    grant_role,
    hub_roles,
    members_of,
    organisations_of,
    revoke_role,
    roles_in_namespace,
    roles_on_repo,
)
from weighbridge.accounts.token import (
    SCOPES,
    Token,
    close_session,
    create_token,
    list_tokens,
    open_session,
    revoke_token,
)

__all__ = [
    "ANONYMOUS",
    "SCOPES",
    "Account",
    "AccountKind",
    "Membership",
    "Reader",
    "Role",
    "ScopeKind",
    "Token",
    "authenticate",
    "check_name",
    "check_password",
    "close_session",
    "create_organisation",
    "create_token",
    "create_user",
    "disable_account",
    "find_account",
    "get_account",
    "grant_role",
    "hub_roles",
    "list_accounts",
    "list_tokens",
    "members_of",
    "open_session",
    "organisations_of",
    "revoke_role",
    "revoke_token",
    "roles_in_namespace",
    "roles_on_repo",
    "set_password",
]
