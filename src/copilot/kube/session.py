"""Authenticated requests to one API server.

Kubeconfig, client certificates, exec plugins, tokens and their renewal are the official client's;
its generated models (and their import of 0.3 s) stay unused. Requests go out below its model layer
and answers come back raw.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import yaml

from copilot.domain.errors import Invalid, Refused
from copilot.kube.resources import Call
from copilot.ports import Clock

LOGIN_TIMEOUT_S = 30.0
RENEW_EVERY_US = 60_000_000

_LOGIN_ERRORS = (OSError, ValueError, KeyError, TypeError, yaml.YAMLError, aiohttp.ClientError)
"""What the official client lets through when a kubeconfig or a login makes no sense, beside its
own ConfigException."""


class Session:
    """Sends calls to one API server with fresh credentials."""

    def __init__(
        self,
        api: Any,
        *,
        name: str,
        login_errors: tuple[type[Exception], ...],
        renewal: Renewal | None = None,
    ) -> None:
        self._api = api
        self._login_errors = login_errors
        self._renewal = renewal
        self.name = name
        """The context's name, or `in-cluster`."""

    async def send(self, call: Call, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        """The answer, its body still unread; the caller closes it.

        Raises:
            Refused: the credentials could not be renewed.
            aiohttp.ClientError, OSError, TimeoutError: no answer.
        """
        headers = {"Accept": call.accept, "User-Agent": "incident-copilot"}
        if call.body is not None:
            headers["Content-Type"] = call.content_type
        await self._authorise(headers, call)
        query = f"?{urlencode(call.query)}" if call.query else ""
        answer = await self._api.call_api(
            call.method,
            f"{self._api.configuration.host}{call.path}{query}",
            header_params=headers,
            body=call.body,
            _request_timeout=timeout,
        )
        response: aiohttp.ClientResponse = answer.response
        if response.status == 401 and self._renewal is not None:
            self._renewal.force()
        return response

    async def close(self) -> None:
        await self._api.close()

    async def _authorise(self, headers: dict[str, str], call: Call) -> None:
        try:
            async with asyncio.timeout(LOGIN_TIMEOUT_S):
                await self._api.update_params_for_auth(
                    headers, [], ["BearerToken"], call.path, call.method, None
                )
        except self._login_errors as error:
            raise Refused(
                f"could not renew the credentials for cluster {self.name}: {str(error)[:200]};"
                " log in again"
            ) from error


class Renewal:
    """Loads credentials again, once a minute at most and after a 401: exec plugins, OIDC and
    token files hand out short-lived tokens."""

    def __init__(self, load: Callable[[Any], Awaitable[None]], clock: Clock) -> None:
        self._load = load
        self._clock = clock
        self._due_us = clock.now_us() + RENEW_EVERY_US

    def force(self) -> None:
        """Load at the next request."""
        self._due_us = 0

    async def __call__(self, configuration: Any) -> None:
        now_us = self._clock.now_us()
        if now_us < self._due_us:
            return
        # First, so that requests that come meanwhile go on with the old ones.
        self._due_us = now_us + RENEW_EVERY_US
        await self._load(configuration)


async def open_session(*, kubeconfig: str | None, context: str | None, clock: Clock) -> Session:
    """From the kubeconfig that is named, else the default one (`KUBECONFIG`, `~/.kube/config`),
    else, where there is none, as the service account of the pod we run in.

    Raises:
        Invalid: there is no such file or context, or it makes no sense.
    """
    # Costs 0.3 s and 55 MiB, so only those who have a cluster pay it.
    from kubernetes.aio.client import ApiClient, Configuration
    from kubernetes.aio.config import (
        KUBE_CONFIG_DEFAULT_LOCATION,
        ConfigException,
        load_incluster_config,
        load_kube_config,
    )

    configuration = Configuration()
    errors = (ConfigException, *_LOGIN_ERRORS)
    try:
        if not (kubeconfig or context or _exists(KUBE_CONFIG_DEFAULT_LOCATION)):
            load_incluster_config(client_configuration=configuration)
            api = _client(ApiClient, configuration)
            return Session(api, name="in-cluster", login_errors=errors)
        async with asyncio.timeout(LOGIN_TIMEOUT_S):
            loader = await load_kube_config(
                config_file=kubeconfig,
                context=context,
                client_configuration=configuration,
                persist_config=False,
            )
    except errors as error:
        raise Invalid(
            f"{_place(kubeconfig, context)} cannot be used: {str(error)[:200]}"
        ) from error
    renewal = Renewal(loader.load_and_set, clock)
    configuration.refresh_api_key_hook = renewal
    name = context or str(loader.current_context["name"])
    api = _client(ApiClient, configuration)
    return Session(api, name=name, login_errors=errors, renewal=renewal)


def _exists(locations: str) -> bool:
    """Whether any of the default kubeconfigs is there, of which there may be several."""
    return any(Path(one).expanduser().is_file() for one in locations.split(os.pathsep) if one)


def _client(api_client: Any, configuration: Any) -> Any:
    # As Go's HTTP client does, never send loopback through a proxy of the environment.
    configuration.client_session_kwargs = {"trust_env": not _is_loopback(configuration.host)}
    return api_client(configuration=configuration)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _place(kubeconfig: str | None, context: str | None) -> str:
    if kubeconfig is None and context is None:
        return "no kubeconfig was found, and the service account of a pod"
    named = f"context {context!r} of " if context else ""
    return f"{named}{kubeconfig or 'the default kubeconfig'}"
