"""`eso controller`: the operator on a cluster. `eso --flags…` without a sub-command is the same."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from controllers.cli.advice import advise_while_waiting
from controllers.cli.flags import FlagParser, add_bool, address, duration, positive_int
from controllers.operator import Operator, OperatorOptions
from controllers.templating.stage import TemplateSettings
from eso_core.aio import TaskScope
from eso_core.client import load_config
from eso_core.log import configure_logging, get_logger
from eso_core.manager import LeaderElectionOptions

__all__ = ["add_arguments", "operator_options", "run"]

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_LOG_LEVELS = ("debug", "info", "warn", "error", "dpanic", "panic", "fatal")
_TIME_ENCODINGS = ("epoch", "millis", "nano", "iso8601", "rfc3339", "rfc3339nano")

# Flags of the original that steer what this build does not have yet, or that it has no use for. They are accepted, so that a
# Deployment made for the original starts unchanged; a value other than the default is answered with one log line.
_NO_EFFECT: dict[str, tuple[object, str]] = {
    "enable-http2": (False, "the metrics server speaks HTTP/1.1"),
    "enable-configmaps-caching": (False, "ConfigMaps are read when needed"),
    "enable-secrets-caching": (False, "managed Secrets are cached whole, all others as metadata"),
    "enable-managed-secrets-caching": (True, "managed Secrets are always cached"),
    "enable-secret-api-read-on-cache-mismatch": (
        True,
        "the cache waits for this operator's own writes, so it never lags behind them",
    ),
    "enable-vault-token-cache": (False, "tokens are always shared between the users of a store"),
    "vault-token-cache-size": ("262144", "one token is kept for each store and credential"),
    "experimental-enable-vault-token-cache": (False, "deprecated; tokens are always shared"),
    "experimental-vault-token-cache-size": ("262144", "deprecated; one token is kept for each store and credential"),
    "experimental-enable-doppler-oidc-cache": (False, "the doppler provider is not in this release"),
    "experimental-doppler-oidc-cache-size": ("262144", "the doppler provider is not in this release"),
    "doppler-etag-cache-size": ("16384", "the doppler provider is not in this release"),
    "mysterybox-tokens-cache-size": ("4096", "the nebiusmysterybox provider is not in this release"),
    "mysterybox-connections-cache-size": ("128", "the nebiusmysterybox provider is not in this release"),
    "pulumi-oidc-cache-size": ("262144", "the pulumi provider is not in this release"),
    "experimental-enable-aws-session-cache": (False, "the original dropped it too"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the controller to `parser`."""
    cluster = parser.add_argument_group("cluster")
    cluster.add_argument(
        "--kubeconfig", help="kubeconfig file (default: $KUBECONFIG, then in-cluster, then ~/.kube/config)"
    )
    cluster.add_argument("--context", help="context of the kubeconfig (default: its current one)")
    cluster.add_argument("--namespace", default="", help="watch namespaced kinds in this namespace only (default: all)")
    cluster.add_argument(
        "--client-qps", type=float, default=None, help="limit of API requests per second (default: none)"
    )
    cluster.add_argument(
        "--client-burst", type=positive_int, default=None, help="burst above --client-qps (default: 100)"
    )

    work = parser.add_argument_group("work")
    work.add_argument(
        "--controller-class",
        default="default",
        help="only objects of stores with this spec.controller (default: default)",
    )
    work.add_argument(
        "--concurrent", type=positive_int, default=None, help="reconciles at once, per controller (default: 16)"
    )
    work.add_argument(
        "--store-requeue-interval",
        type=duration,
        default=300.0,
        metavar="DURATION",
        help="how often stores are validated (default 5m)",
    )
    add_bool(work, "--enable-secret-store-reconciler", True, "run the SecretStore controller")
    add_bool(work, "--enable-cluster-store-reconciler", True, "run the ClusterSecretStore controller")
    add_bool(work, "--enable-cluster-external-secret-reconciler", True, "run the ClusterExternalSecret controller")
    add_bool(work, "--enable-cluster-push-secret-reconciler", True, "run the ClusterPushSecret controller")
    add_bool(work, "--enable-generator-state", True, "keep what generators made outside, to clean it up later")
    work.add_argument(
        "--generator-gc-grace-period",
        type=duration,
        default=120.0,
        metavar="DURATION",
        help="how long replaced values of generators stay good (default 2m0s)",
    )
    add_bool(work, "--enable-push-secret-reconciler", True, "run the PushSecret controller")
    add_bool(work, "--enable-flood-gate", True, "sync only from stores that are Ready")

    add_bool(
        work, "--adopt-existing-secrets", True, "take over Secrets that no ExternalSecret made; false refuses them"
    )
    add_bool(
        work,
        "--minimal-finalizers",
        False,
        "put a finalizer only on ExternalSecrets whose deletion has something to do",
    )

    add_bool(
        work,
        "--unsafe-allow-generic-targets",
        False,
        "let ExternalSecrets write objects of other kinds (target.manifest); needs rights on those kinds",
    )

    templates = parser.add_argument_group("templates")
    templates.add_argument("--template-left-delimiter", default="", help="before an action of a template (default {{)")
    templates.add_argument("--template-right-delimiter", default="", help="after an action of a template (default }})")
    add_bool(
        templates,
        "--stable-templates",
        True,
        "salted functions such as bcrypt keep their last result while it fits; false salts anew at each refresh",
    )

    serving = parser.add_argument_group("serving")
    serving.add_argument(
        "--metrics-addr", type=address, default=":8080", help="listen address of /metrics, 0 for none (default :8080)"
    )
    add_bool(serving, "--metrics-secure", False, "serve metrics over HTTPS")
    add_bool(
        serving,
        "--metrics-auth",
        False,
        "let only those scrape who may, by TokenReview and SubjectAccessReview; needs --metrics-secure",
    )
    serving.add_argument(
        "--metrics-cert-dir", default="", help="directory of the metrics certificate (default: a self-signed one)"
    )
    serving.add_argument(
        "--metrics-cert-name", default="tls.crt", help="certificate file in --metrics-cert-dir (default tls.crt)"
    )
    serving.add_argument(
        "--metrics-key-name", default="tls.key", help="key file in --metrics-cert-dir (default tls.key)"
    )
    serving.add_argument(
        "--live-addr",
        type=address,
        default=":8082",
        help="listen address of /healthz and /readyz, 0 for none (default :8082)",
    )
    add_bool(
        serving,
        "--enable-extended-metric-labels",
        False,
        "label object metrics with the app.kubernetes.io labels of the object",
    )

    election = parser.add_argument_group("leader election")
    add_bool(election, "--enable-leader-election", False, "work only while holding a Lease in the pod's namespace")
    election.add_argument(
        "--leader-election-id",
        default="external-secrets-controller",
        help="name of the Lease (default external-secrets-controller)",
    )
    election.add_argument(
        "--leader-election-namespace",
        default="",
        help="namespace of the Lease (default: the pod's; needed outside of a pod)",
    )
    for name, seconds in (("lease-duration", 15.0), ("renew-deadline", 10.0), ("retry-period", 2.0)):
        election.add_argument(
            f"--leader-election-{name}",
            type=duration,
            default=seconds,
            metavar="DURATION",
            help=f"(default {seconds:g}s)",
        )

    logs = parser.add_argument_group("logs")
    logs.add_argument("--loglevel", choices=_LOG_LEVELS, default="info", help="(default info)")
    logs.add_argument(
        "--zap-time-encoding",
        choices=_TIME_ENCODINGS,
        default=None,
        help="time format of the log (default: RFC 3339 with milliseconds)",
    )

    accepted = parser.add_argument_group("accepted for the sake of manifests made for the original")
    for flag, (default, why) in _NO_EFFECT.items():
        if isinstance(default, bool):
            add_bool(accepted, f"--{flag}", default, f"no effect: {why}")
        else:
            accepted.add_argument(f"--{flag}", default=default, help=f"no effect: {why}")


