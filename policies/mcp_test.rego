package sallyport.mcp_test

import data.sallyport.mcp

planner := "spiffe://example.org/ns/agents/sa/planner"

server := "spiffe://example.org/ns/agents/sa/tools"

fleet := {
	"agents": {planner: "planners", server: "tools"},
	"segments": {"tools": {
		"functions": {
			"/health": {"GET": "health"},
			"/mcp": {
				"GET": "session",
				"POST": {
					"initialize": "session",
					"tools/list": "session",
					"tools/call": {"sum": "sum", "erase": "erase"},
					"prompts/get": {"greet": "greet"},
					"resources/read": {"file:///a": "read-a"},
				},
			},
		},
		"callers": {"planners": {"session": true, "sum": true, "read-a": true, "health": true}},
	}},
}

request(method, path, body) := {
	"attributes": {"request": {"http": {"method": method}}},
	"parsed_path": path,
	"parsed_body": body,
	"sallyport": {
		"direction": "inbound",
		"subject": "request",
		"peer": {"spiffe_id": planner, "resumed": false},
		"agent": {"spiffe_id": server, "listener": "0.0.0.0:8443"},
	},
}

message(method, params) := request("POST", ["mcp"], {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})

denied(reason) := {"allowed": false, "reasons": [reason]}

test_a_message_asks_for_the_function_of_its_method if {
	mcp.decision == {
		"allowed": true,
		"reasons": ["segment planners may ask segment tools for session"],
	} with data.fleet as fleet with input as message("tools/list", {})
}

test_a_call_of_a_tool_asks_for_the_function_of_the_tool if {
	mcp.allowed with data.fleet as fleet with input as message("tools/call", {"name": "sum"})
	reason := "segment planners may not ask segment tools for erase; see data.fleet.segments.tools.callers.planners"
	mcp.decision == denied(reason) with data.fleet as fleet with input as message("tools/call", {"name": "erase"})
}

test_a_resource_is_known_by_its_uri if {
	mcp.allowed with data.fleet as fleet with input as message("resources/read", {"uri": "file:///a"})
	mcp.decision.allowed == false with data.fleet as fleet with input as message("resources/read", {"uri": "file:///b", "name": "file:///a"})
}

test_what_the_tree_does_not_name_is_denied if {
	reason := "segment tools has no function for tools/call sums; see data.fleet.segments.tools.functions"
	mcp.decision == denied(reason) with data.fleet as fleet with input as message("tools/call", {"name": "sums"})
	without_name := "segment tools has no function for sampling/createMessage; see data.fleet.segments.tools.functions"
	mcp.decision == denied(without_name) with data.fleet as fleet with input as message("sampling/createMessage", {})
	mcp.decision.allowed == false with data.fleet as fleet with input as message("tools/call", {})
	mcp.decision.allowed == false with data.fleet as fleet with input as message("tools/call", {"name": "*"})
}

test_what_is_no_message_is_denied if {
	every body in [null, true, "tools/list", 7, [], {}, [{"method": "tools/list"}], {"method": null}, {"method": ["tools/list"]}] {
		mcp.decision.allowed == false with data.fleet as fleet with input as request("POST", ["mcp"], body)
	}
	reason := "the body is no JSON-RPC message with a method"
	mcp.decision == denied(reason) with data.fleet as fleet with input as request("POST", ["mcp"], [{"method": "tools/list"}])
}

test_a_caller_in_no_segment_is_denied if {
	reason := $"the caller {planner} is in no segment; see data.fleet.agents"
	mcp.decision == denied(reason) with data.fleet as fleet with data.fleet.agents as {server: "tools"} with input as message("tools/list", {})
}

test_other_calls_are_decided_as_ever if {
	mcp.decision == {
		"allowed": true,
		"reasons": ["segment planners may ask segment tools for health"],
	} with data.fleet as fleet with input as request("GET", ["health"], null)
	mcp.decision.allowed == true with data.fleet as fleet with input as request("GET", ["mcp"], null)
	mcp.decision.allowed == false with data.fleet as fleet with input as request("PUT", ["mcp"], null)
	mcp.decision.allowed == false with data.fleet as {} with input as message("tools/list", {})
}
