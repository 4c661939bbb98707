# METADATA
# title: Who may read which policy
# description: |
#   What the sidecar in front of the policy service lets through: a workload reads the policy and the candidate of its own namespace, as its
#   SPIFFE ID spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICEACCOUNT names it, in the trust domain of the policy service. Nobody does anything else.
package sallyport.policy_service

# METADATA
# entrypoint: true
# scope: document
decision := {"allowed": true, "reasons": [$"the policy of namespace {own_namespace}"]} if {
	reads_a_policy
	asked_namespace == own_namespace
} else := {"allowed": false, "reasons": ["a workload reads the policy of its own namespace, and nothing else here"]}

# The namespace of the caller, by its proven identity.
own_namespace := namespace if {
	["spiffe:", "", trust_domain, "ns", namespace, "sa", _] = split(input.sallyport.peer.spiffe_id, "/")
	trust_domain == split(input.sallyport.agent.spiffe_id, "/")[2]
}

asked_namespace := input.parsed_path[2]

reads_a_policy if {
	input.sallyport.direction == "inbound"
	input.sallyport.subject == "request"
	input.attributes.request.http.method == "GET"
	array.slice(input.parsed_path, 0, 2) == ["v1", "policy"]
	array.slice(input.parsed_path, 3, count(input.parsed_path)) in {[], ["candidate"]}
}
