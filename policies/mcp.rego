# METADATA
# title: The decision for MCP servers and other JSON-RPC
# description: |
#   As sallyport/authz/decision, and where the tree of functions holds an object for a method of HTTP, the message in the body says which
#   function is asked for: by its `method`, and below that by the name of the tool or prompt or the URI of the resource.
#
#     {"/mcp": {"GET": "session", "POST": {"initialize": "session", "tools/list": "session", "tools/call": {"get-sum": "sum"}}}}
#
#   It reads the body of each request, which costs memory and time: ask sallyport/authz/decision where no agent speaks JSON-RPC.
# schemas:
# - input: schema.input
package sallyport.mcp

import data.sallyport.authz
import data.sallyport.http as calls
import data.sallyport.segments

# METADATA
# title: May this call pass, down to the tool?
# entrypoint: true
decision := {"allowed": allowed, "reasons": [reason]} if {
	messages
} else := authz.decision

default allowed := false

allowed if segments.may_call(authz.caller, authz.called, function)

# METADATA
# description: What the message asks for, in the words of the called segment. A batch of messages asks for nothing.
function := name if {
	name := messages[message.method]
	is_string(name)
}

function := name if {
	name := messages[message.method][subject]
	is_string(name)
}

# What the tree has for method and path, where that is told apart by message.
messages := tree if {
	tree := calls.lookup(data.fleet.segments[authz.called].functions, authz.method, input.parsed_path)
	is_object(tree)
}

message := input.parsed_body

is_message if is_string(message.method)

subject := message.params.uri if {
	message.method == "resources/read"
} else := message.params.name

# METADATA
# description: Why; where nothing allows, the first thing that is missing.
reason := $"segment {authz.caller} may ask segment {authz.called} for {function}" if {
	allowed
} else := authz.not_identified if {
	not authz.identified
} else := "the body is no JSON-RPC message with a method" if {
	not is_message
} else := $"segment {authz.called} has no function for {asked}; see data.fleet.segments.{authz.called}.functions" if {
	not function
} else := $"segment {authz.caller} may not ask segment {authz.called} for {function}; see data.fleet.segments.{authz.called}.callers.{authz.caller}"

asked := $"{message.method} {subject}" if {
	subject
} else := message.method
