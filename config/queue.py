"""The message queue inside PostgreSQL (PGMQ): plain SQL, no extension needed."""

import psycopg

LOCK = 0x6C617572656C  # "laurel": one installer at a time


def install(conninfo: str) -> bool:
    """Install the PGMQ schema in the database unless it has one. True when it was installed now."""
    with psycopg.connect(conninfo) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        if connection.execute("SELECT to_regclass('pgmq.meta') IS NOT NULL").fetchone() == (True,):
            return False
        from pgmq.install import install_pgmq_from_sql

        install_pgmq_from_sql(conn=connection)
    return True
