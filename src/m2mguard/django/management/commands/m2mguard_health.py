"""`manage.py m2mguard_health`: can the tokens of every issuer be checked?"""

import dataclasses
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from m2mguard.django._settings import resource_server


class Command(BaseCommand):
    """Fetch the issuers' keys and show their state."""

    help = "Fetch the issuers' keys and show their state as JSON. The exit status is 1 if tokens cannot be checked."

    def handle(self, *_: Any, **__: Any) -> None:
        """Run the command."""
        health = resource_server().warm_up()
        self.stdout.write(json.dumps(dataclasses.asdict(health), indent=2))
        if not health.ready:
            raise CommandError("the tokens of some issuer cannot be checked")
