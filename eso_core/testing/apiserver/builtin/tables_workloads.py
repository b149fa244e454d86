"""The kinds of workloads and of what serves them, which this server stores without acting on them.

What controllers and patches look into is typed; deeper parts are open: they are kept as they are written, so that strict
field validation refuses nothing that exists. Open parts have no protobuf form, so these kinds are read as JSON only.
"""

from __future__ import annotations

from typing import Final

__all__ = ["JSON_ONLY", "WORKLOADS"]

WORKLOADS: Final = """
package io.k8s.api.core.v1 /v1

type Open : A part that is kept as it is written.

kind Pod : Containers that run together.
  1 metadata meta.ObjectMeta : Standard metadata.
  2 spec     PodSpec         : What is to run.
  3 status   StatusOfPod     : What runs.

type StatusOfPod : What runs of a pod.
  1 phase                  string
  2 conditions             []Open map=type merge=type
  3 message                string
  4 reason                 string
  5 hostIP                 string
  6 podIP                  string
  7 startTime              *time
  8 containerStatuses      []Open atomic
  9 qosClass               string
  10 initContainerStatuses []Open atomic
  11 nominatedNodeName     string
  12 podIPs                []Open map=ip merge=ip
  13 ephemeralContainerStatuses []Open atomic
  14 resize                string
  15 resourceClaimStatuses []Open map=name merge=name
  16 hostIPs               []Open atomic
  17 observedGeneration    int64
  18 extendedResourceClaimStatus *Open
  19 resources             *Open
  20 allocatedResources    map[string]quantity

type PodTemplateSpec : What pods are made from.
  1 metadata meta.ObjectMeta : Metadata of the pods.
  2 spec     PodSpec         : What is to run in them.

type PodSpec : What is to run in a pod.
  1 volumes                       []Open map=name merge=name
  2 containers                    []Container required map=name merge=name
  3 restartPolicy                 string
  4 terminationGracePeriodSeconds *int64
  5 activeDeadlineSeconds         *int64
  6 dnsPolicy                     string
  7 nodeSelector                  map[string]string atomic
  8 serviceAccountName            string
  9 serviceAccount                string
  10 nodeName                     string
  11 hostNetwork                  bool
  12 hostPID                      bool
  13 hostIPC                      bool
  14 securityContext              *Open
  15 imagePullSecrets             []LocalObjectReference map=name merge=name
  16 hostname                     string
  17 subdomain                    string
  18 affinity                     *Open
  19 schedulerName                string
  20 initContainers               []Container map=name merge=name
  21 automountServiceAccountToken *bool
  22 tolerations                  []Open atomic
  23 hostAliases                  []Open map=ip merge=ip
  24 priorityClassName            string
  25 priority                     *int32
  26 dnsConfig                    *Open
  27 shareProcessNamespace        *bool
  28 readinessGates               []Open atomic
  29 runtimeClassName             *string
  30 enableServiceLinks           *bool
  31 preemptionPolicy             *string
  32 overhead                     map[string]quantity
  33 topologySpreadConstraints    []Open map=topologyKey,whenUnsatisfiable merge=topologyKey
  34 ephemeralContainers          []Container map=name merge=name
  35 setHostnameAsFQDN            *bool
  36 os                           *Open
  37 hostUsers                    *bool
  38 schedulingGates              []Open map=name merge=name
  39 resourceClaims               []Open map=name merge=name
  40 resources                    *Open
  41 hostnameOverride             *string
  42 workloadRef                  *Open

type Container : A program to run.
  1 name                      string required
  2 image                     string
  3 command                   []string atomic
  4 args                      []string atomic
  5 workingDir                string
  6 ports                     []ContainerPort map=containerPort,protocol merge=containerPort
  7 env                       []Open map=name merge=name
  8 resources                 *Open
  9 volumeMounts              []Open map=mountPath merge=mountPath
  10 livenessProbe            *Open
  11 readinessProbe           *Open
  12 lifecycle                *Open
  13 terminationMessagePath   string
  14 imagePullPolicy          string
  15 securityContext          *Open
  16 stdin                    bool
  17 stdinOnce                bool
  18 tty                      bool
  19 envFrom                  []Open atomic
  20 terminationMessagePolicy string
  21 volumeDevices            []Open map=devicePath merge=devicePath
  22 startupProbe             *Open
  23 resizePolicy             []Open atomic
  24 restartPolicy            *string
  25 targetContainerName      string
  26 restartPolicyRules       []Open atomic

type ContainerPort : A port that a program listens on.
  1 name          string
  2 hostPort      int32
  3 containerPort int32 required
  4 protocol      string default="TCP"
  5 hostIP        string

kind Service : A stable address for pods.
  1 metadata meta.ObjectMeta : Standard metadata.
  2 spec     *ServiceSpec    : What is wanted of the service.
  3 status   *Open           : How the service is.

type ServiceSpec : What is wanted of a service.
  1 ports                          []ServicePort map=port,protocol merge=port
  2 selector                       map[string]string atomic
  3 clusterIP                      string
  4 type                           string
  5 externalIPs                    []string atomic
  6 sessionAffinity                string
  7 loadBalancerIP                 string
  8 loadBalancerSourceRanges       []string atomic
  9 externalName                   string
  10 externalTrafficPolicy         string
  11 healthCheckNodePort           int32
  12 publishNotReadyAddresses      bool
  13 sessionAffinityConfig         *Open
  14 ipFamilyPolicy                *string
  15 clusterIPs                    []string atomic
  16 ipFamilies                    []string atomic
  17 allocateLoadBalancerNodePorts *bool
  18 loadBalancerClass             *string
  19 internalTrafficPolicy         *string
  20 trafficDistribution           *string

type ServicePort : A port of a service.
  1 name        string
  2 protocol    string default="TCP"
  3 port        int32 required
  4 targetPort  *intorstring
  5 nodePort    int32
  6 appProtocol *string

kind PersistentVolumeClaim : A wish for storage.
  1 metadata meta.ObjectMeta : Standard metadata.
  2 spec     *Open           : The storage that is wanted.
  3 status   *Open           : The storage that is there.

kind Endpoints : Addresses of a service.
  1 metadata meta.ObjectMeta : Standard metadata.
  2 subsets  []Open atomic   : Addresses and their ports.

kind Node : A machine of the cluster.
  1 metadata meta.ObjectMeta : Standard metadata.
  2 spec     *Open           : What is wanted of the machine.
  3 status   *Open           : How the machine is.

package io.k8s.api.apps.v1 apps/v1

kind Deployment : Pods that are replaced step by step.
  1 metadata meta.ObjectMeta : Standard metadata.
  2 spec     DeploymentSpec  : What is wanted.
  3 status   *Conditions     : What is.

type DeploymentSpec : What is wanted of a deployment.
  1 replicas                *int32
  2 selector                *meta.LabelSelector required
  3 template                core.PodTemplateSpec required
  4 strategy                *core.Open retain
  5 minReadySeconds         int32
  6 revisionHistoryLimit    *int32
  7 paused                  bool
  8 progressDeadlineSeconds *int32

type Conditions : What was observed of a workload.
  1 observedGeneration     int64
  2 replicas               int32
  3 updatedReplicas        int32
  4 availableReplicas      int32
  5 unavailableReplicas    int32
  6 conditions             []core.Open map=type merge=type
  7 readyReplicas          int32
  8 collisionCount         *int32
  9 terminatingReplicas    *int32
  10 fullyLabeledReplicas  int32
  11 currentReplicas       int32
  12 currentRevision       string
  13 updateRevision        string
  14 currentNumberScheduled int32
  15 numberMisscheduled     int32
  16 desiredNumberScheduled int32
  17 numberReady            int32
  18 updatedNumberScheduled int32
  19 numberAvailable        int32
  20 numberUnavailable      int32

kind StatefulSet : Pods with names and storage of their own.
  1 metadata meta.ObjectMeta : Standard metadata.
  2 spec     StatefulSetSpec : What is wanted.
  3 status   *Conditions     : What is.

type StatefulSetSpec : What is wanted of a stateful set.
  1 replicas             *int32
  2 selector             *meta.LabelSelector required
  3 template             core.PodTemplateSpec required
  4 volumeClaimTemplates []core.Open atomic
  5 serviceName          string
  6 podManagementPolicy  string
  7 updateStrategy       *core.Open
  8 revisionHistoryLimit *int32
  9 minReadySeconds      int32
  10 persistentVolumeClaimRetentionPolicy *core.Open
  11 ordinals            *core.Open

kind DaemonSet : A pod on every node.
  1 metadata meta.ObjectMeta : Standard metadata.
  2 spec     DaemonSetSpec   : What is wanted.
  3 status   *Conditions     : What is.

type DaemonSetSpec : What is wanted of a daemon set.
  1 selector             *meta.LabelSelector required
  2 template             core.PodTemplateSpec required
  3 updateStrategy       *core.Open
  4 minReadySeconds      int32
  6 revisionHistoryLimit *int32

kind ReplicaSet : A number of equal pods.
  1 metadata meta.ObjectMeta : Standard metadata.
  2 spec     ReplicaSetSpec  : What is wanted.
  3 status   *Conditions     : What is.

type ReplicaSetSpec : What is wanted of a replica set.
  1 replicas        *int32
  2 selector        *meta.LabelSelector required
  3 template        core.PodTemplateSpec
  4 minReadySeconds int32

package io.k8s.api.batch.v1 batch/v1

kind Job : Pods that run to completion.
  1 metadata meta.ObjectMeta : Standard metadata.
  2 spec     *core.Open      : What is wanted.
  3 status   *core.Open      : What is.

kind CronJob : Jobs at given times.
  1 metadata meta.ObjectMeta : Standard metadata.
  2 spec     *core.Open      : What is wanted.
  3 status   *core.Open      : What is.

package io.k8s.api.networking.v1 networking.k8s.io/v1

kind Ingress : Ways into the cluster over HTTP.
  1 metadata meta.ObjectMeta : Standard metadata.
  2 spec     *core.Open      : What is wanted.
  3 status   *core.Open      : What is.

kind NetworkPolicy : Which traffic pods may have.
  1 metadata meta.ObjectMeta : Standard metadata.
  2 spec     *core.Open      : What is allowed.

package io.k8s.api.discovery.v1 discovery.k8s.io/v1

kind EndpointSlice : Some of the addresses of a service.
  1 metadata    meta.ObjectMeta        : Standard metadata.
  4 addressType string required        : IPv4, IPv6 or FQDN.
  2 endpoints   []core.Open always atomic : The addresses.
  3 ports       []core.Open always atomic : The ports of each of them.

package io.k8s.api.policy.v1 policy/v1

kind PodDisruptionBudget : How many pods may be missing.
  1 metadata meta.ObjectMeta : Standard metadata.
  2 spec     *core.Open      : What is wanted.
  3 status   *core.Open      : What is.
"""

JSON_ONLY: Final = frozenset(
    {
        ("", "v1", "Pod"),
        ("", "v1", "Service"),
        ("", "v1", "PersistentVolumeClaim"),
        ("", "v1", "Endpoints"),
        ("", "v1", "Node"),
        ("apps", "v1", "Deployment"),
        ("apps", "v1", "StatefulSet"),
        ("apps", "v1", "DaemonSet"),
        ("apps", "v1", "ReplicaSet"),
        ("batch", "v1", "Job"),
        ("batch", "v1", "CronJob"),
        ("networking.k8s.io", "v1", "Ingress"),
        ("networking.k8s.io", "v1", "NetworkPolicy"),
        ("discovery.k8s.io", "v1", "EndpointSlice"),
        ("policy", "v1", "PodDisruptionBudget"),
    }
)
"""Group, version and kind of what has no protobuf form here."""
