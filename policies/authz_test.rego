package sallyport.authz_test

import data.sallyport.authz

planner := "spiffe://example.org/ns/agents/sa/planner"

worker := "spiffe://example.org/ns/agents/sa/worker"

fleet := {
	"agents": {planner: "planners", worker: "workers"},
	"segments": {"workers": {
		"functions": {"/v1": {"/tasks": {"GET": "list", "/*": {"DELETE": "delete"}}}, "/pkg.Work": {"/Do": {"POST": "do"}}},
		"connection": "stream",
		"callers": {"planners": {"list": true, "do": true, "stream": true}},
	}},
}

request(method, path) := {
	"attributes": {"request": {"http": {"method": method}}},
	"parsed_path": path,
	"sallyport": {
		"direction": "inbound",
		"subject": "request",
		"peer": {"spiffe_id": planner, "resumed": false},
		"agent": {"spiffe_id": worker, "listener": "0.0.0.0:8443"},
	},
}

listing := request("GET", ["v1", "tasks"])

connection := {"sallyport": object.union(listing.sallyport, {"subject": "connection"})}

changed(patch) := json.patch(listing, [patch])

denied(reason) := {"allowed": false, "reasons": [reason]}

test_what_the_called_segment_lets_the_caller_do_is_allowed if {
	authz.decision == {
		"allowed": true,
		"reasons": ["segment planners may ask segment workers for list"],
	} with data.fleet as fleet with input as listing
	authz.allowed with data.fleet as fleet with input as request("POST", ["pkg.Work", "Do"])
}

test_what_it_does_not_let_it_do_is_denied if {
	reason := "segment planners may not ask segment workers for delete; see data.fleet.segments.workers.callers.planners"
	authz.decision == denied(reason) with data.fleet as fleet with input as request("DELETE", ["v1", "tasks", "7"])
}

test_what_has_no_function_is_denied if {
	reason := "segment workers has no function for get /v1/tasks; see data.fleet.segments.workers.functions"
	authz.decision == denied(reason) with data.fleet as fleet with input as request("get", ["v1", "tasks"])
	reason_of_slash := "segment workers has no function for GET /v1/tasks/; see data.fleet.segments.workers.functions"
	authz.decision == denied(reason_of_slash) with data.fleet as fleet with input as request("GET", ["v1", "tasks", ""])
}

test_an_agent_that_the_fleet_does_not_know_is_denied if {
	stranger := "spiffe://partner.org/ns/agents/sa/planner"
	reason := "the caller spiffe://partner.org/ns/agents/sa/planner is in no segment; see data.fleet.agents"
	input_of_stranger := changed({"op": "replace", "path": "/sallyport/peer/spiffe_id", "value": stranger})
	authz.decision == denied(reason) with data.fleet as fleet with input as input_of_stranger
}

test_a_caller_without_an_identity_is_denied if {
	anonymous := changed({"op": "remove", "path": "/sallyport/peer/spiffe_id"})
	authz.decision == denied("the caller has no SPIFFE ID") with data.fleet as fleet with input as anonymous
}

test_a_called_agent_that_is_not_known_is_denied if {
	nameless := changed({"op": "remove", "path": "/sallyport/agent/spiffe_id"})
	authz.decision == denied("the called agent has no SPIFFE ID") with data.fleet as fleet with input as nameless
	reason := $"the called agent {worker} is in no segment; see data.fleet.agents"
	authz.decision == denied(reason) with data.fleet as fleet with data.fleet.agents as {planner: "planners"} with input as listing
}

test_outbound_the_agent_calls_and_the_peer_is_called if {
	outbound := object.union(listing, {"sallyport": {
		"direction": "outbound",
		"peer": {"spiffe_id": worker},
		"agent": {"spiffe_id": planner},
	}})
	authz.allowed with data.fleet as fleet with input as outbound
	back := changed({"op": "replace", "path": "/sallyport/direction", "value": "outbound"})
	authz.decision.allowed == false with data.fleet as fleet with input as back
}

test_a_connection_has_the_one_name_that_the_segment_gives if {
	authz.allowed with data.fleet as fleet with input as connection
	reason := "segment workers has no function for connections; see data.fleet.segments.workers.functions"
	authz.decision == denied(reason) with data.fleet as fleet with data.fleet.segments.workers.connection as null with input as connection
}

test_without_data_everything_is_denied_with_the_reason if {
	reason := "data.fleet is not described: it needs the objects agents and segments"
	every wrong in [null, true, "planners", 7, [], {}, {"agents": {}}, {"agents": [], "segments": {}}] {
		authz.decision == denied(reason) with data.fleet as wrong with input as listing
	}
}

test_data_of_another_shape_is_a_denial_with_a_reason if {
	every path in ["segments/workers", "segments/workers/functions", "segments/workers/callers", "segments/workers/callers/planners"] {
		every wrong in [null, true, "list", 7, [], ["list"], {}] {
			broken := json.patch(fleet, [{"op": "replace", "path": path, "value": wrong}])
			decision := authz.decision with data.fleet as broken with input as listing
			decision.allowed == false
			contains(decision.reasons[0], "; see data.fleet.segments.workers.")
		}
	}
}

test_any_input_has_a_decision if {
	every path in ["attributes", "parsed_path", "sallyport", "sallyport/subject", "sallyport/direction", "sallyport/peer", "sallyport/agent"] {
		every wrong in [null, true, "inbound", 7, [], ["v1"], {}] {
			document := changed({"op": "replace", "path": path, "value": wrong})
			decision := authz.decision with data.fleet as fleet with input as document
			is_boolean(decision.allowed)
			count(decision.reasons[0]) > 0
		}
		missing := changed({"op": "remove", "path": path})
		authz.decision.allowed == false with data.fleet as fleet with input as missing
	}
	authz.decision.allowed == false with data.fleet as fleet with input as null
}

test_a_call_without_method_and_path_is_denied if {
	reason := "segment workers has no function for a call without method and path; see data.fleet.segments.workers.functions"
	authz.decision == denied(reason) with data.fleet as fleet with input as changed({"op": "remove", "path": "/attributes"})
}
