"""Types that all API groups share: object metadata, selectors, options of requests, Status and watch events."""

from __future__ import annotations

from typing import Final

META: Final = """
package io.k8s.apimachinery.pkg.apis.meta.v1 /v1

type ObjectMeta : What every stored object carries: its name, identity, labels, owners and history.
  1  name                       string                : Unique within its namespace and kind. Cannot be changed.
  2  generateName               string                : Prefix from which the server makes a unique name when none is given.
  3  namespace                  string                : The namespace the name is unique in. Empty for cluster-scoped objects.
  4  selfLink                   string                : Not used any more.
  5  uid                        string:types.UID      : Identity of this object over time and space; set by the server.
  6  resourceVersion            string                : Opaque version of the stored object, for concurrency and watches.
  7  generation                 int64                 : Counts changes of the desired state; set by the server.
  8  creationTimestamp          time       omitzero   : When the server created the object.
  9  deletionTimestamp          *time                 : When deletion was asked for; set by the server.
  10 deletionGracePeriodSeconds *int64                : Seconds an object may take to end before it is removed.
  11 labels                     map[string]string     : Keys and values to select objects by.
  12 annotations                map[string]string     : Free keys and values for tools.
  13 ownerReferences            []OwnerReference map=uid merge=uid : Objects this one depends on; it is collected when all are gone.
  14 finalizers                 []string   set merge  : Names of those who must act before the object may be removed.
  17 managedFields              []ManagedFieldsEntry atomic : Which manager owns which fields.

type OwnerReference atomic : Names an owner in the same namespace, or a cluster-scoped one.
  5 apiVersion         string            required : Group and version of the owner.
  1 kind               string            required : Kind of the owner.
  3 name               string            required : Name of the owner.
  4 uid                string:types.UID  required : UID of the owner.
  6 controller         *bool                      : Whether this owner is the managing controller.
  7 blockOwnerDeletion *bool                      : Whether foreground deletion of the owner waits for this object.

type ManagedFieldsEntry : The fields that one manager owns through one kind of operation.
  1 manager     string                                  : Name of the manager.
  2 operation   string:v1.ManagedFieldsOperationType    : Apply or Update.
  3 apiVersion  string                                  : Version in which the field names are to be read.
  4 time        *time                                   : When the entry changed last.
  6 fieldsType  string                                  : Format of the fields; FieldsV1.
  7 fieldsV1    *FieldsV1                               : The set of fields.
  8 subresource string                                  : Subresource the fields were written through.

type FieldsV1 : A set of fields as a trie: keys are f:<name>, k:<keys>, v:<value>, i:<index>, and . for the parent itself.

type ListMeta : Metadata of a list.
  1 selfLink           string : Not used any more.
  2 resourceVersion    string : Version of the collection, to start a watch from.
  3 continue           string : Token for the next page.
  4 remainingItemCount *int64 : How many objects the next pages hold.

type LabelSelector atomic : Selects objects by labels; all conditions must hold. Empty selects everything.
  1 matchLabels      map[string]string                 : Labels that must have exactly these values.
  2 matchExpressions []LabelSelectorRequirement atomic : Further requirements.

type LabelSelectorRequirement : One requirement on a label.
  1 key      string                          required : The label.
  2 operator string:v1.LabelSelectorOperator required : In, NotIn, Exists or DoesNotExist.
  3 values   []string                        atomic   : Values for In and NotIn.

type FieldSelectorRequirement : One requirement on a field.
  1 key      string                          required : The field.
  2 operator string:v1.FieldSelectorOperator required : In, NotIn, Exists or DoesNotExist.
  3 values   []string                        atomic   : Values for In and NotIn.

type Condition : One aspect of an object's current state.
  1 type               string                    required : Name of the condition.
  2 status             string:v1.ConditionStatus required : True, False or Unknown.
  3 observedGeneration int64                              : Generation that the condition was computed for.
  4 lastTransitionTime time                      required : When the status changed last.
  5 reason             string                    required : One word that says why.
  6 message            string                    required : A sentence that says why.

type Preconditions : What must be true of an object for it to be deleted.
  1 uid             *string:types.UID : The object must have this UID.
  2 resourceVersion *string           : The object must have this version.

kind DeleteOptions nolist : How to delete.
  1 gracePeriodSeconds *int64                          : Seconds before removal; 0 means now.
  2 preconditions      *Preconditions                  : Refuse unless these hold.
  3 orphanDependents   *bool                           : Old form of the propagation policy Orphan.
  4 propagationPolicy  *string:v1.DeletionPropagation  : Orphan, Background or Foreground.
  5 dryRun             []string atomic                 : All: check, but store nothing.
  6 ignoreStoreReadErrorWithClusterBreakingPotential *bool : Delete even what cannot be read. Dangerous.

kind Status nolist : The outcome of a request that has no object to answer with.
  1 metadata ListMeta                        : About the answer.
  2 status   string                          : Success or Failure.
  3 message  string                          : What happened, for people.
  4 reason   string:v1.StatusReason          : What happened, for programs.
  5 details  *StatusDetails                  : More about the reason.
  6 code     int32                           : The HTTP status.

type StatusDetails : What a failure was about.
  1 name              string                 : Name of the object.
  2 group             string                 : Its group.
  3 kind              string                 : Its kind or resource.
  6 uid               string:types.UID       : Its UID.
  4 causes            []StatusCause atomic   : Single causes, such as wrong fields.
  5 retryAfterSeconds int32                  : Seconds to wait before trying again.

type StatusCause : One cause of a failure.
  1 reason  string:v1.CauseType : What is wrong, for programs.
  2 message string              : What is wrong, for people.
  3 field   string              : Path of the field that is wrong.

type WatchEvent : One event of a watch.
  1 type   string required : ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.
  2 object raw    required : The object after the change, or a Status.

type Patch : The body of a PATCH; its format is that of the media type.

kind PartialObjectMetadata : An object of which only the metadata is shown.
  1 metadata ObjectMeta : Metadata of the object.

type ServerAddressByClientCIDR : The address clients of a network should use.
  1 clientCIDR    string required : Network of the client.
  2 serverAddress string required : Address of the server.

type GroupVersionForDiscovery : One version of a group.
  1 groupVersion string required : Group and version.
  2 version      string required : Version alone.

kind APIResourceList nolist : The resources of one group version.
  1 groupVersion string        required        : Which group version.
  2 resources    []APIResource required atomic : Its resources.

type APIResource : One resource or subresource.
  1 name               string   required : Plural name.
  6 singularName       string   required : Singular name.
  2 namespaced         bool     required : Whether it lives in namespaces.
  8 group              string            : Group, where it differs from the list's.
  9 version            string            : Version, where it differs from the list's.
  3 kind               string   required : Kind of its objects.
  4 verbs              []string required : What can be done with it.
  5 shortNames         []string atomic   : Short names for typing.
  7 categories         []string atomic   : Names of groups of resources, such as all.
  10 storageVersionHash string           : Changes when the stored form changes.

package io.k8s.apimachinery.pkg.runtime /
type RawExtension : Any JSON object.
"""
