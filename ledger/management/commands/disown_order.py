"""Ends an order that never came to be from the command line, by a person's word."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError

from arbplatform.commands import TerminalCommand
from arbplatform.core.errors import ArbError, Message
from arbplatform.wording import render
from ledger.services.disowning import disown_order

PERMISSION = "ledger.add_entry"


class Command(TerminalCommand):
    """``manage.py disown_order``."""

    help = (
        "End an order of unknown outcome whose client id is that of another order at the venue: "
        "you have looked there and are sure that ours never came to be. The venue is asked first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the order, who says so, and why."""
        parser.add_argument("order_id", type=int, metavar="ORDER_ID")
        parser.add_argument("--user", required=True, help="your name in the console")
        parser.add_argument("--reason", required=True, help="why you are sure")

    def handle(self, *_args: Any, **options: Any) -> None:
        """End it, and say what it is now.

        Raises:
            CommandError: the person may not say so, or the order cannot be ended; nothing changed.
        """
        name = options["user"]
        user = get_user_model().objects.filter(username=name).first()
        if user is None or not user.has_perm(PERMISSION):
            told = Message("{user} may not decide about orders. Nothing was done.", {"user": name})
            raise CommandError(render(told))
        try:
            order = disown_order(order_id=options["order_id"], note=options["reason"], user=user)
        except ArbError as error:
            fields = [
                render(text) for texts in getattr(error, "fields", {}).values() for text in texts
            ]
            raise CommandError(" ".join([render(error.message), *fields])) from error
        what = {"order": str(order), "state": order.get_state_display()}
        self.stdout.write(render(Message("Order {order} is {state} now.", what)))
