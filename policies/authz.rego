# METADATA
# title: The default decision
# description: |
#   A call is denied unless the segment of the called agent lets the segment of the caller call that function. It needs data.fleet,
#   which README.md describes; without it everything is denied.
# schemas:
# - input: schema.input
package sallyport.authz

import data.sallyport.segments

# METADATA
# title: May this call pass?
# description: |
#   `reasons` is for the record; the caller is told only that the call was refused.
# entrypoint: true
decision := {"allowed": allowed, "reasons": [reason]}

default allowed := false

allowed if segments.may_call(caller, called, function)

# METADATA
# description: The segment of the agent that calls.
caller := segments.of(caller_id)

# METADATA
# description: The segment of the agent that is called.
called := segments.of(called_id)

# METADATA
# description: |
#   What the call asks for, in the words of the called segment. A connection whose bytes are forwarded unread (TCP) is one call, and
#   has the one name that the segment gives to connections.
function := segments.function(called, method, input.parsed_path) if input.sallyport.subject == "request"

function := segments.connection(called) if input.sallyport.subject == "connection"

# METADATA
# description: The method of the request; none for a connection.
method := input.attributes.request.http.method

caller_id := input.sallyport.peer.spiffe_id if input.sallyport.direction == "inbound"

caller_id := input.sallyport.agent.spiffe_id if input.sallyport.direction == "outbound"

called_id := input.sallyport.agent.spiffe_id if input.sallyport.direction == "inbound"

called_id := input.sallyport.peer.spiffe_id if input.sallyport.direction == "outbound"

# METADATA
# description: Why; where nothing allows, the first thing that is missing.
reason := $"segment {caller} may ask segment {called} for {function}" if {
	allowed
} else := not_identified if {
	not identified
} else := $"segment {called} has no function for {asked}; see data.fleet.segments.{called}.functions" if {
	not function
} else := $"segment {caller} may not ask segment {called} for {function}; see data.fleet.segments.{called}.callers.{caller}"

# METADATA
# description: Both sides of the call are in a segment.
identified if {
	caller
	called
}

# METADATA
# description: Why it is not known who calls, or who is called.
not_identified := "data.fleet is not described: it needs the objects agents and segments" if {
	not segments.described
} else := "the caller has no SPIFFE ID" if {
	not caller_id
} else := $"the caller {caller_id} is in no segment; see data.fleet.agents" if {
	not caller
} else := "the called agent has no SPIFFE ID" if {
	not called_id
} else := $"the called agent {called_id} is in no segment; see data.fleet.agents" if {
	not called
}

# What the record says of a call that has no function.
asked := $"{method} /{path}" if {
	input.sallyport.subject == "request"
	method
	path := concat("/", input.parsed_path)
} else := "connections" if {
	input.sallyport.subject == "connection"
} else := "a call without method and path"
