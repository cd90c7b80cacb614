#!/usr/bin/env python3
"""services.py HOLDFAST [unittest options]: what deploy/ gives to supervisors, as far as that can be tried without them.

The unit's, compose's and the pod's commands are run with their own arguments, configuration and environment on the development
broker; signals, words to the supervisor and probes are theirs. `systemd-analyze verify` looks at the unit where it is installed.
"""

import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import unittest

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import command
from command import PROJECT, SAMPLE, TOPIC, Case, await_true

DEPLOY = PROJECT / "deploy"
UNIT = (DEPLOY / "holdfast.service").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
POD = {part["kind"]: part for part in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())}


def settings(text):
    """Of a unit, those that count: the last of a name."""
    return dict(line.split("=", 1) for line in text.splitlines() if re.match(r"\w+=", line))


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text).group(1))


class Service(Case):
    def setUp(self):
        super().setUp()
        port_file = self.directory / "bootstrap"
        self.started("broker", "--topic", TOPIC, "--port-file", port_file)
        await_true("the broker listens", port_file.exists)
        self.broker = port_file.read_text().strip()
        self.listener = self.directory / "listener"

    def runs(self, *arguments, **variables):
        """As it stands, but for where it runs."""
        process = self.started(*arguments, "--port-file", self.listener, "--set", f"store.path={self.store}", "--set", "serve.port=0",
                               "--set", "serve.address=127.0.0.1", "--set", f"kafka.bootstrap.servers={self.broker}", **variables)
        await_true("it listens", lambda: self.listener.exists() or process.poll() is not None)
        self.assertIsNone(process.poll(), process.stderr.read() if process.poll() is not None else "")
        return process

    def ends(self, process, grace_s):
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(grace_s), 0)

    def answer(self, path):
        return command.fetch(self.listener.read_text().strip(), path)[0]

    def taken(self):
        return self.status()["total"]["taken"]


class Systemd(Service):
    def test_it_is_a_unit(self):
        analyze = shutil.which("systemd-analyze")
        if analyze is None:
            self.skipTest("systemd-analyze is not installed")
        path = self.directory / "holdfast.service"
        path.write_text(UNIT.replace("/usr/local/bin/holdfast", command.PROGRAM))
        done = subprocess.run([analyze, "verify", path], capture_output=True, text=True, timeout=command.PATIENCE_S)
        said = [line for line in done.stderr.splitlines() if "holdfast" in line]
        self.assertEqual((said, done.returncode), ([], 0))

    def test_it_does_not_give_up_but_on_a_wrong_configuration(self):
        unit = settings(UNIT)
        self.assertEqual((unit["StartLimitIntervalSec"], unit["Restart"], unit["TimeoutStartSec"]), ("0", "always", "infinity"))
        self.config.write_text('{"stroe": {}}')
        self.holdfast("run", "--config", self.config, status=int(unit["RestartPreventExitStatus"]))

    def test_its_command_says_when_it_is_up_and_when_it_ends(self):
        unit = settings(UNIT)
        self.assertEqual(unit["Type"], "notify")
        program, *arguments = unit["ExecStart"].split()
        self.assertEqual(program, "/usr/local/bin/holdfast")
        where = arguments.index("/etc/holdfast/holdfast.json")
        self.configure()
        arguments[where] = self.config
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.bind(str(self.directory / "notify"))
            supervisor.settimeout(command.PATIENCE_S)
            process = self.runs(*arguments, NOTIFY_SOCKET=str(self.directory / "notify"))
            self.assertEqual(supervisor.recv(100), b"READY=1")
            self.assertEqual(unit["ExecReload"], "/bin/kill -HUP $MAINPID")
            process.send_signal(signal.SIGHUP)
            self.assertEqual(self.answer("/readyz"), 200)
            self.ends(process, seconds(unit["TimeoutStopSec"]))
            self.assertEqual(supervisor.recv(100), b"STOPPING=1")

    def test_it_may_write_where_its_store_is_and_nowhere_else(self):
        unit = settings(UNIT)
        self.assertEqual((unit["StateDirectory"], unit["ProtectSystem"]), ("holdfast", "strict"))
        self.assertIn("store.path DIRECTORY                where the store is (default /var/lib/holdfast)", self.holdfast("run", "--help").stdout)


