"""The five services as they are now, found at test time."""

from __future__ import annotations

from importlib import import_module

from paybill_common.consumer import Subscription
from paybill_common.service import ServiceSpec
from paybill_stack.bootstrap import SERVICES


def spec_of(service: str) -> ServiceSpec:
    """`SPEC` of a service's `app` module."""
    spec: ServiceSpec = import_module(f"{service.replace('-', '_')}.app").SPEC
    return spec


def subscription_of(service: str) -> Subscription:
    """`SUBSCRIPTION` of a service's `subscriptions` module."""
    subscription: Subscription = import_module(f"{service.replace('-', '_')}.subscriptions").SUBSCRIPTION
    return subscription


__all__ = ["SERVICES", "spec_of", "subscription_of"]
