"""gunicorn's configuration of the fleet: each worker fetches keys and reads the block list before its first request."""


def post_worker_init(_worker):
    from tests.valkey.fleet_app import server

    server.warm_up()
