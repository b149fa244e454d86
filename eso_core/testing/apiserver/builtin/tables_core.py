"""The core kinds, Events of both groups, and Leases."""

from __future__ import annotations

from typing import Final

CORE: Final = """
package io.k8s.api.core.v1 /v1

kind Secret : A small amount of confidential data, such as a password or a key.
  1 metadata   meta.ObjectMeta      : Standard metadata.
  5 immutable  *bool                : When true, the data cannot be changed; only deleting the Secret remains.
  2 data       map[string]bytes     : Values in base64, by key. Keys consist of letters, digits, -, _ and dots.
  4 stringData map[string]string    : Values as plain text, for writing only: they are merged into data.
  3 type       string:v1.SecretType : What the data means to programs. Cannot be changed.

kind ConfigMap : Configuration data that is not confidential.
  1 metadata   meta.ObjectMeta   : Standard metadata.
  4 immutable  *bool             : When true, the data cannot be changed; only deleting the ConfigMap remains.
  2 data       map[string]string : Text values by key.
  3 binaryData map[string]bytes  : Binary values in base64, by key. No key may be in data too.

kind Namespace : A scope for names. Deleting it deletes what is in it.
  1 metadata meta.ObjectMeta : Standard metadata.
  2 spec     NamespaceSpec   : What is wanted of the namespace.
  3 status   NamespaceStatus : How the namespace is.

type NamespaceSpec : What is wanted of a namespace.
  1 finalizers []string:v1.FinalizerName atomic : Who must act before the namespace may be removed.

type NamespaceStatus : How a namespace is.
  1 phase      string:v1.NamespacePhase                : Active, or Terminating while it is being deleted.
  2 conditions []NamespaceCondition map=type merge=type : What deletion is waiting for.

type NamespaceCondition : One aspect of a namespace's state.
  1 type               string:v1.NamespaceConditionType required : Name of the condition.
  2 status             string:v1.ConditionStatus        required : True, False or Unknown.
  4 lastTransitionTime time omitzero                             : When the status changed last.
  5 reason             string                                    : One word that says why.
  6 message            string                                    : A sentence that says why.

kind ServiceAccount : An identity for programs in the cluster.
  1 metadata                     meta.ObjectMeta                      : Standard metadata.
  2 secrets                      []ObjectReference map=name merge=name : Secrets that pods of this account may use.
  3 imagePullSecrets             []LocalObjectReference atomic        : Secrets with which images are pulled.
  4 automountServiceAccountToken *bool                                : Whether pods get a token of the account.

type ObjectReference atomic : Names another object, or a part of it.
  1 kind            string           : Kind of the object.
  2 namespace       string           : Its namespace.
  3 name            string           : Its name.
  4 uid             string:types.UID : Its UID.
  5 apiVersion      string           : Its group and version.
  6 resourceVersion string           : The version of it that is meant.
  7 fieldPath       string           : The part of it that is meant.

type LocalObjectReference atomic : Names an object in the same namespace.
  1 name string default="" : Name of the object.

kind Event : A report of something that happened to an object.
  1  metadata           meta.ObjectMeta required : Standard metadata.
  2  involvedObject     ObjectReference required : The object it is about.
  3  reason             string                   : One word that says why it happened.
  4  message            string                   : What happened, for people.
  5  source             EventSource              : Who reports it (older clients).
  6  firstTimestamp     time                     : When it happened first.
  7  lastTimestamp      time                     : When it happened last.
  8  count              int32                    : How often it happened.
  9  type               string                   : Normal or Warning.
  10 eventTime          microtime always         : When it happened first (newer clients).
  11 series             *EventSeries             : The series it belongs to.
  12 action             string                   : What was done.
  13 related            *ObjectReference         : A second object that plays a part.
  14 reportingComponent string always            : Controller that reports it.
  15 reportingInstance  string always            : Instance of that controller.

type EventSource : A component that reports events.
  1 component string : Name of the component.
  2 host      string : Node it runs on.

type EventSeries : A series of equal events.
  1 count            int32              : How many there were.
  2 lastObservedTime microtime omitzero : When the last one was.

kind ResourceQuota : Limits on what a namespace may hold. This server keeps them but does not enforce them.
  1 metadata meta.ObjectMeta     : Standard metadata.
  2 spec     ResourceQuotaSpec   : The limits.
  3 status   ResourceQuotaStatus : What is used.

type ResourceQuotaSpec : Limits on what a namespace may hold.
  1 hard          map[string]quantity           : Limit of each named resource.
  2 scopes        []string:v1.ResourceQuotaScope atomic : What objects the limits count.
  3 scopeSelector *ScopeSelector                : What objects the limits count, by expressions.

type ResourceQuotaStatus : What is used of the limits.
  1 hard map[string]quantity : Limits that are enforced.
  2 used map[string]quantity : What is used.

type ScopeSelector atomic : Selects what objects limits count.
  1 matchExpressions []ScopedResourceSelectorRequirement atomic : All must hold.

type ScopedResourceSelectorRequirement : One requirement on a scope.
  1 scopeName string:v1.ResourceQuotaScope            required : The scope.
  2 operator  string:v1.ScopeSelectorOperator         required : In, NotIn, Exists or DoesNotExist.
  3 values    []string                                atomic   : Values for In and NotIn.

kind LimitRange : Bounds and defaults of what single objects may use. This server keeps them but does not enforce them.
  1 metadata meta.ObjectMeta : Standard metadata.
  2 spec     LimitRangeSpec  : The bounds.

type LimitRangeSpec : Bounds and defaults of what single objects may use.
  1 limits []LimitRangeItem required atomic : The bounds of each type of object.

type LimitRangeItem : Bounds of one type of object.
  1 type                 string:v1.LimitType required : Type of object.
  2 max                  map[string]quantity          : Most that may be used.
  3 min                  map[string]quantity          : Least that must be asked for.
  4 default              map[string]quantity          : Limit when none is given.
  5 defaultRequest       map[string]quantity          : Request when none is given.
  6 maxLimitRequestRatio map[string]quantity          : Most that a limit may be a multiple of its request.

package io.k8s.api.events.v1 events.k8s.io/v1

kind Event : A report of something that happened to an object.
  1  metadata                 meta.ObjectMeta       : Standard metadata.
  2  eventTime                microtime    required : When it happened first.
  3  series                   *EventSeries          : The series it belongs to.
  4  reportingController      string                : Controller that reports it.
  5  reportingInstance        string                : Instance of that controller.
  6  action                   string                : What was done.
  7  reason                   string                : One word that says why.
  8  regarding                core.ObjectReference  : The object it is about.
  9  related                  *core.ObjectReference : A second object that plays a part.
  10 note                     string                : What happened, for people.
  11 type                     string                : Normal or Warning.
  12 deprecatedSource         core.EventSource      : Source of an event written by an older client.
  13 deprecatedFirstTimestamp time                  : First time of an event written by an older client.
  14 deprecatedLastTimestamp  time                  : Last time of an event written by an older client.
  15 deprecatedCount          int32                 : Count of an event written by an older client.

type EventSeries : A series of equal events.
  1 count            int32     required : How many there were.
  2 lastObservedTime microtime required : When the last one was.

package io.k8s.api.coordination.v1 coordination.k8s.io/v1

kind Lease : A claim that one holder renews, such as leadership.
  1 metadata meta.ObjectMeta : Standard metadata.
  2 spec     LeaseSpec       : The claim.

type LeaseSpec : The claim of a lease.
  1 holderIdentity       *string                            : Who holds it.
  2 leaseDurationSeconds *int32                             : Seconds without renewal after which others may take it.
  3 acquireTime          *microtime                         : When the holder took it.
  4 renewTime            *microtime                         : When the holder renewed it last.
  5 leaseTransitions     *int32                             : How often the holder changed.
  6 strategy             *string:v1.CoordinatedLeaseStrategy : How a coordinated election picks the leader.
  7 preferredHolder      *string                            : Who should get the lease from its holder.
"""
