"""The parts of the lab as commands with their configuration; what each flag is for where it is odd.

Pure but for the files that the configuration is written to.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lab import credentials, host
from lab.binaries import program
from lab.images import PAUSE
from lab.instance import (
    NODE_IP,
    POD_RANGE,
    REGISTRY_PORT,
    SERVICE_RANGE,
    SILENT_IP,
    Instance,
)

ETCD = "http://127.0.0.1:2379"
MAX_PODS = 200


class Daemons:
    """How to start each part of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def command(self, name: str) -> list[str]:
        """Of `apiserver`, `kubelet`, `registry`, ...

        Raises:
            KeyError: there is no such part.
        """
        commands = {
            "etcd": self._etcd,
            "apiserver": self._apiserver,
            "controller-manager": self._controller_manager,
            "scheduler": self._scheduler,
            "containerd": self._containerd,
            "kubelet": self._kubelet,
            "proxy": self._proxy,
            "dns": self._dns,
            "registry": self._registry,
        }
        return commands[name]()

    def door(self, port: int) -> list[str]:
        """Inside the PID namespace, so that it dies with the rest; PID 1 is the holder."""
        return [
            *self._python("lab.door"),
            *("--port", str(port), "--namespace", "/proc/1/ns/net", "--to", f"{NODE_IP}:6443"),
        ]

    def fake_kubelet(self, nodes: int) -> list[str]:
        kubeconfig = self._instance.kubeconfig_of("admin")
        return [*self._python("lab.fake_kubelet"), str(kubeconfig), "--nodes", str(nodes)]

    def _python(self, module: str) -> list[str]:
        checkout = Path(__file__).parents[1]
        return ["env", f"PYTHONPATH={checkout}", sys.executable, "-m", module]

    def _kubernetes(self, component: str, *flags: str) -> list[str]:
        return [str(program("kubernetes")), component, *flags]

    # ------------------------------------------------------------------ control plane

    def _etcd(self) -> list[str]:
        data = self._instance.state / "etcd"
        return [str(program("etcd")), str(data), ETCD, "http://127.0.0.1:2380"]

    def _apiserver(self) -> list[str]:
        config = self._instance.config
        return self._kubernetes(
            "kube-apiserver",
            f"--etcd-servers={ETCD}",
            f"--cert-dir={credentials.authority(self._instance).parent}",
            "--bind-address=0.0.0.0",
            "--secure-port=6443",
            f"--advertise-address={NODE_IP}",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={config / 'sa.pub'}",
            f"--service-account-signing-key-file={config / 'sa.key'}",
            f"--token-auth-file={config / 'tokens.csv'}",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            "--profiling=false",
            "--event-ttl=2h",
            # old versions are forgotten within a minute, so that 410 is no rarity
            "--etcd-compaction-interval=30s",
            "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-client-certificate={config / 'kubelet-client.crt'}",
            f"--kubelet-client-key={config / 'kubelet-client.key'}",
            f"--client-ca-file={config / 'ca.crt'}",
        )

    def _controller_manager(self) -> list[str]:
        return self._kubernetes(
            "kube-controller-manager",
            f"--kubeconfig={self._instance.kubeconfig_of('controller-manager')}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={self._instance.config / 'sa.key'}",
            f"--root-ca-file={credentials.authority(self._instance)}",
            "--profiling=false",
            *_UNHURRIED,
        )

    def _scheduler(self) -> list[str]:
        return self._kubernetes(
            "kube-scheduler",
            f"--kubeconfig={self._instance.kubeconfig_of('scheduler')}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            *_UNHURRIED,
        )

    # ------------------------------------------------------------------ node

    def _containerd(self) -> list[str]:
        return ["containerd", "--config", str(self._instance.config / "containerd.toml")]

    def _kubelet(self) -> list[str]:
        root = self._instance.state / "kubelet"
        return self._kubernetes(
            "kubelet",
            f"--config={self._instance.config / 'kubelet.json'}",
            f"--kubeconfig={self._instance.kubeconfig_of('node')}",
            f"--root-dir={root}",
            f"--cert-dir={root / 'pki'}",
            f"--hostname-override={credentials.NODE}",
            f"--node-ip={NODE_IP}",  # a loopback address is refused
            # else cAdvisor sees the groups of pods only, no containers
            f"--containerd={self._instance.containerd_socket}",
            # else `logs --previous` often finds nothing in a crash loop
            "--maximum-dead-containers-per-container=2",
        )

    def _proxy(self) -> list[str]:
        return self._kubernetes(
            "kube-proxy",
            f"--kubeconfig={self._instance.kubeconfig_of('proxy')}",
            f"--hostname-override={credentials.NODE}",
            f"--cluster-cidr={POD_RANGE}",
            # without bridge-nf an answer between pods of one bridge does not pass here again
            "--masquerade-all",
            # these are the whole machine's, not of a network namespace
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0s",
            "--conntrack-tcp-timeout-close-wait=0s",
        )

    def _dns(self) -> list[str]:
        return [str(program("coredns")), "-conf", str(self._instance.config / "Corefile")]

    def _registry(self) -> list[str]:
        return [
            *self._python("lab.registry"),
            *("--address", NODE_IP, "--port", str(REGISTRY_PORT)),
        ]


