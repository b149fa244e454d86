"""RBAC, and the requests that ask about identities and rights."""

from __future__ import annotations

from typing import Final

ACCESS: Final = """
package io.k8s.api.rbac.v1 rbac.authorization.k8s.io/v1

kind Role : Rights within a namespace.
  1 metadata meta.ObjectMeta     : Standard metadata.
  2 rules    []PolicyRule atomic always : The rights.

kind ClusterRole : Rights in all namespaces and on cluster-scoped resources.
  1 metadata        meta.ObjectMeta     : Standard metadata.
  2 rules           []PolicyRule atomic always : The rights.
  3 aggregationRule *AggregationRule    : Where the rules are collected from; then they are not written by hand.

type PolicyRule : What may be done with which resources or paths.
  1 verbs           []string required atomic : Verbs; * is every verb.
  2 apiGroups       []string atomic          : Groups of the resources; "" is the core group, * is every group.
  3 resources       []string atomic          : Resources; * is every resource.
  4 resourceNames   []string atomic          : Only objects of these names. Empty: all.
  5 nonResourceURLs []string atomic          : Paths that are no resources, perhaps with * at the end.

type AggregationRule : Which cluster roles a cluster role collects its rules from.
  1 clusterRoleSelectors []meta.LabelSelector atomic : Roles that match any of these.

kind RoleBinding : Gives the rights of a role to subjects within a namespace.
  1 metadata meta.ObjectMeta  : Standard metadata.
  2 subjects []Subject atomic : Who gets them.
  3 roleRef  RoleRef required : The role. Cannot be changed.

kind ClusterRoleBinding : Gives the rights of a cluster role to subjects everywhere.
  1 metadata meta.ObjectMeta  : Standard metadata.
  2 subjects []Subject atomic : Who gets them.
  3 roleRef  RoleRef required : The role. Cannot be changed.

type Subject atomic : A user, group or service account.
  1 kind      string required : User, Group or ServiceAccount.
  2 apiGroup  string          : Group of the kind; empty for service accounts.
  3 name      string required : Name of the subject.
  4 namespace string          : Namespace of a service account.

type RoleRef atomic : Names a role.
  1 apiGroup string always   : Group of the role's kind.
  2 kind     string required : Role or ClusterRole.
  3 name     string required : Name of the role.

package io.k8s.api.authentication.v1 authentication.k8s.io/v1

kind TokenRequest nolist : Asks for a token of a service account.
  1 metadata meta.ObjectMeta           : Standard metadata.
  2 spec     TokenRequestSpec required : What the token is to be.
  3 status   TokenRequestStatus        : The token.

type TokenRequestSpec : What a token is to be.
  1 audiences         []string required atomic : Who the token is meant for.
  4 expirationSeconds *int64                   : Seconds the token is to be valid for.
  3 boundObjectRef    *BoundObjectReference    : The token is valid as long as this object exists.

type TokenRequestStatus : A token.
  1 token               string required : The token.
  2 expirationTimestamp time   required : When it ends.

type BoundObjectReference : The object a token is bound to.
  1 kind       string           : Pod, Secret or Node.
  2 apiVersion string           : Its version.
  3 name       string           : Its name.
  4 uid        string:types.UID : Its UID.

kind TokenReview nolist : Asks who a token belongs to.
  1 metadata meta.ObjectMeta          : Standard metadata.
  2 spec     TokenReviewSpec required : The token.
  3 status   TokenReviewStatus        : The answer.

type TokenReviewSpec : A token to check.
  1 token     string          : The token.
  2 audiences []string atomic : For whom it must be meant.

type TokenReviewStatus : What is known about a token.
  1 authenticated bool            : Whether the token is good.
  2 user          UserInfo        : Whose it is.
  4 audiences     []string atomic : For whom it is meant, of those asked for.
  3 error         string          : Why it is not good.

type UserInfo : A user as the server knows it.
  1 username string             : Name of the user.
  2 uid      string             : Identity that is not reused when names are.
  3 groups   []string atomic    : Groups of the user.
  4 extra    map[string]strings:v1.ExtraValue : Further facts from whoever knows the user.

kind SelfSubjectReview nolist : Asks who the caller is.
  1 metadata meta.ObjectMeta         : Standard metadata.
  2 status   SelfSubjectReviewStatus : The answer.

type SelfSubjectReviewStatus : Who the caller is.
  1 userInfo UserInfo : The caller.

package io.k8s.api.authorization.v1 authorization.k8s.io/v1

kind SubjectAccessReview nolist : Asks whether a user may do something.
  1 metadata meta.ObjectMeta                  : Standard metadata.
  2 spec     SubjectAccessReviewSpec required : Who and what.
  3 status   SubjectAccessReviewStatus        : The answer.

kind LocalSubjectAccessReview nolist : Asks whether a user may do something in a namespace.
  1 metadata meta.ObjectMeta                  : Standard metadata.
  2 spec     SubjectAccessReviewSpec required : Who and what.
  3 status   SubjectAccessReviewStatus        : The answer.

kind SelfSubjectAccessReview nolist : Asks whether the caller may do something.
  1 metadata meta.ObjectMeta                      : Standard metadata.
  2 spec     SelfSubjectAccessReviewSpec required : What.
  3 status   SubjectAccessReviewStatus            : The answer.

kind SelfSubjectRulesReview nolist : Asks for all that the caller may do in a namespace.
  1 metadata meta.ObjectMeta                     : Standard metadata.
  2 spec     SelfSubjectRulesReviewSpec required : Where.
  3 status   SubjectRulesReviewStatus            : The answer.

type SubjectAccessReviewSpec : Who wants to do what. Either resourceAttributes or nonResourceAttributes is set.
  1 resourceAttributes    *ResourceAttributes         : A request on a resource.
  2 nonResourceAttributes *NonResourceAttributes      : A request on another path.
  3 user                  string                      : The user.
  4 groups                []string atomic             : Groups of the user.
  5 extra                 map[string]strings:v1.ExtraValue  : Further facts about the user.
  6 uid                   string                      : UID of the user.

type SelfSubjectAccessReviewSpec : What the caller wants to do.
  1 resourceAttributes    *ResourceAttributes    : A request on a resource.
  2 nonResourceAttributes *NonResourceAttributes : A request on another path.

type ResourceAttributes : A request on a resource.
  1 namespace     string                   : The namespace; empty for all or for cluster-scoped resources.
  2 verb          string                   : get, list, watch, create, update, patch, delete, deletecollection or *.
  3 group         string                   : The group; * is every group.
  4 version       string                   : The version; * is every version.
  5 resource      string                   : The resource; * is every resource.
  6 subresource   string                   : The subresource, if any.
  7 name          string                   : Name of the object; empty for all.
  8 fieldSelector *FieldSelectorAttributes : Fields the request is limited by.
  9 labelSelector *LabelSelectorAttributes : Labels the request is limited by.

type FieldSelectorAttributes : A field selector of a request.
  1 rawSelector  string                                : As in the query.
  2 requirements []meta.FieldSelectorRequirement atomic : As requirements.

type LabelSelectorAttributes : A label selector of a request.
  1 rawSelector  string                                : As in the query.
  2 requirements []meta.LabelSelectorRequirement atomic : As requirements.

type NonResourceAttributes : A request on a path that is no resource.
  1 path string : The path.
  2 verb string : The HTTP method in lower case.

type SubjectAccessReviewStatus : Whether a request is allowed.
  1 allowed         bool required : Whether it is allowed.
  4 denied          bool          : Whether it is refused for good.
  2 reason          string        : Why.
  3 evaluationError string        : What went wrong on the way; the answer may still be right.

type SelfSubjectRulesReviewSpec : Where the rights are asked for.
  1 namespace string : The namespace.

type SubjectRulesReviewStatus : All that a user may do.
  1 resourceRules    []ResourceRule    required atomic : Rights on resources.
  2 nonResourceRules []NonResourceRule required atomic : Rights on other paths.
  3 incomplete       bool              required        : Whether something may be missing.
  4 evaluationError  string                            : What went wrong on the way.

type ResourceRule : A right on resources.
  1 verbs         []string required atomic : Verbs.
  2 apiGroups     []string atomic          : Groups.
  3 resources     []string atomic          : Resources.
  4 resourceNames []string atomic          : Names of objects.

type NonResourceRule : A right on paths.
  1 verbs           []string required atomic : Verbs.
  2 nonResourceURLs []string atomic          : Paths.
"""
