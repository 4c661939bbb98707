package sallyport.policy_service_test

import data.sallyport.policy_service

ID := "spiffe://example.org/ns/agents/sa/planner"

OWN := "spiffe://example.org/ns/sallyport-system/sa/sallyport-injector"

call(id, method, path) := {
	"attributes": {"request": {"http": {"method": method, "path": path}}},
	"sallyport": {
		"direction": "inbound",
		"subject": "request",
		"peer": {"spiffe_id": id},
		"agent": {"spiffe_id": OWN},
	},
}

allows(asked) if {
	policy_service.decision.allowed with input as asked
}

test_own_policy_and_candidate if {
	allows(call(ID, "GET", "/v1/policy/agents"))
	allows(call(ID, "GET", "/v1/policy/agents/candidate"))
}

test_other_account_of_the_namespace if allows(call("spiffe://example.org/ns/agents/sa/default", "GET", "/v1/policy/agents"))

test_nothing_else if {
	every path in [
		"/v1/policy/other",
		"/v1/policy/other/candidate",
		"/v1/policy/agents/",
		"/v1/policy/agents?x=1",
		"/v1/policy/agents/candidate/x",
		"/v1/policy/agents/../other",
		"/v1/policy/agents%2f..%2fother",
		"/v1/policy/",
		"/v1/policy",
		"/",
		"/healthz",
		"//v1/policy/agents",
	] {
		not allows(call(ID, "GET", path))
	}
}

test_only_get if {
	every method in ["POST", "PUT", "HEAD", "DELETE", "get", "CONNECT"] {
		not allows(call(ID, method, "/v1/policy/agents"))
	}
}

test_ids_that_are_no_service_account_of_ours if {
	every id in [
		"spiffe://other.org/ns/agents/sa/planner",
		"spiffe://example.org/ns/agents",
		"spiffe://example.org/ns/agents/sa/planner/x",
		"spiffe://example.org/x/agents/sa/planner",
		"spiffe://example.org/ns/agents/x/planner",
		"spiffe://example.org/planner",
		"spiffe://example.org",
		"",
	] {
		not allows(call(id, "GET", "/v1/policy/agents"))
	}
}

test_a_prefix_is_no_namespace if not allows(call("spiffe://example.org/ns/agent/sa/x", "GET", "/v1/policy/agents"))

test_nobody if {
	not policy_service.decision.allowed with input as json.remove(call(ID, "GET", "/v1/policy/agents"), ["/sallyport/peer/spiffe_id"])
	not policy_service.decision.allowed with input as {}
}

test_connections_and_calls_of_ours if {
	own := call(ID, "GET", "/v1/policy/agents")
	not policy_service.decision.allowed with input as object.union(own, {"sallyport": {"subject": "connection"}})
	not policy_service.decision.allowed with input as object.union(own, {"sallyport": {"direction": "outbound"}})
}

test_reasons_say_what_is_open if {
	policy_service.decision.reasons[0] == "a workload of namespace agents may GET /v1/policy/agents and its candidate only" with input as call(ID, "GET", "/")
}
