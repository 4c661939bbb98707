# METADATA
# title: Segments
# description: |
#   A segment is a group of agents with the same function. Which agent is in which segment, what a segment can be asked for and who may ask
#   is data, in `data.fleet`; README.md shows its shape. Every question is answered by key, so its cost does not grow with the fleet.
package sallyport.segments

import data.sallyport.http as calls
import data.sallyport.patterns

# METADATA
# title: The segment of an agent
# description: |
#   What `data.fleet.agents` says of the SPIFFE ID itself; else of the longest part of it with `/**` behind:
#   `spiffe://example.org/ns/agents/**`. Undefined for an agent that is in none.
# scope: document
of(id) := segment if {
	not contains(id, "*")
	segment := entry(id)
	is_string(segment)
}

# METADATA
# title: The function that a call asks a segment for
# description: |
#   What `data.fleet.segments.<segment>.functions` names for method and path. Undefined where it names none.
# scope: document
function(segment, method, path) := name if {
	name := calls.lookup(data.fleet.segments[segment].functions, method, path)
	is_string(name)
}

# METADATA
# title: The function that a connection asks a segment for
# description: |
#   A connection whose bytes are forwarded unread (TCP) has the one name that `data.fleet.segments.<segment>.connection` gives.
# scope: document
connection(segment) := name if {
	name := data.fleet.segments[segment].connection
	is_string(name)
}

# METADATA
# title: May agents of one segment call a function of another?
# description: |
#   Only where `data.fleet.segments.<called>.callers.<caller>` says `true` of the function, or of `*` and nothing of the function.
# scope: document
may_call(caller, called, name) if {
	grants := data.fleet.segments[called].callers[caller]
	object.get(grants, name, object.get(grants, "*", false)) == true
}

# METADATA
# title: Is the fleet described?
# description: Both parts of data.fleet are there, and are objects.
# scope: document
described if {
	is_object(data.fleet.agents)
	is_object(data.fleet.segments)
}

entry(id) := segment if {
	segment := data.fleet.agents[id]
} else := defaults[0] if {
	parts := split(id, "/")
	count(parts) > 3
	every segment in array.slice(parts, 3, count(parts)) {
		patterns.plain(segment)
	}

	# `spiffe://example.org` is three parts. What lies below the most of them comes first.
	defaults := [segment |
		some length in numbers.range(count(parts) - 1, 3)
		segment := data.fleet.agents[concat("/", array.concat(array.slice(parts, 0, length), ["**"]))]
	]
}
