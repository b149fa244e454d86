"""A Kubernetes API server that runs inside a Python process.

Real HTTP(S) on loopback, one process, no etcd: kubectl, controllers and any client library talk to it as they
would to kube-apiserver. Which module does what:

===================  =================================================================================
``server``           `ApiServer`: start, address, kubeconfig, request log, compaction, stop
``options``          `ApiServerOptions`: port, TLS, state file, audit log, clock, tokens, limits
``background``       `BackgroundServer`: the same in a thread of its own, for clients that block
``errors``           `StatusError` and `FieldError`: every failure the server answers with
``resources``        `ResourceType`: what the server knows about one served resource, and their registry
``strategy``         what differs between kinds: decoding, defaults, validation, conversion
``storage/``         objects as bytes, one revision counter, watch windows, snapshot reads, the state file
``rest/``            the verbs: create, read, list, watch, update, patch, delete
``http/``            HTTP/1.1, routing, content negotiation, discovery, OpenAPI, tables, watch streams
``record``           what is remembered of each request; the audit log
``metrics``          counters, in the Prometheus text form
``certs``            certificate authority and serving certificate
``schema/``          structural schemas (prune, default, validate), CRD validation, CEL
``managedfields/``   field ownership and server-side apply
``patch/``           strategic merge patch
``wire``             the protobuf wire format
``builtin/``         schemas, validation and write strategies of the built-in kinds; protobuf bodies
``crds``             custom resource definitions: acceptance, conditions, serving
``custom``           the strategy of custom kinds, from the schema of a CRD version
``conversion``       custom kinds with several versions whose conversion a webhook does
``internal``         the server's own writes, through the same pipeline as those of clients
``gc``               owner references: cascading deletion
``namespaces``       namespace lifecycle and the objects every namespace starts with
``authn/``           tokens, client certificates, impersonation
``authz/``           RBAC and the access reviews
``admission/``       mutating and validating webhooks
``webhook_client``   calls of webhooks over HTTPS: addresses, trust, limits
===================  =================================================================================

`schema`, `managedfields`, `patch` and the validation in `builtin` are pure functions: no I/O, no clock.
"""
