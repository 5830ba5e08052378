"""Runs in Label Studio's own environment: makes a second user, and prints a token of each kind, one a user."""

import sys

from label_studio.server import _setup_env

_setup_env()

from jwt_auth.models import LSAPIToken  # noqa: E402
from organizations.models import Organization  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402
from users.models import User  # noqa: E402

organization = Organization.objects.first()
organization.jwt.legacy_api_tokens_enabled = organization.jwt.api_tokens_enabled = True
organization.jwt.save()
ann = User.objects.get(email="ann@lab.org")
bo = User.objects.filter(email="bo@lab.org").first() or User.objects.create_user("bo@lab.org", "of-the-walk-2")
if not organization.has_user(bo):
    organization.add_user(bo)
bo.active_organization = organization
bo.save()
legacy = Token.objects.get_or_create(user=ann)[0].key
sys.stdout.write(f"{legacy} {LSAPIToken.for_user(bo).get_full_jwt()}\n")
