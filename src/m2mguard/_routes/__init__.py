"""The routes of an application: which there are, what each asks of its caller, and which ResourceServers protect them."""

from m2mguard._routes.django_sites import settings_of_site
from m2mguard._routes.report import RouteReport, RouteSeverity, is_named
from m2mguard._routes.servers import servers_of
from m2mguard._routes.survey import survey

__all__ = ["RouteReport", "RouteSeverity", "is_named", "servers_of", "settings_of_site", "survey"]
