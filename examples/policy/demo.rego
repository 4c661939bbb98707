# METADATA
# title: The demo's policy
# description: |
#   Two agents of our own trust domain, each allowed what its segment needs: down to the MCP tool and the gRPC method; and what an agent
#   may call itself.
#   Everything that no rule allows is denied.
package sallyport.authz

import rego.v1

# METADATA
# entrypoint: true
decision := {"allowed": allowed, "reasons": reasons}

default allowed := false

allowed if count(grants) > 0

# Why it was allowed; or, for a refusal, what was missing.
reasons := grants if allowed

reasons := {sprintf("no rule allows this to %s", [callers])} if not allowed

# Who calls one of our agents; the agents' own calls have rules of their own below.
segment := data.segments[input.source_principal] if input.sallyport.direction == "inbound"

default callers := "agents without a segment"

callers := segment

method := input.attributes.request.http.method

path := input.parsed_path

# --- MCP (Streamable HTTP): one path for everything, so the decision is in the message

mcp if path == ["mcp"]

# Opening a session, listing and closing are for every agent with a segment.
grants contains "may hold an MCP session" if {
	mcp
	method == "POST"
	input.parsed_body.method in {"initialize", "notifications/initialized", "ping", "tools/list"}
	segment
}

grants contains "may hold an MCP session" if {
	mcp
	method in {"GET", "DELETE"}
	segment
}

grants contains sprintf("may call the tool %s", [tool]) if {
	mcp
	method == "POST"
	input.parsed_body.method == "tools/call"
	tool := input.parsed_body.params.name
	tool in data.tools[segment]
}

# --- gRPC: the path is the method

grants contains sprintf("may call %s", [concat("/", path)]) if {
	method == "POST"
	concat("/", path) in data.grpc_methods[segment]
}

# --- plain HTTP

grants contains sprintf("may %s %s", [method, concat("/", path)]) if {
	method in data.http[segment][concat("/", path)]
}

# --- what our agents call themselves

grants contains sprintf("may call %s", [destination]) if {
	input.sallyport.direction == "outbound"
	destination := input.sallyport.destination.name
	destination in data.calls[input.source_principal]
}
