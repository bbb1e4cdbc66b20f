#!/usr/bin/env python3
"""What deploy/ says about ports, paths and users, said once and the same by all.

Needs python3-yaml; exits with 77, which ctest takes for a skip, without it.
"""
import re
import shutil
import subprocess
import sys
import unittest

from sources import ROOT

try:
    import yaml
except ImportError:
    print("skipped: python3-yaml is not installed; ./dev test installs it")
    sys.exit(77)

KUBERNETES = ROOT / "deploy/kubernetes"


def read(path):
    return (ROOT / "deploy" / path).read_text(encoding="utf-8")


def resources():
    """Of the kustomization, by kind."""
    found = {}
    for name in yaml.safe_load(read("kubernetes/kustomization.yaml"))["resources"]:
        for document in yaml.safe_load_all(read(f"kubernetes/{name}")):
            found[document["kind"]] = document
    return found


def image_environment():
    return dict(re.findall(r"(CLUSTERD_\w+)=(\S+)", read("Containerfile")))


class DeployTest(unittest.TestCase):

    def setUp(self):
        found = resources()
        self.stateful_set = found["StatefulSet"]["spec"]
        self.service = found["Service"]["spec"]
        self.policy = found["NetworkPolicy"]["spec"]
        self.pod = self.stateful_set["template"]
        self.container, = self.pod["spec"]["containers"]
        self.ports = {port["name"]: port["containerPort"]
                      for port in self.container["ports"]}

    def test_every_manifest_is_in_the_kustomization(self):
        listed = set(yaml.safe_load(
            read("kubernetes/kustomization.yaml"))["resources"])
        self.assertEqual(listed | {"kustomization.yaml"},
                         {path.name for path in KUBERNETES.iterdir()})

    def test_selectors_select_the_pod(self):
        labels = self.pod["metadata"]["labels"]
        self.assertEqual(self.stateful_set["selector"]["matchLabels"], labels)
        self.assertEqual(self.service["selector"], labels)
        self.assertEqual(self.policy["podSelector"]["matchLabels"], labels)

    def test_ports_are_those_that_the_image_serves(self):
        environment = image_environment()
        self.assertEqual(environment["CLUSTERD_GRPC_ADDRESS"],
                         f"0.0.0.0:{self.ports['grpc']}")
        self.assertEqual(environment["CLUSTERD_HTTP_ADDRESS"],
                         f"0.0.0.0:{self.ports['http']}")
        self.assertEqual({p["targetPort"] for p in self.service["ports"]},
                         set(self.ports))

    def test_names_of_services_set_nothing(self):
        self.assertFalse(self.pod["spec"]["enableServiceLinks"])

    def test_data_is_on_the_volume_of_the_user(self):
        mount, = self.container["volumeMounts"]
        self.assertEqual(mount["mountPath"],
                         image_environment()["CLUSTERD_DATA_DIR"])
        user = self.pod["spec"]["securityContext"]
        self.assertIn(f"USER {user['runAsUser']}:{user['runAsGroup']}",
                      read("Containerfile"))

    def test_kustomize_builds_it(self):
        if not shutil.which("kubectl"):
            self.skipTest("kubectl is not installed")
        done = subprocess.run(["kubectl", "kustomize", str(KUBERNETES)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(list(yaml.safe_load_all(done.stdout))), 3)


if __name__ == "__main__":
    sys.exit(unittest.main())
