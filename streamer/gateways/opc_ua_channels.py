"""Which secure channels an OPC UA server opens, and as whom a session acts; knows no line."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamer.gateways import extra

with extra("opcua"):
    from asyncua import ua
    from asyncua.crypto.permission_rules import PermissionRuleset, SimpleRoleRuleset, User, UserRole
    from asyncua.crypto.security_policies import (
        SecurityPolicyBasic256Sha256,
        SecurityPolicyFactory,
        SecurityPolicyNone,
    )
    from asyncua.ua.uaerrors import BadUserAccessDenied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.gateways.opc_ua_security import Identity, Trust

_LOG = logging.getLogger(__name__)
CALLER: ContextVar[str] = ContextVar("CALLER", default="")  # of a connection: each has its own task
_SIGN = (ua.SecurityPolicyType.Basic256Sha256_Sign, ua.MessageSecurityMode.Sign)
_ENCRYPT = (
    ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    ua.MessageSecurityMode.SignAndEncrypt,
)
_OPEN = (ua.SecurityPolicyType.NoSecurity, ua.MessageSecurityMode.None_)
_MODES = {"none": (_OPEN,), "sign": (_SIGN, _ENCRYPT), "sign_and_encrypt": (_ENCRYPT,)}


def endpoints(policy: str) -> list[ua.SecurityPolicyType]:
    """What is offered under a policy of the configuration."""
    return [kind for kind, _ in _MODES[policy]]


def channel_policies(
    policy: str, identity: Identity | None, trust: Trust | None
) -> Sequence[SecurityPolicyFactory]:
    """What channels may be opened by."""
    rules = SimpleRoleRuleset()
    if identity is None or trust is None:
        return [SecurityPolicyFactory(SecurityPolicyNone, _OPEN[1], permission_ruleset=rules)]
    secured = [_TrustedOnly(trust, mode, identity, rules) for _, mode in _MODES[policy]]
    asking = SecurityPolicyFactory(_Discovery, _OPEN[1], permission_ruleset=_Nothing())
    return [*secured, asking]


@dataclass(frozen=True, slots=True)
class Sessions:
    """Lets sessions begin: all of them without `trust`, else those of trusted clients."""

    trust: Trust | None

    def get_user(
        self, _server: Any, username: Any = None, password: Any = None, certificate: Any = None
    ) -> User | None:
        """Who this is; None: nobody that may come in. The certificate is that of the channel."""
        del username, password  # there are none: a certificate is what says who it is
        name = self.trust.name_of(certificate) if self.trust else ""
        CALLER.set(name)
        may_enter = bool(name) or self.trust is None
        return User(role=UserRole.User, name=name or None) if may_enter else None


class _TrustedOnly(SecurityPolicyFactory):
    """Opens no channel for a stranger: what he could do in it need not be thought of."""

    def __init__(
        self,
        trust: Trust,
        mode: ua.MessageSecurityMode,
        identity: Identity,
        rules: SimpleRoleRuleset,
    ) -> None:
        policy = SecurityPolicyBasic256Sha256
        super().__init__(policy, mode, identity.certificate, identity.private_key, rules)
        self._trust = trust

    def create(self, peer_certificate: bytes | None) -> Any:
        """The policy of one channel."""
        if not self._trust.name_of(peer_certificate):
            _LOG.warning("a client without a trusted certificate was refused")
            raise BadUserAccessDenied
        return super().create(peer_certificate)


class _Discovery(SecurityPolicyNone):
    """Tells strangers which endpoints there are; a certificate that comes here proves nothing."""

    def __init__(self, _peer_certificate: Any, *_given: Any, **rules: Any) -> None:
        super().__init__(permission_ruleset=rules["permission_ruleset"])


class _Nothing(PermissionRuleset):
    def check_validity(self, user: Any, action_type: Any, body: Any) -> bool:
        """Forbid whatever needs a session."""
        del user, action_type, body
        return False