_UNHURRIED = ("--kube-api-qps=500", "--kube-api-burst=1000")
"""The default of 50 requests a second makes minutes of 5,000 pods."""


def configure_node(instance: Instance) -> None:
    """Write the configuration of everything that makes up the node."""
    config = instance.config
    (config / "containerd.toml").write_text(_containerd(instance))
    (config / "kubelet.json").write_text(json.dumps(_kubelet(instance), indent=2))
    (config / "Corefile").write_text(_corefile(instance))
    (config / "resolv.conf").write_text(f"nameserver {NODE_IP}\noptions timeout:2 attempts:1\n")
    hosts = config / "certs.d" / f"registry.lab:{REGISTRY_PORT}" / "hosts.toml"
    hosts.parent.mkdir(parents=True, exist_ok=True)
    address = f"http://registry.lab:{REGISTRY_PORT}"
    hosts.write_text(f'server = "{address}"\n[host."{address}"]\n')
    cni = config / "cni" / "10-lab.conflist"
    cni.parent.mkdir(parents=True, exist_ok=True)
    cni.write_text(json.dumps(_pod_network(instance), indent=2))


def _containerd(instance: Instance) -> str:
    """All of it below our own folders; snapshotters that need a file system of their own are off."""
    others = [
        f"io.containerd.snapshotter.v1.{name}" for name in ("aufs", "btrfs", "devmapper", "zfs")
    ]
    runc = 'plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc'
    return f"""version = 2
root = "{instance.state}/containerd"
state = "{instance.run}/containerd"
disabled_plugins = {json.dumps(others)}
[grpc]
  address = "{instance.containerd_socket}"
[debug]
  address = "{instance.run}/containerd-debug.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{instance.state}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  restrict_oom_score_adj = true  # root without CAP_SYS_RESOURCE may not lower it
  netns_mounts_under_state_dir = true
  max_container_log_line_size = 16384
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{host.CNI}"
    conf_dir = "{instance.config}/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{instance.config}/certs.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [{runc}]
      runtime_type = "io.containerd.runc.v2"
      [{runc}.options]
        SystemdCgroup = false
        Root = "{instance.run}/runc"
"""


def _kubelet(instance: Instance) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{instance.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{instance.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": ["pods"],
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(instance.config / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "address": NODE_IP,
        "healthzBindAddress": "127.0.0.1",
        "makeIPTablesUtilChains": False,
        "maxPods": MAX_PODS,
        "podLogsDir": str(instance.state / "pod-logs"),
        "volumePluginDir": str(instance.state / "volume-plugins"),
        # the disk is the machine's: how full it is says nothing about the lab
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "100Mi"},
        "resolvConf": str(instance.config / "resolv.conf"),
        "clusterDNS": [NODE_IP],
        "clusterDomain": "cluster.local",
        # a back-off that stays short keeps tests short
        "featureGates": {"KubeletCrashLoopBackOffMax": True},
        "crashLoopBackOff": {"maxContainerRestartPeriod": "20s"},
    }


def _corefile(instance: Instance) -> str:
    """The cluster's names, two of our own, and for every other name that it does not exist."""
    return f"""cluster.local:53 {{
  bind {NODE_IP}
  errors
  kubernetes cluster.local {{
    kubeconfig {instance.kubeconfig_of("dns")}
  }}
  cache 5
}}
lab:53 {{
  bind {NODE_IP}
  errors
  hosts {{
    {NODE_IP} registry.lab
    {SILENT_IP} silent.lab
  }}
}}
.:53 {{
  bind {NODE_IP}
  errors
  template ANY ANY {{
    rcode NXDOMAIN
  }}
}}
"""


def _pod_network(instance: Instance) -> dict[str, object]:
    ipam = {
        "type": "host-local",
        "dataDir": str(instance.state / "cni"),
        "ranges": [[{"subnet": POD_RANGE}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "ipam": ipam}
    return {"cniVersion": "0.4.0", "name": "lab", "plugins": [bridge]}
