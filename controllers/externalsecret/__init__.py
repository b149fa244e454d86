"""The ExternalSecret controller: values from stores into Secrets.

A reconcile is a pipeline: load (from the cache) -> decide -> fetch -> render -> apply -> report. `names`, `decide`,
`windows`, `cron`, `keys`, `merge`, `values`, `ownedfields`, `render` and `status` are pure; `fetch` asks providers;
`target` writes Secrets; `sync` is one pass, `reconciler` what stands before it, `watches` what wakes an object.
"""