class Compose(Service):
    def service(self, name):
        one = COMPOSE["services"][name]
        variables = {key: value for key, value in one["environment"].items() if key != "HOLDFAST_KAFKA_BOOTSTRAP_SERVERS"}
        return one, variables

    def test_what_is_sent_is_taken(self):
        holdfast, variables = self.service("holdfast")
        files = dict(one.split(":")[1::-1] for one in holdfast["volumes"] if one.startswith("."))
        schema = DEPLOY / files[variables.pop("HOLDFAST_SCHEMA")]
        self.assertEqual(schema.resolve(), SAMPLE)
        payments, more = self.service("payments")
        self.assertEqual(more, {})
        send = [{"1000000": "500", "500": "5000"}.get(word, word) for word in payments["command"]]
        process = self.runs("run", HOLDFAST_SCHEMA=str(schema), **variables)
        self.holdfast(*send, HOLDFAST_KAFKA_BOOTSTRAP_SERVERS=self.broker)
        await_true("all is taken", lambda: self.taken() == 500)
        self.ends(process, seconds(holdfast["stop_grace_period"]))

    def test_it_is_asked_by_its_host_alone(self):
        holdfast, _ = self.service("holdfast")
        self.assertEqual(holdfast["ports"], ["127.0.0.1:6566:6566"])
        self.assertIn("EXPOSE 6566", (PROJECT / "Dockerfile").read_text())

    def test_its_volumes_are_there(self):
        named = {one.split(":")[0] for service in COMPOSE["services"].values() for one in service.get("volumes", []) if not one.startswith(".")}
        self.assertEqual(named, set(COMPOSE["volumes"]))
        self.assertIn("VOLUME /var/lib/holdfast", (PROJECT / "Dockerfile").read_text())


class Kubernetes(Service):
    def setUp(self):
        super().setUp()
        self.pod = POD["StatefulSet"]["spec"]["template"]["spec"]
        self.container = self.pod["containers"][0]
        for name, text in POD["ConfigMap"]["data"].items():
            (self.directory / name).write_text(text)

    def test_its_command_answers_its_probes_and_ends_in_time(self):
        self.assertIn("is a good schema", self.holdfast("schema", "check", "schema.json").stdout)
        arguments = [str(self.directory / "holdfast.json") if word == "/etc/holdfast/holdfast.json" else word for word in self.container["args"]]
        process = self.runs(*arguments)
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = self.container[probe]["httpGet"]
            self.assertEqual((asked["port"], self.answer(asked["path"])), ("http", 200))
        self.ends(process, self.pod["terminationGracePeriodSeconds"])

    def test_its_parts_fit(self):
        whole, service = POD["StatefulSet"]["spec"], POD["Service"]
        labels = whole["template"]["metadata"]["labels"]
        self.assertEqual((whole["selector"]["matchLabels"], service["spec"]["selector"]), (labels, labels))
        self.assertEqual((whole["serviceName"], whole["replicas"]), (service["metadata"]["name"], 1))
        self.assertEqual(self.container["ports"], [{"name": "http", "containerPort": 6566}])
        self.assertEqual(service["spec"]["ports"][0]["targetPort"], "http")
        there = {one["name"] for one in self.pod["volumes"]} | {one["metadata"]["name"] for one in whole["volumeClaimTemplates"]}
        self.assertEqual({one["name"] for one in self.container["volumeMounts"]}, there)
        mounted = {one["name"]: one["mountPath"] for one in self.container["volumeMounts"]}
        config = json.loads(POD["ConfigMap"]["data"]["holdfast.json"])
        self.assertEqual(mounted["store"], config["store"]["path"])
        self.assertIs(self.pod["enableServiceLinks"], False)

    def test_all_supervisors_wait_as_long(self):
        waits = {seconds(settings(UNIT)["TimeoutStopSec"]), seconds(COMPOSE["services"]["holdfast"]["stop_grace_period"]),
                 self.pod["terminationGracePeriodSeconds"]}
        self.assertEqual(len(waits), 1)


if __name__ == "__main__":
    command.PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
