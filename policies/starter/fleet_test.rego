# METADATA
# description: What the data of this folder allows, in examples. Say here what must never be allowed, before it is.
package fleet_test

import data.sallyport.authz
import data.sallyport.mcp

# In the library this example stands in a folder of its own; in a folder that was made from it, it is data.fleet.
fleet := array.concat([yours | yours := data.fleet], [example | example := data.starter.fleet])[0]

call(caller, method, path) := {
	"attributes": {"request": {"http": {"method": method}}},
	"parsed_path": path,
	"sallyport": {
		"direction": "inbound",
		"subject": "request",
		"peer": {"spiffe_id": caller, "resumed": false},
		"agent": {"spiffe_id": "spiffe://example.org/ns/agents/sa/researcher", "listener": "0.0.0.0:8443"},
	},
}

message(caller, body) := object.union(call(caller, "POST", ["mcp"]), {"parsed_body": body})

planner := "spiffe://example.org/ns/agents/sa/planner"

operator := "spiffe://example.org/ns/operations/sa/console"

test_a_planner_creates_and_reads_tasks if {
	authz.allowed with data.fleet as fleet with input as call(planner, "POST", ["v1", "tasks"])
	authz.allowed with data.fleet as fleet with input as call(planner, "GET", ["v1", "tasks", "17"])
	authz.allowed with data.fleet as fleet with input as call(planner, "POST", ["research.v1.Research", "Ask"])
}

test_a_planner_cancels_no_task if {
	request := call(planner, "POST", ["v1", "tasks", "17", "cancel"])
	authz.decision.allowed == false with data.fleet as fleet with input as request
}

test_an_operator_cancels_tasks_and_reads_reports if {
	authz.allowed with data.fleet as fleet with input as call(operator, "POST", ["v1", "tasks", "17", "cancel"])
	authz.allowed with data.fleet as fleet with input as call(operator, "GET", ["reports", "2026", "may"])
}

test_a_planner_searches if {
	body := {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "search"}}
	mcp.allowed with data.fleet as fleet with input as message(planner, body)
}

test_nobody_makes_a_researcher_forget if {
	body := {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "forget"}}
	every caller in [planner, operator] {
		mcp.decision.allowed == false with data.fleet as fleet with input as message(caller, body)
	}
}

test_a_stranger_does_nothing if {
	request := call("spiffe://example.org/ns/elsewhere/sa/planner", "GET", ["v1", "tasks", "17"])
	authz.decision.allowed == false with data.fleet as fleet with input as request
}
