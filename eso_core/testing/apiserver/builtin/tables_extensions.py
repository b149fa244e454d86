"""Custom resource definitions, admission webhooks and API services."""

from __future__ import annotations

from typing import Final

EXTENSIONS: Final = """
package io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1 apiextensions.k8s.io/v1

kind CustomResourceDefinition : Declares a kind of objects that the server is to serve.
  1 metadata meta.ObjectMeta                       : Standard metadata. The name is <plural>.<group>.
  2 spec     CustomResourceDefinitionSpec required : The declaration.
  3 status   CustomResourceDefinitionStatus        : What the server made of it.

type CustomResourceDefinitionSpec : The declaration of a kind.
  1 group                 string                            required : Group of the kind.
  3 names                 CustomResourceDefinitionNames     required : Names of the kind and its resource.
  4 scope                 string:v1.ResourceScope           required : Namespaced or Cluster.
  7 versions              []CustomResourceDefinitionVersion required atomic : All versions of the kind.
  9 conversion            *CustomResourceConversion                  : How objects are converted between versions.
  10 preserveUnknownFields bool                                      : Not supported any more; false.

type CustomResourceDefinitionNames : Names of a kind and its resource.
  1 plural     string required : Name of the resource in paths, in lower case.
  2 singular   string          : Name of one object in lower case.
  3 shortNames []string atomic : Short names for typing.
  4 kind       string required : The kind in CamelCase.
  5 listKind   string          : Kind of lists; the kind with List when not given.
  6 categories []string atomic : Names of groups of resources it belongs to, such as all.

type CustomResourceDefinitionVersion : One version of a kind.
  1 name                     string required : Name of the version, such as v1.
  2 served                   bool   required : Whether the server offers it.
  3 storage                  bool   required : Whether objects are stored in it; true for exactly one version.
  7 deprecated               bool            : Whether requests get a warning.
  8 deprecationWarning       *string         : Text of the warning.
  4 schema                   *CustomResourceValidation   : The schema of the objects.
  5 subresources             *CustomResourceSubresources : Which subresources there are.
  6 additionalPrinterColumns []CustomResourceColumnDefinition atomic : Columns of tables.
  9 selectableFields         []SelectableField           atomic      : Fields that field selectors may use.

type SelectableField : A field for field selectors.
  1 jsonPath string required : Simple path to the field.

type CustomResourceConversion : How objects are converted between versions.
  1 strategy string:v1.ConversionStrategyType required : None or Webhook.
  2 webhook  *WebhookConversion                        : The webhook that converts.

type WebhookConversion : A webhook that converts objects.
  2 clientConfig             *WebhookClientConfig    : How to reach it.
  3 conversionReviewVersions []string required atomic : Versions of the review it understands, best first.

type WebhookClientConfig : How to reach a webhook.
  3 url      *string           : Its address.
  1 service  *ServiceReference : Its service.
  2 caBundle bytes             : Authorities that sign its certificate, PEM.

type ServiceReference : Names a service.
  1 namespace string required : Namespace of the service.
  2 name      string required : Name of the service.
  3 path      *string         : Path of requests.
  4 port      *int32          : Port; 443 when not given.

type CustomResourceValidation : The schema of objects.
  1 openAPIV3Schema *JSONSchemaProps : The schema.

type CustomResourceSubresources : Which subresources a kind has.
  1 status *CustomResourceSubresourceStatus : When present, /status is served.
  2 scale  *CustomResourceSubresourceScale  : When present, /scale is served.

type CustomResourceSubresourceStatus : Has no fields.

type CustomResourceSubresourceScale : Where the scale subresource finds its numbers.
  1 specReplicasPath   string required : Path of the wanted number.
  2 statusReplicasPath string required : Path of the actual number.
  3 labelSelectorPath  *string         : Path of the selector in text form.

type CustomResourceColumnDefinition : A column of tables.
  1 name        string required : Heading.
  2 type        string required : OpenAPI type, or date.
  3 format      string          : OpenAPI format.
  4 description string          : What the column shows.
  5 priority    int32           : 0 is always shown, more only in wide output.
  6 jsonPath    string required : Simple path to the value.

type CustomResourceDefinitionStatus : What the server made of a declaration.
  1 conditions     []CustomResourceDefinitionCondition always map=type : Aspects of its state.
  2 acceptedNames  CustomResourceDefinitionNames                       : The names that are served.
  3 storedVersions []string always atomic                              : Versions in which objects may be stored.

type CustomResourceDefinitionCondition : One aspect of a declaration's state.
  1 type               string:v1.CustomResourceDefinitionConditionType required : Name of the condition.
  2 status             string:v1.ConditionStatus                       required : True, False or Unknown.
  3 lastTransitionTime time omitzero                                            : When the status changed last.
  4 reason             string                                                   : One word that says why.
  5 message            string                                                   : A sentence that says why.

type ExternalDocumentation : Points to documentation.
  1 description string : What is there.
  2 url         string : Where it is.

type ValidationRule : A rule in CEL.
  1 rule              string required          : The expression; it must be true.
  2 message           string                   : What to say when it is not.
  3 messageExpression string                   : An expression that says it.
  4 reason            *string:v1.FieldValueErrorReason : Reason of the error.
  5 fieldPath         string                   : Field that the error names.
  6 optionalOldSelf   *bool                    : Whether the rule also runs when there is no old value.

type JSONSchemaProps : A JSON schema.
  1  id                   string
  2  $schema              string:v1.JSONSchemaURL
  3  $ref                 *string
  4  description          string
  5  type                 string
  6  format               string
  7  title                string
  8  default              *json
  9  maximum              *float
  10 exclusiveMaximum     bool
  11 minimum              *float
  12 exclusiveMinimum     bool
  13 maxLength            *int64
  14 minLength            *int64
  15 pattern              string
  16 maxItems             *int64
  17 minItems             *int64
  18 uniqueItems          bool
  19 multipleOf           *float
  20 enum                 []json atomic
  21 maxProperties        *int64
  22 minProperties        *int64
  23 required             []string atomic
  24 items                *schemas:v1.JSONSchemaPropsOrArray
  25 allOf                []JSONSchemaProps atomic
  26 oneOf                []JSONSchemaProps atomic
  27 anyOf                []JSONSchemaProps atomic
  28 not                  *JSONSchemaProps
  29 properties           map[string]JSONSchemaProps
  30 additionalProperties *schemas:v1.JSONSchemaPropsOrBool
  31 patternProperties    map[string]JSONSchemaProps
  32 dependencies         map[string]schemas:v1.JSONSchemaPropsOrStringArray
  33 additionalItems      *schemas:v1.JSONSchemaPropsOrBool
  34 definitions          map[string]JSONSchemaProps
  35 externalDocs         *ExternalDocumentation
  36 example              *json
  37 nullable             bool
  38 x-kubernetes-preserve-unknown-fields *bool : Keep fields that the schema does not name.
  39 x-kubernetes-embedded-resource       bool  : The value is an object with apiVersion, kind and metadata.
  40 x-kubernetes-int-or-string           bool  : The value is an integer or a string.
  41 x-kubernetes-list-map-keys           []string atomic : Fields that identify an item of the list.
  42 x-kubernetes-list-type               *string : atomic, set or map.
  43 x-kubernetes-map-type                *string : atomic or granular.
  44 x-kubernetes-validations             []ValidationRule map=rule merge=rule : Rules in CEL.

package io.k8s.api.admissionregistration.v1 admissionregistration.k8s.io/v1

kind ValidatingWebhookConfiguration : Webhooks that may refuse requests.
  1 metadata meta.ObjectMeta                             : Standard metadata.
  2 webhooks []ValidatingWebhook map=name merge=name     : The webhooks.

kind MutatingWebhookConfiguration : Webhooks that may refuse requests and change objects.
  1 metadata meta.ObjectMeta                             : Standard metadata.
  2 webhooks []MutatingWebhook map=name merge=name       : The webhooks.

type ValidatingWebhook : A webhook that may refuse requests.
  1  name                    string required                    : Full name of the webhook.
  2  clientConfig            WebhookClientConfig required       : How to reach it.
  3  rules                   []RuleWithOperations atomic        : Which requests it is asked about.
  4  failurePolicy           *string:v1.FailurePolicyType       : Ignore or Fail, when it cannot be asked.
  9  matchPolicy             *string:v1.MatchPolicyType         : Exact or Equivalent.
  5  namespaceSelector       *meta.LabelSelector                : Only objects in these namespaces.
  10 objectSelector          *meta.LabelSelector                : Only these objects.
  6  sideEffects             *string:v1.SideEffectClass required : None or NoneOnDryRun.
  7  timeoutSeconds          *int32                             : Seconds to wait for its answer, 1 to 30.
  8  admissionReviewVersions []string required atomic           : Versions of the review it understands, best first.
  11 matchConditions         []MatchCondition map=name merge=name : Further conditions in CEL.

type MutatingWebhook : A webhook that may refuse requests and change objects.
  1  name                    string required                    : Full name of the webhook.
  2  clientConfig            WebhookClientConfig required       : How to reach it.
  3  rules                   []RuleWithOperations atomic        : Which requests it is asked about.
  4  failurePolicy           *string:v1.FailurePolicyType       : Ignore or Fail, when it cannot be asked.
  9  matchPolicy             *string:v1.MatchPolicyType         : Exact or Equivalent.
  5  namespaceSelector       *meta.LabelSelector                : Only objects in these namespaces.
  11 objectSelector          *meta.LabelSelector                : Only these objects.
  6  sideEffects             *string:v1.SideEffectClass required : None or NoneOnDryRun.
  7  timeoutSeconds          *int32                             : Seconds to wait for its answer, 1 to 30.
  8  admissionReviewVersions []string required atomic           : Versions of the review it understands, best first.
  10 reinvocationPolicy      *string:v1.ReinvocationPolicyType  : Never or IfNeeded, when later webhooks change the object.
  12 matchConditions         []MatchCondition map=name merge=name : Further conditions in CEL.

type RuleWithOperations : Which requests a webhook is asked about.
  1 operations  []string:v1.OperationType atomic : CREATE, UPDATE, DELETE, CONNECT or *.
  2 apiGroups   []string atomic          : Groups.
  3 apiVersions []string atomic          : Versions.
  4 resources   []string atomic          : Resources, perhaps with subresources.
  5 scope       *string:v1.ScopeType     : Cluster, Namespaced or *.

type MatchCondition : A condition in CEL.
  1 name       string required : Name of the condition.
  2 expression string required : The expression; the webhook is asked only when it is true.

type WebhookClientConfig : How to reach a webhook.
  3 url      *string           : Its address.
  1 service  *ServiceReference : Its service.
  2 caBundle bytes             : Authorities that sign its certificate, PEM.

type ServiceReference : Names a service.
  1 namespace string required : Namespace of the service.
  2 name      string required : Name of the service.
  3 path      *string         : Path of requests.
  4 port      *int32          : Port; 443 when not given.

package io.k8s.kube-aggregator.pkg.apis.apiregistration.v1 apiregistration.k8s.io/v1

kind APIService : A group version and who serves it.
  1 metadata meta.ObjectMeta  : Standard metadata.
  2 spec     APIServiceSpec   : Which version, and who serves it.
  3 status   APIServiceStatus : Whether it is served.

type APIServiceSpec : A group version and who serves it.
  1 service               *ServiceReference : The service; none when the server itself serves it.
  2 group                 string            : The group.
  3 version               string            : The version.
  4 insecureSkipTLSVerify bool              : Do not check the certificate.
  5 caBundle              bytes             : Authorities that sign its certificate, PEM.
  7 groupPriorityMinimum  int32 required    : Rank of the group.
  8 versionPriority       int32 required    : Rank of the version in the group.

type ServiceReference : Names a service.
  1 namespace string : Namespace of the service.
  2 name      string : Name of the service.
  3 port      *int32 : Port; 443 when not given.

type APIServiceStatus : Whether a group version is served.
  1 conditions []APIServiceCondition map=type merge=type : Aspects of its state.

type APIServiceCondition : One aspect of the state of a group version.
  1 type               string:v1.APIServiceConditionType required : Name of the condition.
  2 status             string:v1.ConditionStatus         required : True, False or Unknown.
  3 lastTransitionTime time omitzero                              : When the status changed last.
  4 reason             string                                     : One word that says why.
  5 message            string                                     : A sentence that says why.

package io.k8s.api.autoscaling.v1 autoscaling/v1

kind Scale nolist : How many replicas an object is to have, and has.
  1 metadata meta.ObjectMeta : Standard metadata.
  2 spec     ScaleSpec       : What is wanted.
  3 status   ScaleStatus     : What is.

type ScaleSpec : What is wanted.
  1 replicas int32 : Number of replicas.

type ScaleStatus : What is.
  1 replicas int32 required : Number of replicas.
  2 selector string         : Selector of the replicas in text form.
"""
