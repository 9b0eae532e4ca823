"""Kubernetes Events on the live Service, one a step: what ``kubectl describe service`` and ``kubectl events`` show."""

from __future__ import annotations

import uuid
from typing import Any

from bluegreen import clock
from bluegreen.journal import Record, Step
from bluegreen.kube import Kube
from bluegreen.observability import words
from bluegreen.observability.observer import Observer
from bluegreen.settings import Settings

COMPONENT = "bluegreen"

MESSAGE_LENGTH = 1024
"""The most that Kubernetes takes as an Event's message, in bytes (``pkg/apis/core/validation/events.go``)."""

NEEDS_PERSON = "ReleaseNeedsPerson"


class Events(Observer):
    """Writes an Event a step to the namespace of the application."""

    def __init__(self, kube: Kube, settings: Settings) -> None:
        self._kube, self._settings = kube, settings
        self._release = ""
        self._uid = ""  # the Service's, by which kubectl finds what is about it

    def entered(self, record: Record) -> None:
        """One Event."""
        self._release = record.id
        self._write(reason(record), words.step_sentence(record), warning=not words.is_good(record))

    def person(self, sentence: str) -> None:
        """A warning."""
        self._write(NEEDS_PERSON, sentence, warning=True)

    def _write(self, why: str, message: str, *, warning: bool) -> None:
        service = self._settings.service_name
        if not self._uid:
            found = self._kube.get("Service", service)
            self._uid = str(found["metadata"]["uid"]) if found is not None else ""
        self._kube.create(event(self._settings, self._uid, self._release, why, message, warning=warning))


def event(settings: Settings, uid: str, release: str, why: str, message: str, *, warning: bool) -> dict[str, Any]:
    """The Event object, of core/v1."""
    now = clock.timestamp()
    about = {"apiVersion": "v1", "kind": "Service", "namespace": settings.namespace, "name": settings.service_name}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{settings.service_name}.{uuid.uuid4().hex[:16]}", "namespace": settings.namespace},
        "involvedObject": {**about, **({"uid": uid} if uid else {})},
        "type": "Warning" if warning else "Normal",
        "reason": why,
        "message": message.encode()[:MESSAGE_LENGTH].decode(errors="ignore"),
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": release[:128],  # the most that Kubernetes takes
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }


def reason(record: Record) -> str:
    """The Event's reason: the step as one word, at the end the outcome."""
    word = record.outcome if record.step is Step.CLOSED else str(record.step)
    return "Release" + "".join(part.capitalize() for part in word.split("-"))
