# METADATA
# title: Who may have which policy
# description: |
#   The sidecar in front of the policy service asks this. A workload of the cluster's own trust domain gets the policy of its namespace, as
#   its SPIFFE ID spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICEACCOUNT names it, and the candidate for it. Nothing else passes.
package sallyport.policy_service

default decision := {"allowed": false, "reasons": ["only a service account of a namespace of this cluster may ask for a policy"]}

# METADATA
# entrypoint: true
# scope: document
decision := {"allowed": allowed, "reasons": [reason]} if caller_namespace

default allowed := false

# The path as it is forwarded, not a reading of it: the service must not see another one.
allowed if {
	input.sallyport.direction == "inbound"
	input.sallyport.subject == "request"
	input.attributes.request.http.method == "GET"
	input.attributes.request.http.path in {
		concat("/", ["/v1/policy", caller_namespace]),
		concat("/", ["/v1/policy", caller_namespace, "candidate"]),
	}
}

reason := $"the policy of namespace {caller_namespace}" if {
	allowed
} else := $"a workload of namespace {caller_namespace} may GET /v1/policy/{caller_namespace} and its candidate only"

# Of a service account where the trust domain is our own.
caller_namespace := namespace if {
	["spiffe:", "", trust_domain, "ns", namespace, "sa", _] = split(input.sallyport.peer.spiffe_id, "/")
	["spiffe:", "", trust_domain, "ns", _, "sa", _] = split(input.sallyport.agent.spiffe_id, "/")
}
