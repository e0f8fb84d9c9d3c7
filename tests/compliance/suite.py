"""The DB-API 2.0 compliance suite for one driver; run in a pod's own interpreter and on the host.

``python suite.py DBAPI20 SPEC`` imports the driver that SPEC (JSON) names and prints what came of
each test. Python 3.8, and the standard library alone, but for the file of the suite.
"""

import importlib
import importlib.util
import json
import sys
import unittest


def load_dbapi20(path):
    """Import the suite from its file, which an interpreter that runs it need not have."""
    spec = importlib.util.spec_from_file_location("dbapi20", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(dbapi20, driver, spec):
    """Return what came of each test, with a driver that is a module or stands for one."""
    kwargs = dict(spec["kwargs"])
    cursor_class = spec.get("cursor_class")
    if cursor_class:
        where, name = cursor_class
        kwargs[where] = getattr(find_cursors(driver, spec), name)
    result = Outcomes()
    unittest.defaultTestLoader.loadTestsFromTestCase(make_case(dbapi20, driver, spec, kwargs)).run(
        result
    )
    return result.found


def find_cursors(driver, spec):
    for name in spec["cursors"].split("."):
        driver = getattr(driver, name)
    return driver


class Outcomes(unittest.TestResult):
    """Notes of each test whether it passed, else what was raised."""

    def __init__(self):
        super().__init__()
        self.found = {}

    def addSuccess(self, test):
        self.found[test._testMethodName] = "passed"

    def addFailure(self, test, err):
        self.found[test._testMethodName] = describe(err[1])

    addError = addFailure

    def addSkip(self, test, reason):
        self.found[test._testMethodName] = "skipped: " + reason


def describe(error):
    # What a pod raised has its own class's name, here as there.
    return type(error).__name__ + ": " + str(error).partition("\n")[0]


def make_case(dbapi20, driver, spec, kwargs):
    """Return the suite's class for a driver; two tests are ours, as the suite demands."""
    prefix = spec["prefix"]
    module = driver

    class Case(dbapi20.DatabaseAPI20Test):
        driver = module
        connect_args = tuple(spec["args"])
        connect_kw_args = kwargs
        table_prefix = prefix
        ddl1 = "create table %sbooze (name varchar(20))" % prefix
        ddl2 = "create table %sbarflys (name varchar(20), drink varchar(30))" % prefix
        xddl1 = "drop table %sbooze" % prefix
        xddl2 = "drop table %sbarflys" % prefix
        lower_func = spec["lower_func"]

        def setUp(self):
            # A test that fails leaves a connection, whose locks are in the way of what is dropped.
            super().setUp()
            self._connections = []

        def _connect(self):
            connection = super()._connect()
            self._connections.append(connection)
            return connection

        def tearDown(self):
            for connection in self._connections:
                try:
                    connection.close()
                except self.driver.Error:
                    pass
            super().tearDown()

        def test_nextset(self):
            connection = self._connect()
            cursor = connection.cursor()
            if not spec["nextset"]:
                if hasattr(cursor, "nextset"):
                    self.assertRaises(self.driver.NotSupportedError, cursor.nextset)
                return
            self.executeDDL1(cursor)
            for sql in self._populate():
                cursor.execute(sql)
            name = prefix + "deleteme"
            cursor.execute(
                "create procedure %s() begin select count(*) from %sbooze; "
                "select name from %sbooze order by name; end" % (name, prefix, prefix)
            )
            try:
                cursor.callproc(name)
                self.assertEqual(cursor.fetchone()[0], len(self.samples))
                self.assertTrue(cursor.nextset())
                self.assertEqual(cursor.fetchone()[0], self.samples[0])
                self.assertEqual([row[0] for row in cursor], self.samples[1:])
                while cursor.nextset():  # The procedure's own.
                    pass
                self.assertIsNone(cursor.nextset())
            finally:
                cursor.close()
                connection.cursor().execute("drop procedure " + name)

        def test_setoutputsize(self):
            cursor = self._connect().cursor()
            cursor.setoutputsize(1000)
            cursor.setoutputsize(2000, 0)
            cursor.execute("select 1")
            self.assertEqual(cursor.fetchone()[0], 1)

    return Case


if __name__ == "__main__":
    _spec = json.loads(sys.argv[2])
    _driver = importlib.import_module(_spec["driver"])
    if _spec["cursors"]:
        importlib.import_module(_spec["driver"] + "." + _spec["cursors"])
    if "kind" in _spec:
        import server_programs

        print(json.dumps(server_programs.run_all(_driver, _spec)))
    else:
        print(json.dumps(run(load_dbapi20(sys.argv[1]), _driver, _spec)))
