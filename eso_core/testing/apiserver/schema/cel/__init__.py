"""The Common Expression Language as the API server speaks it.

Source text is parsed (`parser`), checked against the type of ``self`` (`checker`), and compiled to closures
(`compiler`). `functions` has the standard library and that of Kubernetes; `schema_types` makes types from schemas;
`cost` estimates what an expression may cost. The rest of the server uses it through `backend.CelBackend`.
"""