def check(parser: FlagParser, args: argparse.Namespace) -> None:
    """End the process with one line if flags contradict each other."""
    if args.metrics_auth and not args.metrics_secure:
        parser.error("--metrics-auth needs --metrics-secure: a token must not travel in clear text")
    if args.enable_leader_election and not args.leader_election_namespace and not _POD_NAMESPACE.exists():
        parser.error("--enable-leader-election outside of a pod needs --leader-election-namespace")
    lease, renew, retry = (
        args.leader_election_lease_duration,
        args.leader_election_renew_deadline,
        args.leader_election_retry_period,
    )
    if not lease > renew > 1.2 * retry > 0:
        parser.error("leader election needs lease-duration > renew-deadline > 1.2 x retry-period > 0")


def operator_options(args: argparse.Namespace) -> OperatorOptions:
    """What the flags say, as the operator takes it."""
    election = None
    if args.enable_leader_election:
        election = LeaderElectionOptions(
            name=args.leader_election_id,
            namespace=args.leader_election_namespace,
            lease_duration=args.leader_election_lease_duration,
            renew_deadline=args.leader_election_renew_deadline,
            retry_period=args.leader_election_retry_period,
            own_thread=True,
        )
    certificates = Path(args.metrics_cert_dir) if args.metrics_cert_dir else None
    return OperatorOptions(
        namespace=args.namespace,
        controller_class=args.controller_class,
        concurrent=args.concurrent,
        client_qps=args.client_qps,
        client_burst=args.client_burst,
        store_requeue_interval=args.store_requeue_interval,
        enable_secret_store_reconciler=args.enable_secret_store_reconciler,
        enable_cluster_store_reconciler=args.enable_cluster_store_reconciler,
        enable_push_secret_reconciler=args.enable_push_secret_reconciler,
        enable_cluster_external_secret_reconciler=args.enable_cluster_external_secret_reconciler,
        enable_cluster_push_secret_reconciler=args.enable_cluster_push_secret_reconciler,
        enable_generator_state=args.enable_generator_state,
        generator_grace_period=args.generator_gc_grace_period,
        enable_flood_gate=args.enable_flood_gate,
        adopt_existing_secrets=args.adopt_existing_secrets,
        minimal_finalizers=args.minimal_finalizers,
        allow_generic_targets=args.unsafe_allow_generic_targets,
        templates=TemplateSettings(
            args.template_left_delimiter, args.template_right_delimiter, stable=args.stable_templates
        ),
        metrics_addr=args.metrics_addr,
        health_addr=args.live_addr,
        metrics_secure=args.metrics_secure,
        metrics_auth=args.metrics_auth,
        metrics_cert_file=str(certificates / args.metrics_cert_name) if certificates else "",
        metrics_key_file=str(certificates / args.metrics_key_name) if certificates else "",
        extended_metric_labels=args.enable_extended_metric_labels,
        leader_election=election,
    )


async def run(args: argparse.Namespace, stop: asyncio.Event) -> int:
    """Run the operator until `stop` is set; returns the exit status."""
    configure_logging(level=args.loglevel, time_encoding=args.zap_time_encoding)
    log = get_logger("setup")
    for flag, (default, why) in _NO_EFFECT.items():
        value = getattr(args, flag.replace("-", "_"))
        if value != default:
            log.info("flag has no effect", flag=f"--{flag}", value=value, why=why)
    config = await load_config(args.kubeconfig, args.context)
    operator = Operator(config, operator_options(args))
    async with TaskScope("eso controller") as scope:
        advising = scope.spawn(
            advise_while_waiting(operator.manager.clock, config.server, lambda: _waiting(operator), log.warning),
            name="advice",
        )
        try:
            await operator.run(stop)
        finally:
            advising.cancel()
    return 0


def _waiting(operator: Operator) -> dict[str, str]:
    informers = operator.manager.cache.informers()
    return {i.spec.name: next(iter(i.last_failures.values()), "") for i in informers if not i.synced}
